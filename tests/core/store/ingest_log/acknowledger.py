"""A process whose system calls are watched: appends so many batches in turn and says of each that it is kept."""

import os
import sys
from pathlib import Path

from opswm.errors import StoreError
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from tests.core.store.ingest_log.appender import CONFIG, made


def main(folder: Path, first: int, number: int) -> None:
    """Append batches and write a line for each: its offset, or that it was not kept."""
    log = SqliteIngestLog(folder / "ingest.sqlite", CONFIG)
    for count in range(first, first + number):
        try:
            answer = f"kept {log.append([made(f'b{count}')])[0]}\n"
        except StoreError as problem:
            answer = f"not kept: {problem}\n"
        os.write(sys.stdout.fileno(), answer.encode())
    os._exit(0)  # without closing: what was acknowledged must not need it


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
