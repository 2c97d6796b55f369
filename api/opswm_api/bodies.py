"""Request bodies are bounded before anything reads them: bytes, media type, depth, finite numbers."""

import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opswm_api.problems import ProblemError, problem_response
from opswm_schemas import bounded_json


@dataclass(frozen=True)
class BodyLimit:
    """The largest body, in bytes, of the paths that match."""

    path: re.Pattern[str]
    max_bytes: int


class BodyLimitMiddleware:
    """Answers 413 when a body is larger than its path allows, whether or not its length was announced.

    Args:
        app: The application behind.
        default_bytes: Limit of paths that no rule names.
        rules: The first whose pattern matches the whole path holds.
    """

    def __init__(self, app: ASGIApp, default_bytes: int, rules: Sequence[BodyLimit] = ()) -> None:
        self._app = app
        self._default_bytes = default_bytes
        self._rules = tuple(rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counting ``receive``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        limit = next((rule.max_bytes for rule in self._rules if rule.path.fullmatch(path)), self._default_bytes)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            await problem_response(_too_large(limit, int(announced)), path)(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise _too_large(limit, received)
            return message

        await self._app(scope, counting, send)


def _too_large(limit: int, given: int) -> ProblemError:
    return ProblemError(
        413,
        f"the body has {given} bytes or more, this route takes at most {limit}; send it in smaller batches",
        kind="body-too-large",
        headers={"Connection": "close"},
    )


class BoundedRequest(Request):
    """A request whose JSON is finite, shallow and in UTF-8, or refused."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            ProblemError: 422 on malformed or too deep JSON, NaN, infinities, repeated keys.
        """
        max_depth: int = self.app.state.settings.max_json_depth
        return parse_json(await self.body(), max_depth)


class BoundedRoute(APIRoute):
    """A route that takes JSON, and nothing else, through :class:`BoundedRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the media type checked ahead of it."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def bounded(request: Request) -> Response:
            if takes_body:
                require_media_type(request, "application/json")
            return await handle(BoundedRequest(request.scope, request.receive))

        return bounded


def require_media_type(request: Request, wanted: str) -> None:
    """Check the media type of a request.

    Raises:
        ProblemError: 415 when it is another, naming the one wanted.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        raise ProblemError(
            415, f"Content-Type is {given or 'missing'!r}, this route takes {wanted!r}", kind="media-type"
        )


def parse_json(text: bytes, max_depth: int) -> Any:
    """Parse a JSON document with bounded depth and finite numbers only.

    Args:
        text: The document in UTF-8.
        max_depth: How deep arrays and objects may nest.

    Raises:
        ProblemError: 422 saying where the document is wrong.
    """
    try:
        return bounded_json.parse_json(text, max_depth)
    except bounded_json.MalformedJsonError as problem:
        raise ProblemError(422, str(problem), kind="malformed-json") from problem
