"""`LdynCallback`: watches a `transformers.Trainer`, TRL's among them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any

from transformers import TrainerCallback

from . import ranks
from .probes import Row
from .recorder import Recorder
from .runfile import Stage
from .samples import Reward, Samples

log = logging.getLogger("ldyn_tui")

#: What the callback may take beyond its forward passes, as a share of the training's own time.
BUDGET = 0.02
#: Measurements before the callback judges what it takes.
JUDGED_FROM = 3

#: Trainers by the beginning of their configuration's name: objective, whether it pushes an answer down, whether answers
#: are sampled from the policy.
_TRAINERS: dict[str, tuple[str, bool, bool]] = {
    "DPO": ("sigmoid", True, False),
    "CPO": ("sigmoid", True, False),
    "ORPO": ("orpo", True, False),
    "KTO": ("kto", True, False),
    "BCO": ("bco", True, False),
    "OnlineDPO": ("sigmoid", True, True),
    "XPO": ("sigmoid", True, True),
    "NashMD": ("sigmoid", True, True),
    "GRPO": ("grpo", True, True),
    "RLOO": ("rloo", True, True),
    "SFT": ("sft", False, False),
}


class LdynCallback(TrainerCallback):  # type: ignore[misc]
    """Measures probes inside a training and writes the run file that `ldyn-tui attach` shows.

        trainer = DPOTrainer(..., callbacks=[LdynCallback(probes="probes.jsonl", out="runs/mine")])

    The probes are measured before the first step (with DeepSpeed ZeRO-3 after it), every `every` optimiser steps, and after
    the last one. What the trainer
    logs is recorded under the trainer's own names. Nothing that goes wrong here stops the training.

    The callback measures what it takes. Where that is more than 2 % of the training's own time, the forward passes of
    measurements apart, it measures half as often from then on, and says so in the run file.
    """

    def __init__(
        self,
        probes: str | os.PathLike[str] | Iterable[Row],
        every: int = 50,
        prompts: int = 64,
        out: str | os.PathLike[str] = "runs/run",
        *,
        derive: bool = True,
        flow: bool = True,
        detector: Mapping[str, float] | None = None,
        description: str = "",
        max_length: int | None = None,
        budget: float = BUDGET,
    ) -> None:
        """Reads nothing yet: that happens when the training begins.

        Args:
            probes: A file of JSON lines or rows with `prompt`, `chosen`, `rejected` and further kinds of answers, texts or
                lists of messages. Give training rows, or `irr_train` is no answer to a training question.
            every: Optimiser steps between two measurements.
            prompts: So many of the first rows are observed.
            out: The run's directory; `-2`, `-3`, ... is added where there is one already, unless the training resumes it.
            derive: Whether to add answers that follow from the data where a row has none.
            flow: Whether to measure mass flow.
            detector: Thresholds of the detector, by name.
            description: One or two sentences for whoever watches.
            max_length: Longest prompt and answer, tokens; the trainer's own limit where absent.
            budget: What the callback may take beyond its forward passes, as a share of the training's own time.
        """
        if every < 1:
            raise ValueError(f"every must be at least 1, and is {every}: it counts optimiser steps")
        self.every = every
        self._probes, self._prompts, self._out = probes, prompts, out
        self._options: dict[str, Any] = {
            "derive": derive,
            "flow": flow,
            "detector": detector,
            "description": description,
        }
        self._max_length, self._budget = max_length, budget
        self._measurements = 0
        self._samples: Samples | None = None
        self._after_a_step = False
        #: What records the run; `None` before the training begins, and where it could not be begun.
        self.recorder: Recorder | None = None

    def watch(self, reward: Reward) -> Reward:
        """The same reward function, for GRPOTrainer or RLOOTrainer, with an ear on what it rewards.

            trainer = GRPOTrainer(..., reward_funcs=callback.watch(reward), callbacks=[callback])

        At every measurement the latest samples that were pulled up (their reward above their prompt's mean) and those that
        were pushed down are read, and answers that were correct earlier are followed; see `Samples.metrics`. Of several
        reward functions watch the one that says what is correct. A prompt's samples are compared as far as one process has
        them.
        """
        self._samples = self._samples or Samples()
        return self._samples.watched(reward)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begins the run's directory and measures the model as it is."""
        try:
            tokenizer = kwargs.get("processing_class") or kwargs.get("tokenizer")
            tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
            self.recorder = Recorder(
                self._out,
                self._probes,
                tokenizer,
                stages=[stage_of(args, state)],
                prompts=self._prompts,
                max_length=self._max_length or getattr(args, "max_length", None),
                seed=getattr(args, "seed", 0),
                resume_at=state.global_step or None,
                **self._options,
            )
        except Exception as error:
            self.recorder = None
            log.warning("ldyn_tui: the run is not recorded: %s: %s", type(error).__name__, error)
        # All ranks do alike from here on, or those that measure would wait for the others for ever.
        begun = ranks.gather((self.recorder is not None, self.recorder and self.recorder.measured))
        if self.recorder is None or not all(ok for ok, _ in begun):
            self.recorder = None
            return
        self.recorder.measured = begun[0][1]
        model = kwargs.get("model")
        # Where a measurement was ZeRO-3's first forward pass, TRL's first backward pass failed on a weight that was empty;
        # a measurement after a step does no harm.
        self._after_a_step = sharded_by_zero3(model)
        if not self._after_a_step:
            self._measure(state.global_step, model)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measures when it is time."""
        if self._after_a_step or state.global_step % self.every == 0:
            self._after_a_step = False
            self._measure(state.global_step, kwargs.get("model"))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """Records what the trainer logs at a step; its summary at the end is no step's."""
        if self.recorder is None or not logs or "train_runtime" in logs:
            return
        metrics = {name: value for name, value in logs.items() if name not in ("epoch", "step")}
        if self._measurements:
            metrics["ldyn/overhead"] = self.recorder.share.overhead()
            metrics["ldyn/forwards"] = self.recorder.share.forward_share()
        self.recorder.log(state.global_step, metrics)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measures the model as it has become, and ends the run."""
        recorder = self.recorder
        if recorder is None:
            return
        self._measure(state.global_step, kwargs.get("model"))
        done = not state.max_steps or state.global_step >= state.max_steps
        recorder.finish(state.global_step, "finished" if done else "stopped")

    def _measure(self, step: int, model: Any) -> None:
        recorder = self.recorder
        if recorder is None or model is None or recorder.measured == step:
            return
        recorder.measure(model, step)
        if self._samples is not None:
            recorder.measure_samples(model, step, self._samples)
        self._measurements += 1
        if self._measurements == 1:
            # Reading the probes and the first pass are done once.
            recorder.share.restart()
        elif self._measurements >= JUDGED_FROM:
            self._thin(step)

    def _thin(self, step: int) -> None:
        """Measures half as often where it takes too much; all ranks do what the first finds."""
        recorder = self.recorder
        if recorder is None:
            return
        overhead = ranks.gather(recorder.share.overhead())[0]
        if overhead <= self._budget:
            return
        self.every *= 2
        recorder.note(
            step,
            f"measuring took {overhead:.1%} of the training's time beyond its forward passes, more than "
            f"{self._budget:.1%}: from now on every {self.every} steps",
        )
        recorder.share.restart()
        self._measurements = 1


def sharded_by_zero3(model: Any) -> bool:
    """Whether DeepSpeed keeps a part of the model's weights on every rank."""
    return model is not None and any(hasattr(weight, "ds_id") for weight in model.parameters())


def stage_of(args: Any, state: Any) -> Stage:
    """What is trained, as the trainer's configuration says it."""
    names = [c.__name__.removesuffix("Config") for c in type(args).__mro__ if c.__name__.endswith("Config")]
    name = next((name for name in names if name in _TRAINERS), None)
    objective, pushes, on_policy = _TRAINERS.get(name or "", ("unknown", False, False))
    loss_type = getattr(args, "loss_type", None)
    if name in ("DPO", "CPO", "OnlineDPO") and loss_type:
        objective = "+".join(loss_type) if isinstance(loss_type, (list, tuple)) else str(loss_type)
        pushes = objective != "sft"
    beta = getattr(args, "beta", None)
    return Stage(
        name=name or "training",
        objective=objective,
        has_rejected=pushes,
        steps=int(state.max_steps or 0),
        learning_rate=float(getattr(args, "learning_rate", 0.0) or 0.0),
        beta=float(beta) if isinstance(beta, (int, float)) else None,
        on_policy=on_policy,
    )
