"""A process whose system calls are watched: makes a store, appends to it, and says of each batch that it is kept."""

import os
import sys
from pathlib import Path

from opswm.store.open import open_store
from tests.core.store.ingest_log.appender import made


def main(folder: Path, first: int, number: int) -> None:
    """Append batches to a store in a folder and write a line for each."""
    store = open_store(folder)
    for count in range(first, first + number):
        batch = made(f"b{count}")
        kept = store.telemetry.append_metrics(batch.system, batch.table, batch.batch_id)
        os.write(sys.stdout.fileno(), f"kept {kept}\n".encode())
    os._exit(0)  # without closing: what was acknowledged must not need it


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
