"""What a backup says of itself: written last into the archive, and checked against everything in it."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field

from opswm_schemas.base import Closed, ShortText, UtcDatetime, Whole

MANIFEST: Final = "manifest.json"
LEDGER_FOLDER: Final = "ledger"
"""Where the ledger's tables are in an archive."""

TableFolder = Literal["tables/metrics", "metrics"]
TABLE_FOLDERS: Final[tuple[TableFolder, ...]] = ("tables/metrics", "metrics")
"""Folders of a store that hold Delta tables: today's, and the one of opswm 0.1, which opening the store moves."""

_MEMBER: Final = re.compile(r"(ledger/[a-z_]+\.jsonl|ingest\.sqlite|(tables/)?metrics/[^\x00-\x1f\\]+)")

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[Whole, Field(ge=0)]


class Member(Closed):
    """One file in the archive.

    Attributes:
        sha256: Of its content, as hexadecimal digits.
    """

    name: Annotated[str, Field(max_length=2_000)]
    size_bytes: Count
    sha256: Digest

    @property
    def is_in_place(self) -> bool:
        """Whether it is one of the files a backup has, and stays below the folder it is unpacked to."""
        return _MEMBER.fullmatch(self.name) is not None and not {"", ".", ".."} & set(self.name.split("/"))


class LedgerPart(Closed):
    """The ledger in a backup, one file of JSON Lines per table.

    Attributes:
        revision: Of the database that it was taken from.
        num_rows: Of each table.
    """

    revision: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    num_rows: Annotated[dict[str, Count], Field(max_length=100)]


class TablePart(Closed):
    """One version of a Delta table in a backup, with the table's log up to it.

    Attributes:
        folder: Within the store.
        num_parts: Parquet files of that version.
        num_rows: Readings in them.
    """

    folder: TableFolder
    version: Count
    num_parts: Count
    num_rows: Count


class LogPart(Closed):
    """The ingest log in a backup.

    Attributes:
        end: Its last offset.
    """

    end: Count


class Manifest(Closed):
    """A backup.

    Attributes:
        software: The version of opswm that wrote it.
        log: None where the store had none.
        members: Every other file in the archive.
    """

    format: Literal["opswm-backup"] = "opswm-backup"
    version: Literal[1] = 1
    created_at: UtcDatetime
    software: ShortText
    ledger: LedgerPart
    tables: Annotated[list[TablePart], Field(max_length=2)]
    log: LogPart | None
    members: list[Member]
