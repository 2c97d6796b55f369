"""Units are checked and converted by UCUM, and the common ones without loading its grammar."""

import subprocess
import sys

import pytest

from opswm_schemas import units
from opswm_schemas.units import UnitError, check_convertible, conversion_factor, counter_rate_unit


@pytest.mark.parametrize(
    ("unit", "to_unit", "factor"),
    [
        ("ms", "s", 1e-3),
        ("us", "s", 1e-6),
        ("ns", "ms", 1e-6),
        ("%", "1", 0.01),
        ("MiBy", "By", 2.0**20),
        ("bit", "By", 0.125),
        ("{request}/min", "{request}/s", 1 / 60),
        ("/h", "1/s", 1 / 3_600),
        ("{replica}", "1", 1.0),
        ("By/ms", "KiBy/s", 1_000 / 1_024),
        ("ms/{request}", "s", 1e-3),
        ("s/s", "1", 1.0),
        ("", "1", 1.0),
    ],
)
def test_common_conversions(unit: str, to_unit: str, factor: float) -> None:
    """Common units convert by the expected factor."""
    assert conversion_factor(unit, to_unit) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(("unit", "to_unit", "factor"), [("ks", "s", 1e3), ("kPa", "Pa", 1e3), ("10*3.ms", "s", 1.0)])
def test_rare_conversions(unit: str, to_unit: str, factor: float) -> None:
    """Units beyond the common ones convert through the UCUM grammar."""
    assert conversion_factor(unit, to_unit) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "to_unit"),
    [
        ("By", "s"),
        ("By", "1"),
        ("{request}", "{request}/s"),
        ("s", "1"),
        ("kPa", "By"),
        ("Cel", "K"),
        ("K", "Cel"),
        ("seconds", "s"),
        ("requests", "1"),
        ("s.", "s"),
        ("MB", "By"),
    ],
)
def test_impossible_conversions_name_both_units(unit: str, to_unit: str) -> None:
    """A conversion between dimensions, with an offset, or of a unit that is none is refused, naming both units."""
    with pytest.raises(UnitError) as refusal:
        conversion_factor(unit, to_unit)
    assert repr(unit) in str(refusal.value)
    assert repr(to_unit) in str(refusal.value)


@pytest.mark.parametrize("unit", sorted(units._COMMON))
def test_common_units_agree_with_the_grammar(unit: str) -> None:
    """The sizes kept here are those that the UCUM grammar gives."""
    dimension, size = units._COMMON[unit]
    base = {"": "1", "time": "s", "information": "By"}[dimension]
    assert units._uncommon_factor(unit, base) == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "canonical"), [("{request}", "{request}/s"), ("s", "1"), ("By", "By/s"), ("ms", "1"), ("1", "1/s")]
)
def test_counters_are_counted_per_second(unit: str, canonical: str) -> None:
    """The rate of a counter has its unit per second."""
    check_convertible(unit, canonical, per_second=True)
    with pytest.raises(UnitError):
        check_convertible(unit, f"{canonical}/s", per_second=True)


def test_the_rate_of_a_count_is_per_second() -> None:
    """A counter of annotated things becomes a plain rate."""
    assert counter_rate_unit("{request}") == "1/s"
    assert counter_rate_unit("By") == "By/s"


def test_the_grammar_is_loaded_only_when_needed() -> None:
    """Reading a descriptor with common units loads neither the UCUM grammar nor a JSON Schema validator."""
    code = (
        "import sys; from opswm_schemas.examples.system import descriptor; descriptor();"
        "print(sorted({'ucumvert', 'pint', 'jsonschema', 'polars', 'torch', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
