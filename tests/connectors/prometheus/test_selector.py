"""Which queries have raw samples, and which may be asked for together."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm_connectors.prometheus.selector import Question, is_plain, together


@pytest.mark.parametrize(
    "query",
    [
        "up",
        'up{job="api"}',
        'node:cpu:rate5m { job = "api" , instance != "a" , }',
        '{__name__=~"http_.+",path!~"/internal/.*"}',
        "up{job='it''s'}".replace("''", "\\'"),
        "up{path=`C:\\temp`}",
        'up{quoted="say \\"hi\\", {x}"}',
        "  up  ",
        "up{}",
    ],
)
def test_selectors_are_plain(query: str) -> None:
    """A metric, matchers or both, with any quotes and spaces, select series and do nothing with them."""
    assert is_plain(query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{}",
        "sum(up)",
        "up[5m]",
        "up offset 5m",
        "up @ 1609746000",
        'up{job="api"} > 0',
        "up + up",
        "-up",
        "42",
        "NaN",
        "Inf",
        'up{job="api"',
        'up{job="a"} or up{job="b"}',
        'label_replace(up, "a", "$1", "b", "(.*)")',
    ],
)
def test_everything_else_is_an_expression(query: str) -> None:
    """Whatever computes, shifts or combines has no samples of its own."""
    assert not is_plain(query)


def test_selectors_that_differ_in_one_label_are_asked_together() -> None:
    """One request instead of three; values are quoted for a regular expression inside a quoted string."""
    queries = {f"c{number}": f'up{{job="api",path="{path}"}}' for number, path in enumerate(("/a.b", "/c+", "/a|b"))}
    found = together(queries, 64)
    assert found == [
        Question(
            r'up{job="api",path=~"/a\\.b|/a\\|b|/c\\+"}', "path", {"/a.b": ("c0",), "/c+": ("c1",), "/a|b": ("c2",)}
        )
    ]
    assert found[0].owner({"job": "api", "path": "/c+", "pod": "x"}) == ("c1",)
    assert found[0].owner({"job": "api", "path": "/other"}) == ()


def test_each_kind_of_selector_stays_with_its_own() -> None:
    """Other metrics, other label names, regular expressions and no labels at all are asked for apart."""
    queries = {
        "a": 'up{job="a"}',
        "b": 'up{job="b"}',
        "b again": 'up{job="b"}',
        "other metric": 'down{job="a"}',
        "other label": 'up{pod="a"}',
        "expression": 'up{job=~"x|y"}',
        "bare": "up",
    }
    found = {question.expression: dict(question.owners) for question in together(queries, 64)}
    assert found == {
        'up{job=~"a|b"}': {"a": ("a",), "b": ("b", "b again")},
        'up{job=~"x|y"}': {"": ("expression",)},
        'down{job="a"}': {"a": ("other metric",)},
        'up{pod="a"}': {"a": ("other label",)},
        "up": {"": ("bare",)},
    }


def test_no_question_is_for_more_series_than_allowed() -> None:
    """A family of ten is asked for in four requests of at most three."""
    found = together({f"c{number}": f'up{{job="j{number}"}}' for number in range(10)}, 3)
    assert sorted(len(question.owners) for question in found) == [1, 3, 3, 3]


VALUES = st.text(st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters='"\\'), min_size=1, max_size=6)


@given(
    channels=st.dictionaries(
        st.integers(0, 30).map(str),
        st.tuples(st.sampled_from(["up", "down"]), st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)),
        max_size=12,
    ),
    at_most=st.integers(1, 5),
)
def test_every_channel_gets_its_own_series_and_no_other(
    channels: dict[str, tuple[str, dict[str, str]]], at_most: int
) -> None:
    """Whatever is asked together, exactly one question finds a channel's series, and says that it is the channel's."""
    queries = {
        channel: name
        + ("{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}" if labels else "")
        for channel, (name, labels) in channels.items()
    }
    questions = together(queries, at_most)
    for channel, (name, labels) in channels.items():
        found = [question for question in questions if selects(question, name, labels)]
        assert sum(channel in question.owner(labels) for question in found) == 1
        for question in found:
            for owner in question.owner(labels):
                assert channels[owner][0] == name
                assert channels[owner][1].items() <= labels.items()


def selects(question: Question, name: str, labels: dict[str, str]) -> bool:
    """Return whether a question's expression finds a series, as Prometheus would decide it."""
    asked, _, inner = question.expression.partition("{")
    if asked != name:
        return False
    matchers = re.findall(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"', inner)
    for label, operator, text in matchers:
        value = labels.get(label, "")
        meant = text.replace("\\\\", "\\")
        if not (re.fullmatch(meant, value) if operator == "=~" else meant == value):
            return False
    return True
