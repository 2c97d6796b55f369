"""How the command line speaks: answers on stdout, progress and errors on stderr."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from opswm.errors import BadInputError
from opswm_api.pointers import problem_items
from opswm_schemas.recordings.problem import RecordingError

DONE = 0
BAD_INPUT = 2
INCONCLUSIVE = 3
"""Exit codes of every verb: 0 advice given (an action, or to wait) or done, 2 bad input, 3 inconclusive."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON on stdout.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of all randomness; the same seed, the same answer.")]
StoreFolder = Annotated[
    Path, typer.Option("--store", "--data", envvar="OPSWM_STORE", help="Folder of ledger, ingest log and tables.")
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="OPSWM_DATABASE",
        help="URL of the ledger's database, postgresql://...; a file in the folder by default.",
    ),
]
CheckpointFolder = Annotated[
    Path | None,
    typer.Option("--checkpoint", envvar="OPSWM_CHECKPOINT", help="World model; the shipped one by default."),
]
RecordingPath = Annotated[Path | None, typer.Argument(help="A recording, folder or zip.")]
System = Annotated[str | None, typer.Option("--system", help="A stored system, instead of a recording.")]
Tenant = Annotated[str, typer.Option("--tenant", envvar="OPSWM_TENANT_ID", help="Whose system.")]
At = Annotated[str | None, typer.Option("--at", help="The decision, such as 2025-03-01T12:00:00Z; the end, or now.")]
Horizon = Annotated[int, typer.Option("--horizon", min=1, max=1_024, help="How many ticks to look ahead.")]


UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What a command line that cannot be read raises; typer carries its own copy of click and does not export it."""


class Advance(Protocol):
    """Reports progress."""

    def __call__(self, done: int, total: int | None, what: str = "") -> None:
        """Say how many are done, of how many where that is known, and which comes next."""
        ...


Document = TypeVar("Document")


def stdout() -> Console:
    """Return the console for answers; wide where it is no terminal of known width, so that tables are not folded."""
    console = Console(highlight=False)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=160)


def stderr() -> Console:
    """Return the console for progress and errors."""
    return Console(stderr=True, highlight=False)


def print_json(document: BaseModel | dict[str, Any] | list[Any]) -> None:
    """Print one JSON document on stdout.

    Args:
        document: A contract, or plain values.
    """
    plain = document.model_dump(mode="json", by_alias=True) if isinstance(document, BaseModel) else document
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False))


@contextmanager
def progress(label: str, unit: str = "") -> Iterator[Advance]:
    """Show a progress bar on stderr while long work runs; silent where stderr is no terminal.

    Args:
        label: What is being done.
        unit: What is counted.

    Yields:
        What work reports to.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    console = stderr()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)

        def advance(done: int, total: int | None, what: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{label} {what}".rstrip())

        yield advance


def require_writable(path: Path) -> None:
    """Check, before long work begins, that its result can be written; the folder is made where it is not there.

    Raises:
        BadInputError: When it cannot be.
    """
    if path.is_dir():
        raise BadInputError(f"{path} is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as problem:
        raise BadInputError(f"{path} cannot be written: {problem}; name a file in a folder of yours") from problem


def print_error(problem: Exception, *, as_json: bool) -> None:
    """Print on stderr what went wrong: in words, or as one line of JSON with ``error.kind`` and ``error.detail``.

    Args:
        problem: What went wrong; its notes say where.
        as_json: Whether a program asked.
    """
    detail = "\n".join([_detail(problem), *getattr(problem, "__notes__", [])])
    if not as_json:
        stderr().print(f"opswm: {detail}", markup=False, soft_wrap=True)
        return
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(problem).__name__.removesuffix("Error")).lower()
    document: dict[str, Any] = {"kind": kind, "detail": detail}
    if isinstance(problem, RecordingError):
        document["problems"] = [item.model_dump(mode="json") for item in problem.problems]
    typer.echo(json.dumps({"error": document}, ensure_ascii=False), err=True)


def _detail(problem: Exception) -> str:
    if isinstance(problem, ValidationError):
        errors = problem.errors(include_url=False)
        return "\n".join(f"{'.'.join(map(str, error['loc'])) or problem.title}: {error['msg']}" for error in errors)
    format_message = getattr(problem, "format_message", None)  # of an error in the command line
    return str(problem) if format_message is None else str(format_message())


def read_document(path: Path, kind: TypeAdapter[Document], given: Mapping[str, Any] | None = None) -> Document:
    """Read and validate a JSON document that a user names.

    Args:
        path: The file.
        kind: What it must hold.
        given: Fields that come from elsewhere; where the document has one of them too, its own counts.

    Raises:
        BadInputError: When it cannot be read or is not valid, saying where and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInputError(f"{path}: cannot be read as UTF-8 text: {problem}") from problem
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise BadInputError(f"{path}: is no JSON: {problem}") from problem
    if given is not None:
        if not isinstance(body, dict):
            raise BadInputError(f"{path}: holds a JSON {type(body).__name__}, give an object with named fields")
        body = {**given, **body}
    try:
        return kind.validate_python(body)
    except ValidationError as problem:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in problem.errors()]
        lines = [f"{path}: {item.pointer or ''} {item.detail}" for item in problem_items(errors, body)]
        raise BadInputError("\n".join(lines)) from problem


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number; leave it out")
