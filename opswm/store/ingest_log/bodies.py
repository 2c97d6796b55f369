"""Readings as bytes and back: an Arrow IPC stream without the columns nobody filled, compressed where that pays."""

from dataclasses import dataclass
from typing import Final
from zlib import crc32

import pyarrow as pa

from opswm.errors import StoreError
from opswm_schemas.columns import METRICS

RAW: Final = 0
ZSTD: Final = 1
_LEVEL: Final = -1
"""Of zstd: a sixth larger than level 1 and a third faster; processors bound appending, not disks."""

_WORTH_IT: Final = 0.9
"""Compressed bytes are kept where they are at most this share of the plain ones."""


@dataclass(frozen=True)
class Body:
    """Readings of one batch as bytes.

    Attributes:
        codec: ``RAW`` or ``ZSTD``; how ``data`` is packed.
        plain_bytes: Size of the Arrow IPC stream inside.
        checksum: CRC-32 of ``data``.
        data: The bytes that are kept.
    """

    codec: int
    plain_bytes: int
    checksum: int
    data: bytes


def encode(table: pa.Table) -> Body:
    """Return admitted readings as bytes.

    Args:
        table: Readings with the metric columns.
    """
    filled = table.select([name for name in table.column_names if table[name].null_count < table.num_rows])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, filled.schema) as stream:
        stream.write_table(filled)
    plain = sink.getvalue()
    packed = pa.Codec("zstd", _LEVEL).compress(plain)
    codec, data = (ZSTD, packed) if packed.size <= _WORTH_IT * plain.size else (RAW, plain)
    kept = data.to_pybytes()
    return Body(codec, plain.size, crc32(kept), kept)


def decode(body: Body) -> pa.Table:
    """Return the readings in the columns of ``METRICS``.

    Raises:
        StoreError: When the bytes are no Arrow stream of readings.
    """
    try:
        plain = pa.py_buffer(body.data)
        if body.codec == ZSTD:
            plain = pa.Codec("zstd").decompress(plain, body.plain_bytes)
        table = pa.ipc.open_stream(plain).read_all()
        columns = [
            table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
            for field in METRICS
        ]
        return pa.table(columns, schema=METRICS)
    except (pa.ArrowException, OSError, KeyError) as problem:
        raise StoreError(f"it is no Arrow stream of readings: {problem}") from problem
