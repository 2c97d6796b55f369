"""Action facts in and out of the database, and what is asked of a fact before it is stored."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select

from opswm.errors import BadInputError, NotFoundError
from opswm.store.action_facts import ActionFact, fold
from opswm.store.ledger_tables import ACTION_FACTS, to_microseconds
from opswm.store.system_rows import key_of, lock_system, take_numbers, within
from opswm_schemas.actions.record import Action
from opswm_schemas.ports import SystemKey

Requirement = Callable[[str, Action | None, Sequence[ActionFact]], None]
"""Raises unless facts may be added to an action, given its id, what is known of it, and the facts."""

_COLUMNS = ACTION_FACTS.c
_MOST: Final = {"transition": 1_000, "approval": 100}
"""What the contract of an action has room for."""


def add_facts(
    connection: Connection, system: SystemKey, action_id: str, facts: Sequence[ActionFact], require: Requirement
) -> Action:
    """Append the facts that are not stored yet.

    Returns:
        The action folded from everything known about it.

    Raises:
        NotFoundError: When the system is not registered.
        Exception: Whatever ``require`` raises.
    """
    lock_system(connection, system)
    known = read_facts(connection, system, action_id)
    require(action_id, fold(known), facts)
    _require_room(action_id, known, facts)
    stored = {(fact.kind, fact.digest) for fact in known}
    new = {(fact.kind, fact.digest): fact for fact in facts if (fact.kind, fact.digest) not in stored}
    if new:
        numbers = take_numbers(connection, system, len(new))
        added = [replace(fact, sequence=number) for fact, number in zip(new.values(), numbers, strict=True)]
        key = {**key_of(system), "action_id": action_id}
        rows = [{**key, **asdict(fact), "digest": fact.digest} for fact in added]
        connection.execute(insert(ACTION_FACTS), rows)
        known += added
    found = fold(known)
    if found is None:
        raise NotFoundError(f"action {action_id!r} is not known; send its record first")
    return found


def read_facts(connection: Connection, system: SystemKey, action_id: str) -> list[ActionFact]:
    """Return all facts of one action, in the order they were stored."""
    query = select(ACTION_FACTS).where(within(ACTION_FACTS, system), _COLUMNS.action_id == action_id)
    return [_fact(row) for row in connection.execute(query.order_by(_COLUMNS.sequence))]


def read_actions(connection: Connection, system: SystemKey, as_of: datetime) -> list[Action]:
    """Return every action of which something was known at a moment, by when it first was, then by id."""
    known = or_(_COLUMNS.kind == "record", _COLUMNS.known_at_us <= to_microseconds(as_of))
    query = select(ACTION_FACTS).where(within(ACTION_FACTS, system), known).order_by(_COLUMNS.action_id)
    rows = groupby(connection.execute(query), key=lambda row: row.action_id)
    found = [action for _, facts in rows if (action := fold(map(_fact, facts), as_of)) is not None]
    return sorted(found, key=lambda action: (_first_known(action), action.action_id))


def last_known(connection: Connection, system: SystemKey, as_of: datetime) -> int:
    """Return the number of the last fact about actions that a reading "as of" a moment rests on, 0 before the first."""
    moment = to_microseconds(as_of)
    columns = (_COLUMNS.action_id, _COLUMNS.kind, _COLUMNS.known_at_us, _COLUMNS.sequence)
    rows = connection.execute(select(*columns).where(within(ACTION_FACTS, system)).order_by(_COLUMNS.action_id))
    last = 0
    for _, facts in groupby(rows, key=lambda row: row.action_id):
        heads: list[tuple[int, int]] = []
        dated: list[int] = []
        complete: list[int] = []
        for row in facts:
            if row.kind == "record":
                heads.append((row.known_at_us, row.sequence))
            if row.known_at_us <= moment:
                (complete if row.kind == "record" else dated).append(row.sequence)
        if dated:  # where no record was complete by then, the earliest is read without its outcome
            last = max(last, *dated, *(complete or [min(heads)[1]] if heads else []))
    return last


def _require_room(action_id: str, known: Sequence[ActionFact], facts: Sequence[ActionFact]) -> None:
    for kind, most in _MOST.items():
        count = len({fact.digest for fact in (*known, *facts) if fact.kind == kind})
        if count > most:
            raise BadInputError(
                f"action {action_id!r} would have {count} facts of kind {kind!r}, the most is {most}; "
                "check whether its source reports the same status over and over"
            )


def _first_known(action: Action) -> datetime:
    dated: Iterable[datetime] = [fact.known_at for fact in (*action.transitions, *action.approvals)]
    return min(dated)


def _fact(row: Any) -> ActionFact:
    return ActionFact(row.kind, row.known_at_us, row.document, row.sequence, row.asked, row.approvals_needed)


def require_dated(action_id: str, known: Action | None, facts: Sequence[ActionFact]) -> None:
    """Require that a new action comes with a moment at which something was known about it."""
    if known is None and all(fact.kind == "record" for fact in facts):
        raise BadInputError(
            f"action {action_id!r} has no transition and no approval, so nobody can tell when it happened; "
            "give at least one"
        )


def require_known(action_id: str, known: Action | None, facts: Sequence[ActionFact]) -> None:
    """Require that the action is known."""
    if known is None:
        raise NotFoundError(f"action {action_id!r} is not known; send its record first")


def require_new(action_id: str, known: Action | None, facts: Sequence[ActionFact]) -> None:
    """Require that the action is not known yet."""
    if known is not None:
        raise BadInputError(f"action {action_id!r} is known already and is {known.status!r}; request it under a new id")
