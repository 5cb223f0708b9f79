"""Reads logs of JSON lines: verl's file logger, and prime-rl's exports of tokens."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .messages import Damaged

#: prime-rl's columns that are averaged over the tokens that are trained on, with the name of their curve.
_PER_TOKEN = {"entropy": "entropy", "mismatch_kl": "mismatch_kl", "importance_ratio": "importance_ratio"}


#: verl's names with those of TRL that mean the same: the program's panels look for the latter.
_OF_VERL = {
    "actor/pg_loss": "loss",
    "actor/entropy": "entropy",
    "actor/grad_norm": "grad_norm",
    "actor/lr": "learning_rate",
    "actor/kl_loss": "kl",
    "actor/pg_clipfrac": "clip_ratio/region_mean",
    "critic/rewards/mean": "reward",
    "response_length/mean": "completions/mean_length",
    "response_length/clip_ratio": "completions/clipped_ratio",
}


def objects(path: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with the numbers of their lines. A last line that breaks off is dropped.

    Raises `Damaged` with the line that is no object.
    """
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise ValueError("is no JSON object")
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return
                raise Damaged(f"line {number}: {error}") from error
            yield number, value


def verl(path: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Step and values by name of every line of verl's file logger: `{"step": 3, "data": {"actor/entropy": 0.7, ...}}`.

    What TRL has a name of its own for is there under both.
    """
    for number, line in objects(path):
        step, data = line.get("step"), line.get("data")
        if not isinstance(step, int) or not isinstance(data, dict):
            raise Damaged(f"line {number}: has no `step` with its `data`, as verl's file logger writes them")
        yield step, {**{_OF_VERL[name]: value for name, value in data.items() if name in _OF_VERL}, **data}


def prime_rl(files: Sequence[pathlib.Path]) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and means of every step of prime-rl's exports, `token_exports/step_N/rank_R.jsonl`: one sequence a line, with a
    list for every column.

    Of the samples of a step, by the sign of their advantage: their share, and the mean log-prob of a token under the trainer
    (`sampled/correct`, `sampled/logps_correct`, and so on). `reward` is the mean over samples, the
    others over trained tokens.
    """
    steps: dict[int, list[dict[str, float]]] = {}
    for path in files:
        for number, line in objects(path):
            try:
                steps.setdefault(_step(line), []).append(_sample(line))
            except (KeyError, TypeError, ValueError, IndexError) as error:
                what = f"{type(error).__name__}: {error}"
                raise Damaged(f"{path.name}, line {number}: is no sequence of prime-rl's ({what})") from error
    for step in sorted(steps):
        yield step, _means(steps[step])


def _step(line: Mapping[str, Any]) -> int:
    step = line.get("export_step", line["step"])
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError(f"the step is {step!r}")
    return step


def _sample(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one sequence, over the tokens that are trained on."""
    trained = [at for at, kept in enumerate(line["loss_mask"]) if kept]

    def mean(column: str) -> float:
        values = [float(line[column][at]) for at in trained if line.get(column) and line[column][at] is not None]
        return math.fsum(values) / len(values) if values else math.nan

    sample = {name: mean(column) for column, name in _PER_TOKEN.items()}
    return {**sample, "reward": mean("rewards"), "advantage": mean("advantages"), "logps": mean("trainer_logprobs")}


def _means(samples: Sequence[Mapping[str, float]]) -> dict[str, float]:
    def over(some: Sequence[Mapping[str, float]], name: str) -> float:
        values = [sample[name] for sample in some if math.isfinite(sample[name])]
        return math.fsum(values) / len(values) if values else math.nan

    means = {name: over(samples, name) for name in ("reward", *_PER_TOKEN.values())}
    for sign, name in ((1, "correct"), (-1, "incorrect")):
        some = [sample for sample in samples if sample["advantage"] * sign > 0]
        means[f"sampled/{name}"] = len(some) / len(samples)
        means[f"sampled/logps_{name}"] = over(some, "logps")
    return {name: value for name, value in means.items() if not math.isnan(value)}
