"""Parquet tables of a recording: written with zstd, read only when they are what they claim to be.

A small Parquet file can decode to a very large table (dictionary and run-length encoding), so the rows that its
footer announces are bounded, and text is read as a dictionary whose entries are bounded too. The footer's column
chunks are left alone: pyarrow ends the process where their metadata is damaged. Files from strangers are best
validated in a process of their own (``opswm_schemas.recordings.apart``).
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opswm_schemas.columns import TABLES
from opswm_schemas.recordings.archive import ArchiveLimits
from opswm_schemas.recordings.manifest import TABLE_FILES
from opswm_schemas.recordings.problem import Problem, RecordingError

_FOREIGN: Final = "write it with RecordingWriter, or with the columns of opswm_schemas.columns"


def encode_table(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file; the same table gives the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", coerce_timestamps="us", row_group_size=1 << 20, version="2.6")
    return bytes(sink.getvalue())


def decode_table(kind: str, content: bytes, limits: ArchiveLimits) -> pa.Table:
    """Return the table of a Parquet file with exactly the columns of its kind.

    Args:
        kind: ``metrics``, ``logs`` or ``spans``.
        content: The bytes of the file.
        limits: How much it may announce and hold.

    Raises:
        RecordingError: When it is truncated, no Parquet file, announces more than the limits, or its columns
            differ; every differing column is named.
    """
    name, schema = TABLE_FILES[kind], TABLES[kind]
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    try:
        source = pa.BufferReader(content)
        with pq.ParquetFile(source) as file:
            problems = _size_problems(name, file.metadata.num_rows, limits) or schema_problems(kind, file.schema_arrow)
        if problems:
            raise RecordingError(problems)
        with pq.ParquetFile(source, read_dictionary=text) as file:
            table = file.read(columns=schema.names)
        table.validate(full=True)
        for column in text:
            problems += _text_problems(name, column, table[column], limits.text_bytes)
        if problems:
            raise RecordingError(problems)
        return table.cast(pa.schema([field.with_nullable(True) for field in schema]))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        reason = str(problem).splitlines()[0][:300]
        found = Problem(
            file=name, what=f"is truncated, damaged or no Parquet file ({reason})", fix="export or copy it again"
        )
        raise RecordingError([found]) from problem


def schema_problems(kind: str, found: pa.Schema) -> list[Problem]:
    """Return one problem per column that is missing, unknown or of another type than the contract's."""
    name, schema = TABLE_FILES[kind], TABLES[kind]
    problems = [
        Problem(file=name, field=column, what="is no column of this table", fix=_FOREIGN)
        for column in found.names
        if column not in schema.names
    ]
    for column in sorted({column for column in found.names if found.names.count(column) > 1}):
        problems.append(Problem(file=name, field=column, what="is there twice", fix=_FOREIGN))
    for field in schema:
        if field.name not in found.names:
            problems.append(Problem(file=name, field=field.name, what=f"is missing, a {field.type}", fix=_FOREIGN))
        elif found.names.count(field.name) == 1:
            given = found.field(field.name).type
            if not _same_type(given, field.type):
                what = f"has type {given}, expected {field.type}"
                problems.append(Problem(file=name, field=field.name, what=what, fix=_type_fix(given)))
    return problems


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_large_string(found) or pa.types.is_string_view(found):
        found = pa.string()
    if pa.types.is_list(expected) and (pa.types.is_list(found) or pa.types.is_large_list(found)):
        return bool(found.value_type == expected.value_type)
    return bool(found == expected)


def _type_fix(found: pa.DataType) -> str:
    if pa.types.is_timestamp(found) and found.tz is None:
        return "say which timezone the source meant and convert to UTC; a naive timestamp is never guessed"
    if pa.types.is_timestamp(found):
        return "convert to microseconds in UTC"
    return _FOREIGN


def _size_problems(name: str, num_rows: int, limits: ArchiveLimits) -> list[Problem]:
    if num_rows > limits.num_rows:
        what = f"announces {num_rows} rows, the limit is {limits.num_rows}"
        return [Problem(file=name, what=what, fix="split the recording by time")]
    return []


def _text_problems(name: str, column: str, values: pa.ChunkedArray, limit_bytes: int) -> list[Problem]:
    for chunk in values.chunks:
        entries = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        longest = pc.max(pc.binary_length(entries)).as_py() or 0
        if longest > limit_bytes:
            what = f"holds a text of {longest} bytes, the limit is {limit_bytes}"
            return [Problem(file=name, field=column, what=what, fix="shorten it at the source")]
    return []
