"""What a trainer has kept of a training that nobody watched, as a run file: its logged scalars."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import tensorboard
from .floats import double, singles
from .runfile import FORMAT_VERSION, RunFile, Stage, claim_directory

#: Fields of a logged entry that are no scalars of a step.
_NO_SCALARS = frozenset({"step", "epoch"})


class NotLogged(ValueError):
    """The file is none that can be imported; says what was expected."""


@dataclass
class Logged:
    """What a trainer logged."""

    #: Scalars by name, with the step that they belong to under `step`; in the order of their steps.
    entries: list[dict[str, Any]]
    #: Optimiser steps that were planned.
    steps: int
    #: Optimiser steps that were taken.
    done: int


def read(path: str | os.PathLike[str]) -> Logged:
    """Reads a `trainer_state.json` of transformers or TRL, an event file of TensorBoard, or a folder of such files.

    Raises:
        NotLogged: It is something else, or damaged.
        OSError: It cannot be read.
    """
    path = pathlib.Path(path)
    files = sorted(path.rglob("events.out.tfevents.*")) if path.is_dir() else [path]
    if path.is_dir() and not files:
        raise NotLogged(f"{path}: holds no event files of TensorBoard (events.out.tfevents...)")
    logged = _tensorboard(files) if "tfevents" in files[0].name else _trainer_state(path)
    logged.entries.sort(key=lambda entry: entry["step"])
    return logged


def _trainer_state(path: pathlib.Path) -> Logged:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        history, steps = state["log_history"], int(state["max_steps"])
        # The summary at the end is no step's.
        entries = [entry for entry in history if isinstance(entry.get("step"), int) and "train_runtime" not in entry]
        return Logged(entries, steps, int(state.get("global_step", 0)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotLogged(
            f"{path}: is no trainer_state.json ({type(error).__name__}: {error}); give the one in a checkpoint's folder, "
            "or an event file of TensorBoard"
        ) from error


def _tensorboard(files: list[pathlib.Path]) -> Logged:
    entries: dict[int, dict[str, Any]] = {}
    for file in files:
        try:
            for step, full, value in tensorboard.scalars(file.read_bytes()):
                # transformers puts the training's own scalars under `train/`, and a summary of the run with them.
                name = full.removeprefix("train/")
                if not name.startswith("train_"):
                    entries.setdefault(step, {"step": step})[name] = value
        except tensorboard.Damaged as error:
            raise NotLogged(f"{file}: {error}") from error
    if not entries:
        raise NotLogged(f"{files[0]}: holds no scalars")
    return Logged(list(entries.values()), max(entries), max(entries))


def write(logged: Logged, source: str, out: str | os.PathLike[str]) -> pathlib.Path:
    """Writes what was logged as a run; returns the run's directory. `source` is what the run says it comes from.

    Scalars keep the trainer's names. Where it logged `logps/chosen` and `logps/rejected`, those become the curves of y+ and
    y-: means over the batches since the last entry, not over observed prompts, so that they jump from batch to batch. What
    was never logged cannot be shown: no argmax, no mass flow, no other kinds of answers, no pairs; the run says so.

    Raises `OSError` where it cannot be written, and `ValueError` for a name that no run may have.
    """
    directory = claim_directory(out)
    file = RunFile(directory / "events.jsonl")
    try:
        file.write(_started(source, directory.name, logged.entries, logged.steps))
        file.write({"event": "stage_started", "stage": 0, "step": 0})
        for entry in logged.entries:
            _write(file, entry)
        last = max([logged.done, *(entry["step"] for entry in logged.entries)])
        file.write({"event": "phase", "phase": "finished" if last >= logged.steps else "stopped", "step": last})
    finally:
        file.close()
    return directory


def _pushes(entries: list[dict[str, Any]]) -> bool:
    return any("logps/rejected" in entry or "rewards/rejected" in entry for entry in entries)


def _started(source: str, name: str, entries: list[dict[str, Any]], steps: int) -> dict[str, Any]:
    rates = [entry["learning_rate"] for entry in entries if isinstance(entry.get("learning_rate"), (int, float))]
    pushes = _pushes(entries)
    stage = Stage("DPO" if pushes else "training", "unknown", pushes, steps, float(max(rates, default=0.0)))
    kinds = [kind for kind in ("chosen", "rejected") if any(f"logps/{kind}" in entry for entry in entries)]
    text = {"text": "(the trainer keeps no text)", "tokens": 0}
    probe = {"prompt": "mean over the trainer's batches", "responses": {kind: text for kind in kinds}}
    return {
        "event": "run_started",
        "format_version": FORMAT_VERSION,
        "run_id": name,
        "experiment": name,
        "description": f"Imported from {source}: what the trainer logged. Curves are means over batches; "
        "argmax, mass flow, further kinds of answers and pairs were not measured.",
        "seed": 0,
        "backend": "imported",
        "model": "unknown",
        "vocab_size": 0,
        "stages": [stage.event()],
        "probes": [probe] if kinds else [],
        "means": True,
    }


def _write(file: RunFile, entry: Mapping[str, Any]) -> None:
    scalars = {
        name: double(value)
        for name, value in entry.items()
        if name not in _NO_SCALARS and isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    file.write({"event": "step", "step": entry["step"], "stage": 0, "metrics": scalars})
    logps = {
        kind: singles([entry[f"logps/{kind}"]])
        for kind in ("chosen", "rejected")
        if isinstance(entry.get(f"logps/{kind}"), (int, float))
    }
    if logps:
        file.write({"event": "evaluation", "step": entry["step"], "stage": 0, "logps": logps, "chosen": {}})
