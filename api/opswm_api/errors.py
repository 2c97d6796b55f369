"""From errors of every layer to problem documents; nothing internal leaves the service."""

import logging
import math
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from opswm.errors import BadInputError, CheckpointError, LogFullError, NotFoundError, OpswmError, StoreError
from opswm_api.pointers import problem_items
from opswm_api.problem_documents import ProblemItem
from opswm_api.problems import ProblemError, problem_response
from opswm_schemas.actions.lifecycle import LifecycleError
from opswm_schemas.recordings.problem import RecordingError

_LOG: Final = logging.getLogger(__name__)
_MAX_PROBLEMS: Final = 100


def install_error_handlers(app: FastAPI) -> None:
    """Let every error of the app leave as a problem document.

    Args:
        app: The application, before it has served anything.
    """
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for kind in (OpswmError, LifecycleError, RecordingError, OverflowError):
        app.add_exception_handler(kind, _domain)
    app.add_exception_handler(Exception, _unexpected)


def translate(error: Exception) -> ProblemError:
    """Return the problem that stands for an error the core or the contracts raised on purpose.

    Args:
        error: One of ``OpswmError``, ``LifecycleError``, ``RecordingError``, ``OverflowError``.
    """
    match error:
        case OverflowError():
            _LOG.error("a number left its range", exc_info=error)
            detail = "a number leaves the range that can be computed with; look for an extreme value and correct it"
            return ProblemError(422, detail, kind="out-of-range")
        case NotFoundError():
            return ProblemError(404, str(error), kind="not-found")
        case LifecycleError():
            return ProblemError(409, str(error), kind="lifecycle")
        case RecordingError():
            return ProblemError(
                422,
                f"the recording has {len(error.problems)} problems; correct them and post it again",
                kind="recording",
                errors=[ProblemItem(detail=str(problem)) for problem in error.problems[:_MAX_PROBLEMS]],
            )
        case BadInputError():
            return ProblemError(422, str(error), kind="bad-input")
        case LogFullError():
            wait = {"Retry-After": str(math.ceil(error.retry_after_s))}
            return ProblemError(503, str(error), kind="busy", headers=wait)
        case CheckpointError() | StoreError():
            _LOG.error("%s", error, exc_info=error)
            part = "world model" if isinstance(error, CheckpointError) else "store"
            return ProblemError(
                503, f"the {part} cannot be read at the moment; see the service's log", kind="not-ready"
            )
        case _:
            return ProblemError(422, str(error), kind="bad-input")


def _http(request: Request, error: Exception) -> Response:
    if isinstance(error, ProblemError):
        return problem_response(error, request.url.path)
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {path}; the routes are listed in the service's OpenAPI document, /openapi.json"
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request.app, path))
        detail = f"{request.method} is not possible here; allowed: {headers['Allow']}"
    return problem_response(ProblemError(error.status_code, detail, headers=headers), path)


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Return the methods that any route takes at a path (RFC 9110, 15.5.6: all of them belong in ``Allow``).

    Args:
        app: The application.
        path: Of the request.
    """
    found: set[str] = set()
    for template, operations in app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            found.update(method.upper() for method in operations)
    return sorted(found)


def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    items = problem_items(error.errors(), error.body)
    count = len(error.errors())
    detail = items[0].detail if count == 1 else f"the request has {count} errors, listed in 'errors'"
    return problem_response(ProblemError(422, detail, kind="validation", errors=items), request.url.path)


def _domain(request: Request, error: Exception) -> Response:
    return problem_response(translate(error), request.url.path)


def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = "the service failed to answer; its log has the cause, and other requests go on"
    return problem_response(ProblemError(500, detail), request.url.path)
