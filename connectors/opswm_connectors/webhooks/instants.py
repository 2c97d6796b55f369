"""Instants as sources write them: RFC 3339 with an offset, with up to nine digits of a second."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from opswm_schemas.base import EARLIEST, LATEST

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
