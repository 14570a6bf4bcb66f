"""Writes a Parquet file of any size whose pages are a hole.

The footer is whole: schema, row groups, offsets and statistics, in the Thrift compact
protocol of https://github.com/apache/parquet-format (`parquet.thrift`). A program that reads
the schema, the row count or the statistics cannot tell it from a real file; one that reads
values finds zeros. The file takes a few kilobytes of disk.
"""

import struct
from pathlib import Path

# Parquet's physical types.
_BOOLEAN, _INT32, _INT64, _DOUBLE, _BYTE_ARRAY, _FIXED = 0, 1, 2, 5, 6, 7
_REQUIRED, _OPTIONAL = 0, 1
_ROW_GROUP_BYTES = 512 * 1024 * 1024
_ROW_BYTES = 150

# Thrift compact type codes.
_T_TRUE, _T_FALSE, _T_I32, _T_I64, _T_BINARY, _T_LIST, _T_STRUCT = 1, 2, 5, 6, 8, 9, 12


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _zigzag(number: int) -> bytes:
    return _varint((number << 1) ^ (number >> 63))


def _binary(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _list(element: int, items: list[bytes]) -> bytes:
    head = bytes([len(items) << 4 | element]) if len(items) < 15 else None
    return (head or bytes([0xF0 | element]) + _varint(len(items))) + b"".join(items)


def _struct(*fields: tuple[int, int, bytes]) -> bytes:
    """A struct from (field id, type code, encoded value), ids ascending."""
    out = bytearray()
    last = 0
    for number, code, value in fields:
        out.append((number - last) << 4 | code)
        out += value
        last = number
    return bytes(out) + b"\0"


def _i32(number: int, value: int) -> tuple[int, int, bytes]:
    return number, _T_I32, _zigzag(value)


def _i64(number: int, value: int) -> tuple[int, int, bytes]:
    return number, _T_I64, _zigzag(value)


def _flag(number: int, value: bool) -> tuple[int, int, bytes]:
    return number, _T_TRUE if value else _T_FALSE, b""


def _logical(field: int, inner: bytes = b"\0") -> tuple[int, int, bytes]:
    """SchemaElement.logicalType: a union, one field set."""
    return 10, _T_STRUCT, _struct((field, _T_STRUCT, inner))


_STRING = [_i32(6, 0), _logical(1)]
_MICROS = _struct((2, _T_STRUCT, b"\0"))
# Column name, physical type, required, and the rest of its SchemaElement.
_COLUMNS: list[tuple[str, int, bool, int | None, list[tuple[int, int, bytes]]]] = [
    ("order_id", _BYTE_ARRAY, True, None, _STRING),
    ("customer", _INT64, True, None, []),
    (
        "amount",
        _INT64,
        True,
        None,
        [_i32(6, 5), _i32(7, 2), _i32(8, 12), _logical(5, _struct(_i32(1, 2), _i32(2, 12)))],
    ),
    ("weight", _DOUBLE, True, None, []),
    ("quantity", _INT32, True, None, []),
    ("gift", _BOOLEAN, True, None, []),
    ("order_date", _INT32, True, None, [_i32(6, 6), _logical(6)]),
    (
        "paid_at",
        _INT64,
        True,
        None,
        [_i32(6, 10), _logical(8, _struct(_flag(1, True), (2, _T_STRUCT, _MICROS)))],
    ),
    ("request_id", _FIXED, True, 16, [_logical(14)]),
    ("status", _BYTE_ARRAY, True, None, _STRING),
    ("country", _BYTE_ARRAY, True, None, _STRING),
    ("email", _BYTE_ARRAY, True, None, _STRING),
    ("note", _BYTE_ARRAY, False, None, _STRING),
]


def _schema() -> list[bytes]:
    root = _struct((4, _T_BINARY, _binary(b"schema")), _i32(5, len(_COLUMNS)))
    elements = [root]
    for name, physical, required, length, rest in _COLUMNS:
        elements.append(
            _struct(
                _i32(1, physical),
                *([_i32(2, length)] if length else []),
                _i32(3, _REQUIRED if required else _OPTIONAL),
                (4, _T_BINARY, _binary(name.encode())),
                *rest,
            )
        )
    return elements


def _statistics(physical: int) -> bytes:
    """No nulls, and the bounds that every writer states: some number above zero."""
    bounds = {_INT32: struct.pack("<i", 20_000), _INT64: struct.pack("<q", 2_000_000)}
    if physical not in bounds:
        return _struct(_i64(3, 0))
    bound = (_T_BINARY, _binary(bounds[physical]))
    return _struct(_i64(3, 0), (5, *bound), (6, *bound))


def _row_group(offset: int, row_count: int, ordinal: int) -> bytes:
    size = _ROW_GROUP_BYTES // len(_COLUMNS)
    chunks = []
    for index, (name, physical, *_) in enumerate(_COLUMNS):
        start = offset + index * size
        meta = _struct(
            _i32(1, physical),
            (2, _T_LIST, _list(_T_I32, [_zigzag(0), _zigzag(3)])),
            (3, _T_LIST, _list(_T_BINARY, [_binary(name.encode())])),
            _i32(4, 0),
            _i64(5, row_count),
            _i64(6, size),
            _i64(7, size),
            _i64(9, start),
            (12, _T_STRUCT, _statistics(physical)),
        )
        chunks.append(_struct(_i64(2, 0), (3, _T_STRUCT, meta)))
    return _struct(
        (1, _T_LIST, _list(_T_STRUCT, chunks)),
        _i64(2, size * len(_COLUMNS)),
        _i64(3, row_count),
        _i64(5, offset),
        _i64(6, size * len(_COLUMNS)),
        (7, 4, _zigzag(ordinal)),
    )


def row_groups(size: int) -> int:
    """How many row groups a file of at least `size` bytes has."""
    return -(-size // _ROW_GROUP_BYTES)


def write(path: Path, size: int) -> None:
    """Writes a file of at least `size` bytes."""
    count = row_groups(size)
    row_count = _ROW_GROUP_BYTES // _ROW_BYTES
    groups = [_row_group(4 + i * _ROW_GROUP_BYTES, row_count, i) for i in range(count)]
    footer = _struct(
        _i32(1, 2),
        (2, _T_LIST, _list(_T_STRUCT, _schema())),
        _i64(3, row_count * count),
        (4, _T_LIST, _list(_T_STRUCT, groups)),
        (6, _T_BINARY, _binary(b"landfall bench-check")),
        # Every column in the order of its type, without which bounds mean nothing.
        (7, _T_LIST, _list(_T_STRUCT, [_struct((1, _T_STRUCT, b"\0"))] * len(_COLUMNS))),
    )
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.seek(4 + count * _ROW_GROUP_BYTES)
        file.write(footer + struct.pack("<I", len(footer)) + b"PAR1")
