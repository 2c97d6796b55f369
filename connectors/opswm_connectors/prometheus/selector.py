"""Plain selectors such as ``http_requests_total{service="web"}``: what has raw samples, unlike an expression."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_MATCHER: Final = r"""[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)"""
_SELECTOR: Final = re.compile(
    rf"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{{\s*(?P<inner>{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*,?)?\s*\}})?\s*"
)
_EQUAL: Final = re.compile(r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"([^"\\\x00-\x1f]+)"\s*,?""")
_META: Final = re.compile(r"[.+*?()|\[\]{}^$]")
_WORDS: Final = frozenset({"nan", "inf"})
"""Numbers of PromQL that look like names."""


@dataclass(frozen=True)
class Selector:
    """A metric and labels that must be equal, which can be asked for together with others like it.

    Attributes:
        name: Of the metric.
        labels: Label values by name, in order of names.
    """

    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Question:
    """What one request asks for, and whose series is whose.

    Attributes:
        expression: In PromQL.
        label: By which label series are told apart; empty where there is one channel only.
        owners: Channel ids by that label's value.
    """

    expression: str
    label: str
    owners: Mapping[str, tuple[str, ...]]

    def owner(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the channels that a series with these labels is of."""
        return self.owners.get(labels.get(self.label, "") if self.label else "", ())


def is_plain(query: str) -> bool:
    """Return whether a query selects series and does nothing with them, so that it can be asked for raw samples."""
    found = _SELECTOR.fullmatch(query)
    if found is None or (found["name"] is None and found["inner"] is None):
        return False
    return (found["name"] or "").lower() not in _WORDS


def equalities(query: str) -> Selector | None:
    """Return a plain selector in parts, or None where it has more than a name and labels with plain values."""
    found = _SELECTOR.fullmatch(query)
    if found is None or found["name"] is None or not is_plain(query):
        return None
    inner, labels, place = (found["inner"] or "").strip(), {}, 0
    while place < len(inner):
        label = _EQUAL.match(inner, place)
        if label is None or label[1] in labels or label[1] == "__name__":
            return None
        labels[label[1]] = label[2]
        place = label.end()
    return Selector(found["name"], tuple(sorted(labels.items())))


def together(queries: Mapping[str, str], at_most: int) -> list[Question]:
    """Return as few questions as ask for all channels: selectors that differ in one label's value become one.

    Args:
        queries: Plain selectors by channel id.
        at_most: Most values in one question.
    """
    parts = {query: equalities(query) for query in set(queries.values())}
    asking: dict[str, list[str]] = {}
    for channel_id, query in queries.items():
        asking.setdefault(query, []).append(channel_id)
    alone = [query for query, selector in parts.items() if selector is None or not selector.labels]
    split = {query: selector for query, selector in parts.items() if selector is not None and selector.labels}
    questions = [Question(query, "", {"": tuple(asking[query])}) for query in alone]
    for label, alike in _families(split):
        for first in range(0, len(alike), at_most):
            questions.append(_joined(label, alike[first : first + at_most], split, asking))
    return sorted(questions, key=lambda question: question.expression)


def _families(selectors: Mapping[str, Selector]) -> Iterable[tuple[str, list[str]]]:
    """Return groups of queries with the label that alone tells their members apart, largest families first."""
    families: dict[tuple[str, Selector], list[str]] = {}
    for query, selector in selectors.items():
        for label, _ in selector.labels:
            rest = tuple(pair for pair in selector.labels if pair[0] != label)
            families.setdefault((label, Selector(selector.name, rest)), []).append(query)
    done: set[str] = set()
    for (label, _), members in sorted(families.items(), key=lambda item: (-len(item[1]), item[0][0], min(item[1]))):
        left = sorted(query for query in members if query not in done)
        done.update(left)
        if left:
            yield label, left


def _joined(
    label: str, alike: Sequence[str], selectors: Mapping[str, Selector], asking: Mapping[str, list[str]]
) -> Question:
    values = {query: dict(selectors[query].labels)[label] for query in alike}
    first = selectors[alike[0]]
    matchers = [f'{name}="{value}"' for name, value in first.labels if name != label]
    if len(alike) == 1:
        matchers.append(f'{label}="{values[alike[0]]}"')
    else:
        matchers.append(f'{label}=~"{"|".join(_quoted(value) for value in sorted(set(values.values())))}"')
    owners: dict[str, tuple[str, ...]] = {}
    for query in alike:
        owners[values[query]] = (*owners.get(values[query], ()), *asking[query])
    return Question(f"{first.name}{{{','.join(matchers)}}}", label, owners)


def _quoted(value: str) -> str:
    """Return a value as a regular expression of RE2 inside a quoted string, which undoes one backslash of two."""
    return _META.sub(r"\\\\\g<0>", value)
