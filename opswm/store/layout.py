"""What a store's folder holds, by name."""

from pathlib import Path
from typing import Final

LEDGER_FILE: Final = "ledger.sqlite"
LOG_FILE: Final = "ingest.sqlite"
METRICS_TABLE: Final = Path("tables") / "metrics"
FORMER_TABLE: Final = Path("metrics")
"""Where opswm 0.1 kept its table, which went through no ingest log; opening the store moves it."""
