"""Instants and durations as sources write them: RFC 3339 with an offset, and Go's ``1m30s``."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from opswm_schemas.base import EARLIEST, LATEST

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|us|ns|h|m|s)")
_UNIT_S: Final = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[-+]\d\d:\d\d)")


def instant(value: Any) -> datetime | None:
    """Return an instant, or None where there is none that can be meant.

    Args:
        value: RFC 3339 text; digits beyond the microsecond are cut. Sources write the year 1 for "not yet".
    """
    found = _RFC3339.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 64 else None
    if found is None:
        return None
    whole, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{whole}{(fraction or '.0')[:7].ljust(7, '0')}{offset.upper()}").astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def duration_s(value: Any) -> float | None:
    """Return a duration in seconds from text such as ``1m30s`` or ``250ms`` (Go's ``time.Duration``), or None.

    Args:
        value: Anything out of a document.
    """
    if not isinstance(value, str) or len(value) > 40:
        return None
    parts = _DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)
