"""Reads the scalars of TensorBoard's event files, without TensorBoard: records of protocol buffers, one an event."""

from __future__ import annotations

import struct
from collections.abc import Iterator

#: The largest record that is read: scalars take some dozens of bytes.
MOST = 64 << 20


class Damaged(ValueError):
    """What is wrong with a file, and at which byte."""


def scalars(data: bytes) -> Iterator[tuple[int, str, float]]:
    """Step, name and value of every scalar in an event file, in the file's order. A last record that breaks off is dropped.

    Raises `Damaged` where a record is longer than it can be, or is no event.
    """
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        if length > MOST:
            raise Damaged(f"byte {at}: a record of {length} bytes; a TensorBoard file of scalars has none so long")
        record = data[at + 12 : at + 12 + length]
        if at + 12 + length + 4 > len(data):
            return
        try:
            yield from _of_event(record)
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise Damaged(f"byte {at}: is no event ({type(error).__name__})") from error
        at += 12 + length + 4


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field of a message; numbers of fixed width as their bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError(f"a field of kind {kind}")
        if at + length > len(message):
            raise IndexError("a field that is longer than its message")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise IndexError("a number of more than 64 bits")


def _of_event(record: bytes) -> Iterator[tuple[int, str, float]]:
    step, summaries = 0, []
    for number, value in _fields(record):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes):
                yield from _of_value(step, value)


def _of_value(step: int, message: bytes) -> Iterator[tuple[int, str, float]]:
    name, scalar = None, None
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            name = value.decode()
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            (scalar,) = struct.unpack("<f", value)
    if name is not None and scalar is not None:
        yield step, name, float(scalar)
