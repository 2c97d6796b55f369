"""The command line ``opswm``: one verb per module of ``opswm_api.commands``.

Exit codes: 0 recommend or done, 2 bad input (the message says where, what is allowed and what to do),
3 inconclusive, 4 a damaged store (``opswm doctor``). Answers go to stdout and errors to stderr, both as JSON with
``--json``.
"""

import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from opswm.errors import BadInputError, OpswmError
from opswm_api import console
from opswm_api.commands import (
    backup,
    bench,
    demo,
    describe,
    doctor,
    estimate,
    import_recordings,
    ingest,
    rank,
    serve,
    simulate,
    train,
    whatif,
)
from opswm_api.commands import version as version_verb
from opswm_schemas.actions.lifecycle import LifecycleError
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.units import UnitError

_BAD_INPUT = (
    OpswmError,
    RecordingError,
    LifecycleError,
    UnitError,
    ValidationError,
    SettingsError,
    OSError,
    OverflowError,
)


def build_cli() -> typer.Typer:
    """Return the command line with all its verbs."""
    app = typer.Typer(
        name="opswm",
        help="What happens if I do X? Ranked interventions with honest uncertainty for production systems.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.command("demo")(demo.demo)
    app.command("serve")(serve.serve)
    app.command("backup")(backup.backup)
    app.command("restore")(backup.restore)
    app.command("import")(import_recordings.import_recordings)
    app.command("ingest")(ingest.ingest)
    app.command("describe")(describe.describe)
    app.command("doctor")(doctor.doctor)
    app.command("estimate")(estimate.estimate)
    app.command("simulate")(simulate.simulate)
    app.command("train")(train.train)
    app.command("rank")(rank.rank)
    app.command("whatif")(whatif.whatif)
    app.add_typer(bench.bench, name="bench")
    app.command("version")(version_verb.version)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and exit with its code.

    Args:
        arguments: As on the command line, without the program's name; the process's own where left out.

    Raises:
        SystemExit: Always, with the exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        # With --json, errors in the command line itself are ours to print, too.
        code = build_cli()(args=given, prog_name="opswm", standalone_mode=not as_json)
        sys.exit(code if isinstance(code, int) else 0)
    except console.UsageError as problem:
        console.print_error(problem, as_json=as_json)
        sys.exit(console.BAD_INPUT)
    except ModuleNotFoundError as problem:
        if problem.name is None or problem.name.startswith("opswm"):
            raise
        needed = BadInputError(f"this verb needs {problem.name!r}; install opswm[all]")
        console.print_error(needed, as_json=as_json)
        sys.exit(console.BAD_INPUT)
    except _BAD_INPUT as problem:
        if isinstance(problem, BrokenPipeError):
            sys.exit(0)
        console.print_error(problem, as_json=as_json)
        sys.exit(console.BAD_INPUT)
