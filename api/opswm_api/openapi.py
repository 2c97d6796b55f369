"""The OpenAPI document: completed from the app, exported to a file, and checked against it.

``python -m opswm_api.openapi [--check] api/openapi.json``
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from opswm_api.app import create_app
from opswm_api.settings import Settings


def export_openapi() -> str:
    """Return the OpenAPI 3.1 document of the service as deterministic JSON text."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    document = create_app(Settings.model_construct(**defaults)).openapi()  # whatever this environment sets
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the document, or check that a file still holds it.

    Args:
        arguments: As on the command line; the process's own where left out.

    Returns:
        0, or 1 when the file to check is missing or differs.
    """
    parser = argparse.ArgumentParser(prog="python -m opswm_api.openapi", description=__doc__)
    parser.add_argument("file", type=Path, help="the exported document, api/openapi.json")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the file differs")
    options = parser.parse_args(arguments)
    text = export_openapi()
    if not options.check:
        options.file.write_text(text, encoding="utf-8")
        return 0
    if options.file.is_file() and options.file.read_text(encoding="utf-8") == text:
        return 0
    print(f"{options.file} does not hold the service's OpenAPI document; run `make schemas`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
