"""The app's OpenAPI document, completed with what FastAPI cannot see: the problem documents of its error handlers."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from opswm_api.problem_documents import Problem

_REFERENCES: Final = "#/components/schemas/{model}"
_OPENAPI: Final = "3.1.0"


def complete_openapi(app: FastAPI) -> None:
    """Let the app describe its problem documents, which FastAPI cannot see in exception handlers.

    Args:
        app: The application with all its routes.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                openapi_version=_OPENAPI,
            )
            schemas = described["components"]["schemas"]
            problem = Problem.model_json_schema(ref_template=_REFERENCES)
            schemas |= problem.pop("$defs")
            schemas["Problem"] = problem
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
