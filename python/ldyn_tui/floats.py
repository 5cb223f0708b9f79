"""JSON for numbers that may not be finite: NaN is null, infinities are the strings "inf" and "-inf"."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

#: The smallest number with all its digits.
_NORMAL = 1.2e-38

#: A number as it stands in the run file.
Number = float | str | None


def double(x: float) -> Number:
    """A number in double precision, as the run file has it."""
    try:
        x = float(x)
    except OverflowError:  # a whole number of more than 308 digits
        return "inf" if x > 0 else "-inf"
    if math.isnan(x):
        return None
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return x


def single(x: float) -> Number:
    """A number in single precision, in its shortest decimal form: what the program itself would write."""
    full = double(x)
    if not isinstance(full, float):
        return full
    x = full
    try:
        packed = struct.pack("<f", x)
    except OverflowError:
        return "inf" if x > 0 else "-inf"
    value: float = struct.unpack("<f", packed)[0]
    if math.isinf(value):
        return double(value)
    # Six digits tell any two apart, but for the smallest numbers, which have fewer.
    for digits in range(1 if abs(value) < _NORMAL else 6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return short
    return value


def singles(xs: Iterable[float]) -> list[Number]:
    """A list of numbers in single precision."""
    return [single(x) for x in xs]
