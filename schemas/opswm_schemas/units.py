"""Units of measure: UCUM codes checked and converted, the rare ones through ``ucumvert`` and ``pint``.

UCUM (https://ucum.org, version 2.2) is what OpenTelemetry writes its units in; ``{request}`` and the like
are annotations, which carry no dimension. The units that telemetry commonly uses are converted here, because
loading the full UCUM grammar takes a second that a descriptor with milliseconds in it should not cost.
"""

import re
from functools import cache
from typing import Any, Final

_ANNOTATION: Final = re.compile(r"\{[^{}]*\}")
_INFORMATION: Final = re.compile(r"By|bit|Bd")

_COMMON: Final[dict[str, tuple[str, float]]] = {
    "1": ("", 1.0),
    "%": ("", 0.01),
    "ns": ("time", 1e-9),
    "us": ("time", 1e-6),
    "ms": ("time", 1e-3),
    "s": ("time", 1.0),
    "min": ("time", 60.0),
    "h": ("time", 3_600.0),
    "d": ("time", 86_400.0),
    "bit": ("information", 0.125),
    "By": ("information", 1.0),
    "kBy": ("information", 1e3),
    "MBy": ("information", 1e6),
    "GBy": ("information", 1e9),
    "TBy": ("information", 1e12),
    "KiBy": ("information", 2.0**10),
    "MiBy": ("information", 2.0**20),
    "GiBy": ("information", 2.0**30),
    "TiBy": ("information", 2.0**40),
}
"""Dimension of each common unit and its size in the base unit of that dimension (1, s, By)."""


class UnitError(ValueError):
    """A unit that UCUM does not know, or that cannot become the one asked for."""


@cache
def conversion_factor(unit: str, to_unit: str) -> float:
    """Return the number that a value in ``unit`` is multiplied by to be in ``to_unit``.

    Args:
        unit: A UCUM code such as ``ms``, ``%``, ``MiBy`` or ``{request}/min``.
        to_unit: Another UCUM code of the same dimension.

    Raises:
        UnitError: When either is no UCUM code, or their dimensions differ, or the conversion has an offset
            (degrees Celsius to kelvin), which no canonical meaning needs.
    """
    bare, to_bare = _bare(unit), _bare(to_unit)
    common, to_common = _common(bare), _common(to_bare)
    if common is None or to_common is None:
        return _uncommon_factor(unit, to_unit)
    if common[0] != to_common[0]:
        raise UnitError(
            f"unit {unit!r} cannot be converted to {to_unit!r}: {_dimension(common)} is not {_dimension(to_common)}"
        )
    return common[1] / to_common[1]


def check_convertible(unit: str, canonical: str, *, per_second: bool = False) -> None:
    """Check that readings in ``unit`` can become ``canonical``.

    Args:
        unit: The unit of the source.
        canonical: The unit wanted.
        per_second: True for counters: their rate is per second, so ``{request}`` becomes ``{request}/s``.

    Raises:
        UnitError: When it cannot.
    """
    conversion_factor(counter_rate_unit(unit) if per_second else unit, canonical)


def counter_rate_unit(unit: str) -> str:
    """Return the unit of the per-second rate of a counter counted in ``unit``."""
    bare = _bare(unit)
    return "1/s" if bare == "1" else f"{bare}/s"


def _bare(unit: str) -> str:
    """Return the unit without annotations: ``{request}/s`` is ``1/s``, ``{request}`` is ``1``."""
    bare = _ANNOTATION.sub("", unit.strip())
    if bare.startswith("/"):
        bare = "1" + bare
    return re.sub(r"/(?=/|$)", "/1", bare) or "1"


def _common(bare: str) -> tuple[tuple[str, str], float] | None:
    """Return the dimensions above and below the stroke, and the size, of a common unit; None for any other."""
    above, stroke, below = bare.partition("/")
    if above not in _COMMON or (stroke and below not in _COMMON):
        return None
    dimension, size = _COMMON[above]
    per_dimension, per_size = _COMMON[below] if stroke else ("", 1.0)
    return (("", "") if dimension == per_dimension else (dimension, per_dimension)), size / per_size


def _dimension(common: tuple[tuple[str, str], float]) -> str:
    above, below = common[0]
    return f"{above or 'a plain number'} per {below}" if below else above or "a plain number"


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry  # a second of start-up that most commands never need

    return PintUcumRegistry()


def _uncommon_factor(unit: str, to_unit: str) -> float:
    bare, to_bare = _bare(unit), _bare(to_unit)
    if bool(_INFORMATION.search(bare)) != bool(_INFORMATION.search(to_bare)):
        raise UnitError(f"unit {unit!r} cannot be converted to {to_unit!r}: one counts information, the other does not")
    try:
        registry = _registry()
        source, target = registry.from_ucum(bare), registry.from_ucum(to_bare)
        zero = (source * 0).to(target.units).magnitude
        if zero:
            raise UnitError(f"unit {unit!r} has another zero than {to_unit!r}; convert it at the source")
        return float((source / target).to("dimensionless").magnitude)
    except UnitError:
        raise
    except Exception as problem:  # the parser and pint raise many kinds, all meaning the same to a user
        raise UnitError(
            f"unit {unit!r} cannot be converted to {to_unit!r} (both must be UCUM codes of one dimension, such as "
            f"'ms' to 's', '%' to '1', 'MiBy' to 'By'): {type(problem).__name__}"
        ) from problem
