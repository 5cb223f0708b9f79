"""`Recorder`: measures a model and appends what was measured to a run file."""

from __future__ import annotations

import atexit
import logging
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import plan, ranks
from .floats import double, single, singles
from .probes import Row, prepare, read_rows
from .reading import LISTED, NAN, Flow, Read, Reader, Reading, largest_moves
from .runfile import FORMAT_VERSION, RunFile, Stage, bytes_up_to, claim_directory
from .samples import Samples, answer_of
from .share import Share
from .tokens import Answer, Tokenizer, part

log = logging.getLogger("ldyn_tui")

#: Tokens and logits that are read together, at most.
BATCH_TOKENS, BATCH_LOGITS = 8192, 1 << 26


class Recorder:
    """Measures the probes when it is told to and records them.

        recorder = Recorder("runs/mine", "probes.jsonl", tokenizer, stages=[Stage("DPO", "sigmoid", True, steps=1000)])
        recorder.measure(model, step=0)
        for step in range(1, 1001):
            ...
            recorder.log(step, {"loss": loss})
            if step % 50 == 0:
                recorder.measure(model, step)
        recorder.finish(1000)

    Nothing that goes wrong here stops the training: it is written to the run file as a note, and logged once. Where several
    ranks train, all of them call `measure`, and rank 0 writes.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        probes: str | os.PathLike[str] | Iterable[Row],
        tokenizer: Tokenizer,
        *,
        stages: Sequence[Stage] | None = None,
        prompts: int = 64,
        derive: bool = True,
        max_length: int | None = None,
        flow: bool = True,
        seed: int = 0,
        model_name: str | None = None,
        description: str = "",
        detector: Mapping[str, float] | None = None,
        reader: Reader | None = None,
        resume_at: int | None = None,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        """Reads the probes and begins the run's directory.

        Args:
            out: The run's directory; `-2`, `-3`, ... is added where there is one already.
            probes: A file of JSON lines, or rows: `prompt`, `chosen`, `rejected` and further kinds of answers, as texts or
                as lists of messages.
            tokenizer: The model's.
            stages: The stages of the run, in order; one of unknown length where nothing is said.
            prompts: So many of the first rows are observed.
            derive: Whether to add answers that follow from the data (`irr_train`, `random_permute`, `repeater`).
            max_length: Longest prompt and answer, tokens; a longer answer loses its end.
            flow: Whether to measure mass flow, where its distributions fit into half a gigabyte.
            seed: Written to the run file, and decides how words are shuffled.
            model_name: What is trained, in words; read off the model where absent.
            description: One or two sentences for whoever watches.
            detector: Thresholds of the detector, by name; the program's own where absent.
            reader: What reads the model; a `TorchReader` where absent.
            resume_at: The step that a training goes on from: the file of `out` is continued there, if it is this run's.
            batch_tokens: Tokens that are read together, padding included, at most.

        Raises:
            BadProbes: The rows cannot be observed.
            OSError: The probes cannot be read. (A directory that cannot be written is no error, but logged.)
            ValueError: The name of the directory is none that a run may have.
        """
        self.rank, self.ranks = ranks.world()
        observed = prepare(read_rows(probes), tokenizer, prompts, derive=derive, seed=seed)
        self._tokenizer = tokenizer
        self._probes = observed
        self._answers = [a for index, probe in enumerate(observed) for a in part(probe, index, tokenizer, max_length)]
        self._stages = list(stages or [Stage("training", "unknown", any("rejected" in p.responses for p in observed))])
        self._seed, self._model_name, self._description = seed, model_name, description
        self._detector = dict(detector or {})
        self._flow, self._reader = flow, reader
        self._max_length = max_length
        self._batch_tokens = batch_tokens
        self._batches: list[list[int]] | None = None
        self._stage: int | None = None
        self._flow_since: int | None = None
        self._logged: set[str] = set()
        self._texts: dict[int, str] = {}
        self._header: dict[str, Any] | None = None
        self._header_written = False
        self._ended = False
        self._step = 0
        self.share = Share()
        #: Step of the last measurement that succeeded.
        self.measured: int | None = None
        #: The run's directory; `None` on other ranks than the first, and where it cannot be written.
        self.directory: pathlib.Path | None = None
        self._file: RunFile | None = None
        self._process = os.getpid()
        if self.rank == 0:
            self._open(pathlib.Path(out), resume_at)
            atexit.register(self._forgotten)

    def _open(self, out: pathlib.Path, resume_at: int | None) -> None:
        try:
            if resume_at and (out / "events.jsonl").is_file():
                kept, started, measured = bytes_up_to(out / "events.jsonl", resume_at)
                if started is not None and self._is_this_run(started):
                    self._file = RunFile(out / "events.jsonl", keep=kept)
                    self.directory, self._header, self._header_written = out, started, True
                    self._stage = len(self._stages) - 1
                    self._step, self.measured = resume_at, measured
                    return
            self.directory = claim_directory(out)
            self._file = RunFile(self.directory / "events.jsonl")
        except OSError as error:
            self._once("open", f"the run cannot be recorded: {error}")

    def _is_this_run(self, started: Mapping[str, Any]) -> bool:
        probes = [(p.get("prompt"), sorted(p.get("responses", {}))) for p in started.get("probes", [])]
        return probes == [(p["prompt"], sorted(p["responses"])) for p in self._described()]

    # What a loop calls.

    def measure(self, model: Any, step: int, stage: int = 0) -> dict[str, Any] | None:
        """Measures every probe at the current weights, after `step` optimiser steps, and records it.

        All ranks must call it alike. Returns the event as it was recorded, on rank 0; `None` elsewhere, and where it
        failed: the reason is in the run file then, and was logged.
        """
        try:
            with self.share.ours():
                return self._measure(model, int(step), stage)
        except Exception as error:
            self._failed("the probes could not be measured", int(step), error)
            return None

    def log(self, step: int, metrics: Mapping[str, Any], stage: int = 0) -> None:
        """Records scalars of an optimiser step under their names; what is no number is passed over."""
        numbers = {
            str(name): double(value)
            for name, value in metrics.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        with self.share.ours():
            self._begin(int(step), stage)
            self._write({"event": "step", "step": int(step), "stage": stage, "metrics": numbers})

    def note(self, step: int, text: str, *, warning: bool = False) -> None:
        """Records a remark; the program shows it among the events."""
        self._write({"event": "note", "step": int(step), "text": text, "warning": warning})

    def finish(self, step: int, phase: str | Mapping[str, str] = "finished") -> None:
        """Records how the run ended: "finished", "stopped", or `{"failed": "why"}`. Nothing is recorded after it."""
        if self._ended:
            return
        self._ended = True
        self._write({"event": "phase", "phase": phase, "step": max(int(step), self._step)}, last=True)
        if self._file is not None:
            self._file.close()
            self._file = None
        atexit.unregister(self._forgotten)

    def _forgotten(self) -> None:
        # A process that was forked has the same file open, and no run of its own.
        if os.getpid() != self._process:
            return
        self.finish(self._step, {"failed": "the training's process ended before the training did"})

    # How it is done.

    def _measure(self, model: Any, step: int, stage: int) -> dict[str, Any] | None:
        if self._reader is None:
            from .torch_reader import TorchReader

            self._reader = TorchReader(self._flow)
        vocab = self._reader.vocab_size(model)
        if self._batches is None:
            self._batches = plan.batches(self._answers, self._batch_tokens, BATCH_LOGITS, max(vocab, 1))
        if self._header is None:
            self._header = self._started(model, vocab)
        self._begin(step, stage)
        if self._flow_since is None:
            self._reader.begin_stage()
        gathered = self._read(self._reader, model, self._answers, self._batches, step)
        began = self._flow_since is None
        if began:
            self._flow_since = step
        self.measured = step
        if self.rank != 0:
            return None
        readings = {index: reading for result in gathered for index, reading in result.readings.items()}
        # A batch that two ranks read is the same.
        moves = [result.moved for result in gathered if len(result.moved)]
        moved = moves[0] if len(moves) == 1 else [sum(column) for column in zip(*moves)]
        event = self._evaluation(readings, moved, step, stage, began)
        self._write(event)
        if any(not _finite(reading.logp) for reading in readings.values()):
            self._remark("finite", step, "the model's log-probs are no longer finite")
        return event

    def _read(
        self, reader: Reader, model: Any, answers: Sequence[Answer], batches: Sequence[list[int]], step: int
    ) -> list[Read]:
        """What all ranks have read, each its share of the batches; where one fails, all do."""
        mine = plan.share(batches, self.rank, self.ranks)
        try:
            read: Read | Exception = reader.read(model, answers, mine, self.share.forwards)
            for index, reading in read.readings.items():  # type: ignore[union-attr]
                reading.check(answers[index], step)
        except Exception as error:
            # The other ranks wait for this one: it tells them.
            read = error
        gathered = ranks.gather(read if not isinstance(read, Exception) or self.ranks == 1 else RuntimeError(str(read)))
        for result in gathered:
            if isinstance(result, Exception):
                raise result
        return gathered

    def measure_samples(self, model: Any, step: int, samples: Samples, stage: int = 0) -> dict[str, float] | None:
        """Reads what a training by reward has sampled since the last call, and what it sampled earlier and found correct;
        records scalars of both (see `Samples.metrics`). All ranks must call it alike, each with its own samples, after
        `measure`.

        Returns the scalars on rank 0; `None` elsewhere, and where it failed: the reason is in the run file then.
        """
        try:
            with self.share.ours():
                found = self._measure_samples(model, int(step), samples)
        except Exception as error:
            self._failed("the samples could not be measured", int(step), error)
            return None
        if samples.without_tokens:
            self._remark("tokens", int(step), "the trainer gives rewards no completion_ids: samples are not read")
        if self.rank != 0:
            return None
        if found:
            self.log(step, found, stage)
        return found

    def _measure_samples(self, model: Any, step: int, samples: Samples) -> dict[str, float]:
        # Every rank has samples of its own; all plan the same for all of them.
        gathered = ranks.gather(samples.drain())
        parted = [
            (sample, answer_of(sample, self._tokenizer, self._max_length))
            for of_rank, _ in gathered
            for sample in of_rank
        ]
        latest = [(sample, answer) for sample, answer in parted if answer is not None]
        answers = [answer for _, answer in latest] + samples.followed()
        readings: dict[int, Reading] = {}
        if answers:
            if self._reader is None:
                raise RuntimeError("the probes are measured first")
            planned = plan.batches(answers, self._batch_tokens, BATCH_LOGITS, max(self._reader.vocab_size(model), 1))
            for read in self._read(self._reader, model, answers, planned, step):
                readings.update(read.readings)
        counts = {sign: sum(count[sign] for _, count in gathered) for sign in (True, False, None)}
        return samples.metrics(latest, counts, [readings[index] for index in range(len(answers))])

    def _begin(self, step: int, stage: int) -> None:
        """A stage begins with the first word that is said of it."""
        if self._stage == stage or self._ended:
            return
        self._stage = stage
        self._flow_since = None
        if stage == 0:
            self._write({"event": "phase", "phase": "running", "step": step})
        self._write({"event": "stage_started", "stage": stage, "step": step})

    def _write(self, event: Mapping[str, Any], *, last: bool = False) -> None:
        if self._file is None or (self._ended and not last):
            return
        step = event.get("step", 0)
        if step < self._step:
            self._once("order", f"an event of step {step} after one of step {self._step} is not recorded")
            return
        try:
            if not self._header_written:
                self._header = self._header or self._started(None, 0)
                self._file.write(self._header)
                self._header_written = True
            self._file.write(event)
            self._step = step
        except (OSError, ValueError) as error:
            self._once("write", f"{self._file.path}: cannot be written: {error}; the training goes on without it")

    def _started(self, model: Any, vocab: int) -> dict[str, Any]:
        name = self.directory.name if self.directory is not None else "run"
        started: dict[str, Any] = {
            "event": "run_started",
            "format_version": FORMAT_VERSION,
            "run_id": name,
            "experiment": name,
            "description": self._description,
            "seed": max(int(self._seed), 0),
            "backend": _backend(model),
            "model": self._model_name or _described_model(model),
            "vocab_size": vocab,
            "stages": [stage.event() for stage in self._stages],
            "probes": self._described(),
        }
        if self._detector:
            started["detector"] = {key: double(value) for key, value in self._detector.items()}
        return started

    def _described(self) -> list[dict[str, Any]]:
        described: list[dict[str, Any]] = [
            {"prompt": probe.prompt, "responses": {}, "chosen_tokens": [], "rejected_tokens": []}
            for probe in self._probes
        ]
        for answer in self._answers:
            probe = described[answer.prompt]
            text = self._probes[answer.prompt].responses[answer.kind]
            probe["responses"][answer.kind] = {"text": text, "tokens": len(answer.completion_ids)}
            if f"{answer.kind}_tokens" in probe:
                probe[f"{answer.kind}_tokens"] = [self._token(id) for id in answer.completion_ids]
        return described

    def _token(self, id: int) -> str:
        # Asked for thousands of times, of a few hundred tokens.
        if id not in self._texts:
            self._texts[id] = str(self._tokenizer.decode([int(id)]))
        return self._texts[id]

    def _evaluation(
        self, readings: Mapping[int, Reading], moved: Sequence[float], step: int, stage: int, began: bool
    ) -> dict[str, Any]:
        prompts = len(self._probes)
        by_kind: dict[str, list[Reading | None]] = {}
        for index, reading in readings.items():
            answer = self._answers[index]
            by_kind.setdefault(answer.kind, [None] * prompts)[answer.prompt] = reading
        event: dict[str, Any] = {
            "event": "evaluation",
            "step": step,
            "stage": stage,
            "logps": {kind: singles(NAN if r is None else r.logp for r in of) for kind, of in sorted(by_kind.items())},
            "chosen": self._along(by_kind.get("chosen", [])),
        }
        if "rejected" in by_kind:
            event["rejected"] = self._along(by_kind["rejected"])
        flows = [None if r is None else r.flow for r in by_kind.get("chosen", [])]
        if not began and any(flow is not None for flow in flows):
            event["stage_flow"] = self._flows(flows, moved)
        return event

    def _along(self, of: Sequence[Reading | None]) -> dict[str, Any]:
        names = ("argmax_logps", "argmax_logp"), ("p_e", "p_e"), ("energy", "energy"), ("a_frobenius", "a_frobenius")
        along: dict[str, Any] = {
            field: singles(NAN if r is None else getattr(r, name) for r in of)
            for field, name in (*names, ("entropy", "entropy"))
        }
        along["argmax_tokens"] = [[] if r is None else [self._token(id) for id in r.argmax_ids] for r in of]
        return along

    def _flows(self, flows: Sequence[Flow | None], moved: Sequence[float]) -> dict[str, Any]:
        def column(of: Any) -> list[Any]:
            return [single(NAN if flow is None else of(flow)) for flow in flows]

        def named(tokens: Iterable[tuple[int, float]]) -> list[dict[str, Any]]:
            return [{"token": self._token(id), "mass": single(mass)} for id, mass in tokens]

        gained, lost = largest_moves(moved, LISTED)
        return {
            "since": self._flow_since,
            "star_gain": column(lambda flow: flow.star_gain),
            "gain": column(lambda flow: flow.gain),
            "star": column(lambda flow: flow.star),
            "label": column(lambda flow: flow.label),
            "bystanders": column(lambda flow: -(flow.star + flow.label)),
            "entropy": column(lambda flow: flow.entropy),
            "gained": named(gained),
            "lost": named(lost),
            "pairs": [
                {"gained": named(flow.gained), "lost": named(flow.lost)} if flow else {"gained": [], "lost": []}
                for flow in flows
            ],
        }

    def _failed(self, what: str, step: int, error: Exception) -> None:
        text = f"{what}: {type(error).__name__}: {error}"
        self._once(f"{what}{type(error).__name__}", f"at step {step} {text}; the training goes on")
        self.note(max(step, self._step), text, warning=True)

    def _remark(self, key: str, step: int, text: str) -> None:
        if key not in self._logged:
            self.note(step, text, warning=True)
        self._once(key, f"at step {step} {text}")

    def _once(self, key: str, text: str) -> None:
        if key not in self._logged:
            self._logged.add(key)
            log.warning("ldyn_tui: %s", text)


def _finite(x: float) -> bool:
    return x - x == 0


def _backend(model: Any) -> str:
    device = next((str(p.device) for p in model.parameters()), "cpu") if hasattr(model, "parameters") else "python"
    return f"torch {device.split(':')[0]}" if device != "python" else device


def _described_model(model: Any) -> str:
    if not hasattr(model, "parameters"):
        return type(model).__name__ if model is not None else "unknown"
    count = sum(int(getattr(p, "ds_numel", p.numel())) for p in model.parameters())
    name = getattr(getattr(model, "config", None), "_name_or_path", "") or type(model).__name__
    return f"{pathlib.PurePath(str(name)).name}, {count / 1e6:.1f} M parameters"
