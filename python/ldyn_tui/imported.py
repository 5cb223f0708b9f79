"""What a trainer has kept of a training that nobody watched, as a run file: its logged scalars."""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import jsonl, tensorboard, trackio_file, weights_and_biases
from .floats import double, singles
from .messages import Damaged
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


def read(path: str | os.PathLike[str], run: str | None = None) -> Logged:
    """Reads what a trainer or a tracker has kept: a `trainer_state.json` of transformers or TRL, event files of TensorBoard,
    an offline run of Weights & Biases, a file of Trackio's, the lines of verl's file logger, prime-rl's exports of tokens;
    or a folder of one of these.

    `run` names the one that is meant where a file holds several.

    Raises:
        NotLogged: It is something else, or damaged; says where.
        OSError: It cannot be read.
    """
    path = pathlib.Path(path)
    files, reader = _found(path)
    try:
        logged = reader(files, run)
    except Damaged as error:
        raise NotLogged(f"{files[0] if len(files) == 1 else path}: {error}") from error
    if not logged.entries:
        raise NotLogged(f"{path}: holds no scalars")
    logged.entries.sort(key=lambda entry: entry["step"])
    return logged


#: Reads the files of one kind, and of the run that is named.
_Reader = Callable[[list[pathlib.Path], str | None], Logged]


def _found(path: pathlib.Path) -> tuple[list[pathlib.Path], _Reader]:
    """The files to read and what reads them: by their names in a folder, else by how a file begins."""
    if path.is_dir():
        for pattern, reader in _IN_FOLDERS.items():
            if files := sorted(path.rglob(pattern), key=_by_numbers):
                return files, reader
        known = ", ".join(_IN_FOLDERS)
        raise NotLogged(f"{path}: holds nothing that can be imported; looked for {known}")
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    if "tfevents" in path.name:
        return [path], _tensorboard
    if head.startswith(weights_and_biases.HEADER[:4]):
        return [path], _weights_and_biases
    if head.startswith(trackio_file.HEADER):
        return [path], _trackio
    if path.suffix in (".jsonl", ".ndjson"):
        return [path], _prime_rl if b'"trainer_logprobs"' in head else _verl
    return [path], _trainer_state


def _by_numbers(path: pathlib.Path) -> list[tuple[int, str]]:
    """Sorts `step_9` before `step_10`."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,18})", str(path))]


def _trainer_state(files: list[pathlib.Path], _run: str | None) -> Logged:
    path = files[0]
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        history, steps = state["log_history"], int(state["max_steps"])
        # The summary at the end is no step's.
        entries = [entry for entry in history if isinstance(entry.get("step"), int) and "train_runtime" not in entry]
        return Logged(entries, steps, int(state.get("global_step", 0)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotLogged(
            f"{path}: is no trainer_state.json ({type(error).__name__}: {error}); give the one in a checkpoint's folder, "
            "or an event file of TensorBoard, a run-*.wandb, a file of Trackio's, or the JSON lines of verl or prime-rl"
        ) from error


def _tensorboard(files: list[pathlib.Path], _run: str | None) -> Logged:
    def all_files() -> Iterator[tuple[int, dict[str, Any]]]:
        for file in files:
            try:
                for step, name, value in tensorboard.scalars(file.read_bytes()):
                    yield step, {name: value}
            except Damaged as error:
                raise NotLogged(f"{file}: {error}") from error

    return _by_step(all_files())


def _weights_and_biases(files: list[pathlib.Path], run: str | None) -> Logged:
    file = _the_one(files, run)

    def entries() -> Iterator[tuple[int, dict[str, Any]]]:
        for entry in weights_and_biases.history(file.read_bytes()):
            # transformers logs its own step beside the tracker's, which counts what was logged.
            step = entry.pop("train/global_step", entry.get("_step"))
            if isinstance(step, int):
                yield step, {name: value for name, value in entry.items() if not name.startswith("_")}

    return _by_step(entries())


def _trackio(files: list[pathlib.Path], run: str | None) -> Logged:
    found = [(file, name) for file in files for name in trackio_file.runs(file)]
    wanted = [(file, name) for file, name in found if run in (None, name)]
    if len(wanted) != 1:
        names = ", ".join(name for _, name in found) or "none"
        raise NotLogged(f"{files[0]}: name one of its runs with --run; it holds: {names}")

    def entries() -> Iterator[tuple[int, dict[str, Any]]]:
        for step, values in trackio_file.scalars(*wanted[0]):
            own = values.pop("train/global_step", step)
            yield own if isinstance(own, int) else step, values

    return _by_step(entries())


def _verl(files: list[pathlib.Path], run: str | None) -> Logged:
    return _by_step(jsonl.verl(_the_one(files, run)))


def _prime_rl(files: list[pathlib.Path], _run: str | None) -> Logged:
    return _by_step(jsonl.prime_rl(files))


def _the_one(files: list[pathlib.Path], run: str | None) -> pathlib.Path:
    """The file of a run, which is named where there are several."""
    wanted = [file for file in files if run is None or run in file.parts or run == file.name]
    if len(wanted) != 1:
        raise NotLogged(f"{files[0].parent}: name one of its files with --run: {', '.join(f.name for f in files)}")
    return wanted[0]


#: What a folder is looked through for, in this order.
_IN_FOLDERS: dict[str, _Reader] = {
    "events.out.tfevents.*": _tensorboard,
    "run-*.wandb": _weights_and_biases,
    "step_*/rank_*.jsonl": _prime_rl,
    "*.db": _trackio,
    "*.jsonl": _verl,
    "trainer_state.json": _trainer_state,
}


def _by_step(scalars: Iterable[tuple[int, Mapping[str, Any]]]) -> Logged:
    """One entry a step, under the trainer's own names."""
    entries: dict[int, dict[str, Any]] = {}
    for step, values in scalars:
        if not 0 <= step < 1 << 63:
            raise Damaged(f"step {step} cannot be one")
        for full, value in values.items():
            # transformers puts the training's own scalars under `train/`, and a summary of the run with them.
            name = full.removeprefix("train/")
            if not name.startswith("train_"):
                entries.setdefault(step, {"step": step})[name] = value
    last = max(entries, default=0)
    return Logged(list(entries.values()), last, last)


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
