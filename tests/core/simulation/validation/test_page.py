"""docs/simulation.md shows what the comparisons wrote, and those held."""

import json
from pathlib import Path

from tests.core.simulation.validation.checks import Check, broken, table

DOCS = Path(__file__).parents[4] / "docs"


def test_the_page_shows_what_was_computed_and_every_row_holds() -> None:
    """The page's table is that of the JSON file, all rows are within tolerance, and every plot is there."""
    document = json.loads((DOCS / "figures" / "simulation.json").read_text(encoding="utf-8"))
    checks = [Check(**row) for row in document["checks"]]
    page = (DOCS / "simulation.md").read_text(encoding="utf-8")
    assert len(checks) > 40
    assert broken(checks) == []
    assert table(checks) in page
    for plot in ("stationary", "transients", "storm"):
        assert f"figures/{plot}.png" in page
        assert (DOCS / "figures" / f"{plot}.png").stat().st_size > 10_000
