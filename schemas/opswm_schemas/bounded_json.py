"""JSON from strangers: UTF-8 of bounded depth with finite numbers and no repeated keys, or refused with the place."""

import json
import re
from typing import Any, Final

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKET: Final = re.compile(r"[\[\]{}]")


class MalformedJsonError(ValueError):
    """A text that is no JSON we take; says where and why."""


def parse_json(text: bytes, max_depth: int) -> Any:
    """Parse a JSON document with bounded depth and finite numbers only.

    Args:
        text: The document in UTF-8.
        max_depth: How deep arrays and objects may nest.

    Raises:
        MalformedJsonError: Saying where the document is wrong.
    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise MalformedJsonError(
            f"the body is not UTF-8: byte {problem.start} is {text[problem.start]:#04x}"
        ) from problem
    depth = _depth(decoded)
    if depth > max_depth:
        raise MalformedJsonError(f"the body nests {depth} levels deep, at most {max_depth} are taken; flatten it")
    try:
        return json.loads(
            decoded, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_without_repeats
        )
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise MalformedJsonError(f"the body is no JSON at {where}: {problem.msg}") from problem
    except MalformedJsonError:
        raise
    except ValueError as problem:  # a whole number of more digits than Python converts
        raise MalformedJsonError(f"the body holds a number that cannot be read: {problem}") from problem


def _depth(text: str) -> int:
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse_constant(name: str) -> float:
    raise MalformedJsonError(f"the body holds {name}, which is no JSON number; leave out readings that are not finite")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedJsonError(f"the body holds {text[:40]}, which is beyond the range of a double; leave it out")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJsonError(f"the body gives field {repeated[:80]!r} twice in one object; keep one")
    return document
