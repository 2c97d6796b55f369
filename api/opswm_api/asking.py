"""Who answers a question put on the command line: a recording read into memory, or a system in a store."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from opswm.clock import SystemClock
from opswm.errors import BadInputError
from opswm.planning.rank import RankingPolicy
from opswm_api.advisor import Advisor
from opswm_api.mind import load_mind
from opswm_api.storing import store_recording
from opswm_api.wiring import folder_store, memory_store
from opswm_schemas.base import UtcDatetime
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey

_INSTANT: Final[TypeAdapter[datetime]] = TypeAdapter(UtcDatetime)


@dataclass(frozen=True)
class Asked:
    """A system that questions can be put about.

    Attributes:
        advisor: Who answers.
        descriptor: The system.
        at: The moment asked about.
    """

    advisor: Advisor
    descriptor: SystemDescriptor
    at: datetime


@dataclass(frozen=True)
class Subject:
    """What a verb was asked about.

    Attributes:
        recording: A recording, or
        system: a system in the store.
        store: The store's folder.
        tenant: Whose system.
        at: The moment asked about, as it was typed; the end of the recording, or now, where left out.
        checkpoint: The world model; the shipped one where left out.
        database: URL of the ledger's database, where it is not in the store's folder.
    """

    recording: Path | None
    system: str | None
    store: Path
    tenant: str
    at: str | None
    checkpoint: Path | None
    database: str | None = None


@contextmanager
def asked(subject: Subject, policy: RankingPolicy | None = None, torch_threads: int = 2) -> Iterator[Asked]:
    """Open what a question is about.

    Args:
        subject: What was asked about.
        policy: How cautious rankings are.
        torch_threads: Processor threads that an answer may use.

    Raises:
        BadInputError: When neither or both of recording and system are named, or the moment cannot be read.
        RecordingError: When the recording cannot be used.
        NotFoundError: When there is no such store or system.
        CheckpointError: When the world model cannot be read.
    """
    if (subject.recording is None) == (subject.system is None):
        raise BadInputError("name either a recording or --system, one of them")
    at = None if subject.at is None else read_instant(subject.at)
    with ExitStack() as opened:
        if subject.recording is not None:
            store = opened.enter_context(memory_store())
            receipt = store_recording(store, subject.recording)
            key, moment = SystemKey(receipt.tenant_id, receipt.system_id), at or receipt.until
        else:
            store = opened.enter_context(folder_store(subject.store, database=subject.database, create=False))
            key, moment = SystemKey(subject.tenant, str(subject.system)), at or SystemClock().now()
        descriptor = store.ledger.descriptor(key, as_of=moment)
        mind = load_mind(subject.checkpoint, torch_threads)
        yield Asked(Advisor(store, mind, SystemClock(), key.tenant_id, policy), descriptor, moment)


def read_instant(text: str) -> datetime:
    """Return an instant that somebody typed.

    Raises:
        BadInputError: When it is none, or has no time zone.
    """
    try:
        return _INSTANT.validate_strings(text)
    except ValidationError as problem:
        why = str(problem.errors()[0]["msg"]).removeprefix("Value error, ")
        raise BadInputError(f"{text!r} is no instant: {why}; write one such as 2025-03-01T12:00:00Z") from problem
