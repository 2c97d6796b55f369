"""Kubernetes quantities: ``500m`` cores, ``1.5Gi`` of memory."""

import re
from typing import Any, Final

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([-+]?[0-9]{1,2}))?([numkKMGTPE]?i?)")
_LONGEST: Final = 40
_FACTORS: Final = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def quantity(value: Any) -> float | None:
    """Return a quantity as a number of its base unit, or None where it is none.

    Source: Kubernetes API conventions, ``resource.Quantity``.

    Args:
        value: Text such as ``250m`` or ``2Gi``, or a number.
    """
    if isinstance(value, bool) or value is None:
        return None
    text = str(value)
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or found[3] not in _FACTORS:
        return None
    return float(f"{found[1]}e{found[2] or 0}") * _FACTORS[found[3]]
