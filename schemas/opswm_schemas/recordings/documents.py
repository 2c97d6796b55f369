"""JSON documents and JSON Lines of a recording: bytes to records and back, every problem with its place."""

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from opswm_schemas.recordings.problem import Problem

Record = TypeVar("Record", bound=BaseModel)


def encode_document(document: BaseModel) -> bytes:
    """Return a document as indented JSON with a final newline."""
    return (document.model_dump_json(indent=2) + "\n").encode()


def encode_lines(records: Iterable[BaseModel]) -> bytes:
    """Return records as JSON Lines, one a line."""
    return "".join(record.model_dump_json() + "\n" for record in records).encode()


def decode_document(file: str, content: bytes, kind: type[Record]) -> tuple[Record | None, list[Problem]]:
    """Return the document in ``content``, or None and the problems that keep it from being one."""
    try:
        return kind.model_validate_json(content), []
    except ValidationError as error:
        return None, _problems(file, None, error)


def decode_lines(file: str, content: bytes, kind: type[Record]) -> tuple[dict[int, Record], list[Problem]]:
    """Return the valid records of a JSON Lines file by line number, and the problems of all other lines."""
    records: dict[int, Record] = {}
    problems: list[Problem] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            records[number] = kind.model_validate_json(line)
        except ValidationError as error:
            problems += _problems(file, number, error)
    return records, problems


def _problems(file: str, line: int | None, error: ValidationError) -> list[Problem]:
    found: list[Problem] = []
    for detail in error.errors(include_url=False, include_context=False):
        shown = detail["loc"] and detail["type"] not in {"missing", "json_invalid"}
        given = f" (given: {detail['input']!r:.80})" if shown else ""
        fix = "correct the JSON of this line" if detail["type"] == "json_invalid" else "correct the field at its source"
        place = ".".join(str(part) for part in detail["loc"])
        found.append(Problem(file=file, row=line, field=place, what=f"{detail['msg']}{given}", fix=fix))
    return found
