"""JSON bodies: what is refused before any contract sees it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm_api.bodies import parse_json
from opswm_api.problems import ProblemError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | FINITE | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def depth_of(document: object) -> int:
    """How deep arrays and objects nest, counted by walking."""
    if isinstance(document, dict):
        return 1 + max(map(depth_of, document.values()), default=0)
    if isinstance(document, list):
        return 1 + max(map(depth_of, document), default=0)
    return 0


@given(DOCUMENTS)
def test_every_finite_document_comes_through_unchanged(document: object) -> None:
    """Whatever JSON can say in finite numbers is parsed to the same value."""
    assert parse_json(json.dumps(document).encode(), max_depth=30) == document


@given(DOCUMENTS, st.booleans())
def test_depth_limit_is_exact(document: object, ascii_only: bool) -> None:
    """A document is taken at its own depth and refused one below, whatever brackets its strings hold."""
    text = json.dumps({'[{"\\': document, "]": '[[[["'}, ensure_ascii=ascii_only).encode()
    depth = 1 + depth_of(document)
    parse_json(text, max_depth=depth)
    with pytest.raises(ProblemError, match=f"{depth} levels deep"):
        parse_json(text, max_depth=depth - 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "1e999"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        (b'{"a": ', "line 1, column 7"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "100000 levels"),
        (b"[" + b"9" * 5_000 + b"]", "number that cannot be read"),
    ],
)
def test_what_is_no_finite_shallow_json_is_refused_with_its_place(text: bytes, message: str) -> None:
    """NaN, infinities, overflow, repeated keys, broken, foreign and deep text are refused with 422, saying why."""
    with pytest.raises(ProblemError, match=message) as refused:
        parse_json(text, max_depth=32)
    assert refused.value.status_code == 422
