"""Reads the scalars of TensorBoard's event files, without TensorBoard: records of protocol buffers, one an event."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .messages import Damaged, fields

#: The largest record that is read: scalars take some dozens of bytes.
MOST = 64 << 20


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


def _of_event(record: bytes) -> Iterator[tuple[int, str, float]]:
    step, summaries = 0, []
    for number, value in fields(record):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in fields(summary):
            if number == 1 and isinstance(value, bytes):
                yield from _of_value(step, value)


def _of_value(step: int, message: bytes) -> Iterator[tuple[int, str, float]]:
    name, scalar = None, None
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            name = value.decode()
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            (scalar,) = struct.unpack("<f", value)
    if name is not None and scalar is not None:
        yield step, name, float(scalar)
