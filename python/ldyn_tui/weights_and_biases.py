"""Reads the history of an offline run of Weights & Biases (`run-*.wandb`), without wandb: a log of blocks, framed as
LevelDB's, whose records are protocol buffers.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from .messages import Damaged, fields, parts

#: How such a file begins: a name, a magic number and a version.
HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
#: Bytes of a block, and of what stands before a part of a record: checksum, length, and which part it is.
_BLOCK, _BEFORE = 32768, 7
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
#: Numbers of fields: the history of a record, its items, and an item's name, nested names and value; the number of its step.
_HISTORY, _ITEM, _STEP, _KEY, _NESTED, _VALUE = 2, 1, 2, 1, 2, 16
#: The largest record that is read: scalars take some kilobytes.
MOST = 64 << 20


def history(data: bytes) -> Iterator[dict[str, Any]]:
    """What was logged, in the file's order: values by name, nested names joined by dots, `_step` among them. A last record
    that breaks off is dropped.

    Raises `Damaged` where a record is not what its checksum says, or is none.
    """
    if not data.startswith(HEADER):
        raise Damaged("byte 0: is no offline run of Weights & Biases of the version that is known")
    for at, record in _records(data):
        try:
            for number, value in fields(record):
                if number == _HISTORY and isinstance(value, bytes):
                    yield _logged(value)
        except (IndexError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise Damaged(f"byte {at}: is no record ({type(error).__name__}: {error})") from error


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Records with the byte at which each begins."""
    at, begun, record = len(HEADER), 0, bytearray()
    whole = True
    while at + _BEFORE <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _BEFORE:
            at += left
            continue
        checksum, length, which = struct.unpack_from("<IHB", data, at)
        if checksum == length == which == 0:
            # A block that was not filled ends in zeros.
            at += left
            continue
        part = data[at + _BEFORE : at + _BEFORE + length]
        if len(part) < length:
            return
        if _BEFORE + length > left or which not in (_WHOLE, _FIRST, _MIDDLE, _LAST):
            raise Damaged(f"byte {at}: is no part of a record")
        if zlib.crc32(part, zlib.crc32(bytes([which]))) != checksum:
            raise Damaged(f"byte {at}: a part of a record is not what its checksum says")
        if which in (_WHOLE, _FIRST):
            begun, record = at, bytearray()
        elif whole:
            raise Damaged(f"byte {at}: goes on with a record that never began")
        record += part
        if len(record) > MOST:
            raise Damaged(f"byte {begun}: a record of more than {MOST} bytes")
        whole = which in (_WHOLE, _LAST)
        if whole:
            yield begun, bytes(record)
        at += _BEFORE + length


def _logged(message: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for number, value in fields(message):
        if not isinstance(value, bytes):
            continue
        if number == _ITEM:
            name = next(parts(value, _KEY), b"").decode() or ".".join(n.decode() for n in parts(value, _NESTED))
            entry[name] = json.loads(next(parts(value, _VALUE), b"null"))
        elif number == _STEP:
            entry.setdefault("_step", next((n for of, n in fields(value) if of == 1 and isinstance(n, int)), 0))
    return entry
