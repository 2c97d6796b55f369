"""Request bodies are bounded before anything reads them: bytes, media type, depth, finite numbers."""

import json
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opswm_api.problems import ProblemError, problem_response

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKET: Final = re.compile(r"[\[\]{}]")


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
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise _malformed(f"the body is not UTF-8: byte {problem.start} is {text[problem.start]:#04x}") from problem
    depth = _depth(decoded)
    if depth > max_depth:
        raise _malformed(f"the body nests {depth} levels deep, at most {max_depth} are taken; flatten it")
    try:
        return json.loads(
            decoded, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_repeats
        )
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise _malformed(f"the body is no JSON at {where}: {problem.msg}") from problem
    except ValueError as problem:  # a whole number of more digits than Python converts
        raise _malformed(f"the body holds a number that cannot be read: {problem}") from problem


def _depth(text: str) -> int:
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse_constant(name: str) -> float:
    raise _malformed(f"the body holds {name}, which is no JSON number; leave out readings that are not finite")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _malformed(f"the body holds {text[:40]}, which is beyond the range of a double; leave it out")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _malformed(f"the body gives field {repeated[:80]!r} twice in one object; keep one")
    return document


def _malformed(detail: str) -> ProblemError:
    return ProblemError(422, detail, kind="malformed-json")
