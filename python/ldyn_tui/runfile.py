"""The run file: one JSON event a line, appended as it happens. `docs/run-file.md` describes it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .floats import double

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such lock, and needs none to append
    fcntl = None  # type: ignore[assignment]

#: Version of the format that this package writes.
FORMAT_VERSION: Final = 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Stage:
    """One stage of a run."""

    #: What it is called on the screen ("DPO").
    name: str
    #: The objective, spelled as in TRL (`sft`, `sigmoid`, `grpo`).
    objective: str
    #: Whether the objective pushes an answer down: only such a stage can be said to squeeze.
    has_rejected: bool
    #: Optimiser steps that are planned; 0 where nobody knows.
    steps: int = 0
    #: Peak learning rate.
    learning_rate: float = 0.0
    #: Beta, where the objective has one.
    beta: float | None = None
    #: Whether answers are sampled from the policy that is trained.
    on_policy: bool = False

    def event(self) -> dict[str, Any]:
        """The stage as the run file has it."""
        stage: dict[str, Any] = {
            "name": self.name,
            "objective": self.objective,
            "has_rejected": self.has_rejected,
            "on_policy": self.on_policy,
            "steps": max(int(self.steps), 0),
            "learning_rate": double(self.learning_rate),
        }
        if self.beta is not None:
            stage["beta"] = double(self.beta)
        return stage


def line(event: Mapping[str, Any]) -> bytes:
    """An event as a whole line, its end included.

    Raises `ValueError` where a number was not made fit for JSON (see `floats`).
    """
    return (json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n").encode(
        "utf-8", "replace"
    )


def claim_directory(out: str | os.PathLike[str]) -> pathlib.Path:
    """Makes a new directory `out`, or `out-2`, `out-3`, ... where there is one already: nothing is ever overwritten.

    Raises `ValueError` for a name that the program would refuse, and `OSError` where the directory cannot be made.
    """
    wanted = pathlib.Path(out)
    if not _NAME.fullmatch(wanted.name):
        raise ValueError(
            f"{wanted.name!r} cannot name a run: use letters, digits, '_', '-' and '.', beginning with a letter or digit"
        )
    wanted.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        directory = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            directory.mkdir()
            return directory
        except FileExistsError:
            number += 1


class RunFile:
    """Appends whole lines to a file of events. A line is on its way to the disk when `write` returns."""

    def __init__(self, path: str | os.PathLike[str], *, keep: int | None = None) -> None:
        """Opens a new file, or, with `keep`, one that is there already, of which the first `keep` bytes stay.

        Raises `OSError` where it cannot be opened, or another process still writes it.
        """
        self.path = pathlib.Path(path)
        flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if keep is None else 0)
        # A device is nobody's run: who else writes it does not matter.
        device = keep is None and self.path.is_char_device()
        if device:
            flags = os.O_WRONLY
        self._file = os.open(self.path, flags, 0o644)
        try:
            if fcntl is not None and not device:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if keep is not None:
                os.ftruncate(self._file, keep)
        except OSError:
            os.close(self._file)
            raise
        self._closed = False

    def write(self, event: Mapping[str, Any]) -> None:
        """Appends one event.

        Raises `OSError` where it cannot be written (a full disk). What was written of the line is taken back then, so that
        the file ends with a whole line and the next event may be tried.
        """
        if self._closed:
            # The number of the closed file may be another one's by now.
            raise OSError(errno.EBADF, "the run has ended")
        data = line(event)
        before = os.fstat(self._file).st_size
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            if written:
                self._take_back(before)
            raise

    def _take_back(self, size: int) -> None:
        # Whoever reads the file drops a last line that breaks off; nothing more can be done.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, size)

    def close(self) -> None:
        """Closes the file; a second time does nothing."""
        if not self._closed:
            self._closed = True
            os.close(self._file)


def bytes_up_to(path: pathlib.Path, step: int) -> tuple[int, dict[str, Any] | None, int | None]:
    """What a run that goes on at `step` keeps of its file: bytes, the start of the run, and the step of the last evaluation.

    Lines that broke off, later steps and the end of the run are left out. The start is `None` where there is none.
    """
    kept, started, measured = 0, None, None
    with open(path, "rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            try:
                event = json.loads(raw)
            except ValueError:
                break
            phase = event.get("phase")
            if event.get("step", 0) > step or phase in ("finished", "stopped") or isinstance(phase, dict):
                break
            if event.get("event") == "run_started":
                started = event
            elif event.get("event") == "evaluation":
                measured = event.get("step")
            kept += len(raw)
    return kept, started, measured
