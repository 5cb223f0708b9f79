"""The wire form of protocol buffers, as far as logged scalars need it: fields, numbers, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Iterator


class Damaged(ValueError):
    """What is wrong with a file, and at which byte or line."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field of a message; numbers of fixed width as their bytes.

    Raises `IndexError` where the message is none.
    """
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = varint(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError(f"a field of kind {kind}")
        if at + length > len(message):
            raise IndexError("a field that is longer than its message")
        yield key >> 3, message[at : at + length]
        at += length


def parts(message: bytes, number: int) -> Iterator[bytes]:
    """The texts and messages that a message has under one number, in their order."""
    return (value for of, value in fields(message) if of == number and isinstance(value, bytes))


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a byte, and the byte after it."""
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
