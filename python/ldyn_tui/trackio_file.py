"""Reads what Trackio has kept of a run: rows of its SQLite file, without Trackio."""

from __future__ import annotations

import json
import pathlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from .messages import Damaged

#: How an SQLite file begins.
HEADER = b"SQLite format 3\0"


def runs(path: pathlib.Path) -> list[str]:
    """Names of the runs in a file, in the order in which they began.

    Raises `Damaged` where the file is none of Trackio's.
    """
    return [str(name) for (name,) in _rows(path, "SELECT run_name FROM metrics GROUP BY run_name ORDER BY MIN(id)", ())]


def scalars(path: pathlib.Path, run: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Step and values by name of everything that one run logged, in its order.

    Raises `Damaged` where a row is not what it should be.
    """
    for row, step, text in _rows(path, "SELECT id, step, metrics FROM metrics WHERE run_name = ? ORDER BY id", (run,)):
        try:
            values = json.loads(text)
            if not isinstance(values, dict) or not isinstance(step, int):
                raise ValueError("no step, or no values by name")
        except (ValueError, TypeError, RecursionError) as error:
            raise Damaged(f"row {row} of table metrics: {error}") from error
        yield step, values


def _rows(path: pathlib.Path, query: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
    # `mode=ro` writes nothing, and sees what a training that still goes on has finished writing.
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            return file.execute(query, values).fetchall()
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise Damaged(f"is no file of Trackio's: {error}") from error
