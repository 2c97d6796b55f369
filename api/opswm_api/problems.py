"""Problem documents: every error leaves the service as RFC 9457 ``application/problem+json``."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from opswm_api.problem_documents import Problem, ProblemItem

PROBLEM_JSON = "application/problem+json"

TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict with the present state",
    411: "Length required",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal error",
    503: "Not ready",
}


class ProblemError(HTTPException):
    """An error that a route raises to answer with a problem document.

    It is an HTTP exception because FastAPI turns anything else that is raised while it reads a body into a 400.

    Args:
        status: HTTP status code.
        detail: What was given, what is allowed and what to do.
        kind: Last part of the problem's URN; empty for ``about:blank``.
        errors: Single things that are wrong.
        headers: Further response headers, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "",
        errors: list[ProblemItem] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind
        self.errors = errors or []


def problem_response(error: ProblemError, instance: str | None = None) -> JSONResponse:
    """Return the response that carries a problem document.

    Args:
        error: What went wrong.
        instance: Path of the request that it went wrong for.
    """
    problem = Problem(
        type=f"urn:opswm:problem:{error.kind}" if error.kind else "about:blank",
        title=TITLES.get(error.status_code, "Error"),
        status=error.status_code,
        detail=error.detail,
        instance=instance,
        errors=error.errors,
    )
    content: dict[str, Any] = problem.model_dump(exclude_none=True)
    if not error.errors:
        content.pop("errors")
    return JSONResponse(content, status_code=error.status_code, headers=error.headers, media_type=PROBLEM_JSON)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an OpenAPI operation that may answer with these problem statuses."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": TITLES[status], "content": {PROBLEM_JSON: {"schema": schema}}}
        for status in sorted(statuses)
    }
