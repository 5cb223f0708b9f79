"""What a trainer has kept of a training that nobody watched, as a run file: its logged scalars."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from .floats import double, singles
from .runfile import FORMAT_VERSION, RunFile, Stage, claim_directory

#: Fields of a logged entry that are no scalars of a step.
_NO_SCALARS = frozenset({"step", "epoch"})


class NotAState(ValueError):
    """The file is no `trainer_state.json`; says what was expected."""


def trainer_state(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> pathlib.Path:
    """Writes the `log_history` of a `trainer_state.json` of transformers or TRL as a run; returns the run's directory.

    Scalars keep the trainer's names. Where it logged `logps/chosen` and `logps/rejected`, those become the curves of y+ and
    y-: means over the batches since the last entry, not over observed prompts, so that they jump from batch to batch. What
    was never logged cannot be shown: no argmax, no mass flow, no other kinds of answers, no pairs; the run says so.

    Raises:
        NotAState: The file holds something else.
        OSError: A file cannot be read or written.
    """
    path = pathlib.Path(path)
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        history, steps = state["log_history"], int(state["max_steps"])
        entries = [entry for entry in history if isinstance(entry.get("step"), int) and "train_runtime" not in entry]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAState(
            f"{path}: is no trainer_state.json ({type(error).__name__}: {error}); give the one in a checkpoint's folder"
        ) from error
    directory = claim_directory(out)
    file = RunFile(directory / "events.jsonl")
    try:
        file.write(_started(path, directory.name, entries, steps))
        file.write({"event": "stage_started", "stage": 0, "step": 0})
        # Evaluations on held-out data and the training's own entries are in the order of their steps.
        for entry in sorted(entries, key=lambda entry: entry["step"]):
            _write(file, entry)
        done = int(state.get("global_step", 0))
        phase = "finished" if done >= steps else "stopped"
        last = max([done, *(entry["step"] for entry in entries)])
        file.write({"event": "phase", "phase": phase, "step": last})
    finally:
        file.close()
    return directory


def _pushes(entries: list[dict[str, Any]]) -> bool:
    return any("logps/rejected" in entry or "rewards/rejected" in entry for entry in entries)


def _started(path: pathlib.Path, name: str, entries: list[dict[str, Any]], steps: int) -> dict[str, Any]:
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
        "description": f"Imported from {path.name}: what the trainer logged. Curves are means over batches; "
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
