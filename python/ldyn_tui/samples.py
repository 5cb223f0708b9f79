"""Answers that a training by reward (GRPO, RLOO) samples: those pulled up, those pushed down, and what becomes of
the former. Without torch.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .reading import Reading
from .tokens import Answer

#: What gives rewards, as TRL calls it: one a completion, or `None` where it does not apply.
Reward = Callable[..., Sequence[float | None]]

#: Samples of either sign that are read at a measurement, the latest; answers that were correct earlier that are followed.
READ, FOLLOWED = 64, 64
#: How far a reward must be from its group's mean to count as different.
_ALIKE = 1e-9


@dataclass(frozen=True)
class Sample:
    """A sampled answer with the sign of its advantage."""

    #: The prompt, as the trainer hands it to a reward: a text or a list of messages.
    prompt: Any
    #: Tokens of the answer.
    completion_ids: tuple[int, ...]
    #: Whether its reward is above the mean of its prompt's samples (it is pulled up) or below (it is pushed down).
    correct: bool


class Samples:
    """Listens to a reward function, and follows answers that were correct when they were sampled."""

    def __init__(self) -> None:
        """Knows no samples yet."""
        self._latest: dict[bool, deque[Sample]] = {sign: deque(maxlen=READ) for sign in (True, False)}
        self._counts = {True: 0, False: 0, None: 0}
        #: Answers that were correct earlier, by their prompt's text: with the log-prob of when they were first read.
        self._followed: dict[str, tuple[Answer, float]] = {}
        #: Whether a reward was called without the tokens of what it rewards: such samples cannot be read.
        self.without_tokens = False

    def watched(self, reward: Reward) -> Reward:
        """The same reward function, listened to.

        Raises `ValueError` for one that is asynchronous.
        """
        if inspect.iscoroutinefunction(reward):
            raise ValueError("a reward that is asynchronous cannot be watched; watch one that is called and returns")

        @functools.wraps(reward)
        def listening(*args: Any, **kwargs: Any) -> Sequence[float | None]:
            rewards = reward(*args, **kwargs)
            if kwargs.get("completion_ids") is None:
                self.without_tokens = True
                return rewards
            # Nothing that goes wrong here may reach the training: it counts as a sample that was not seen.
            try:
                self.note(kwargs.get("prompts") or [], kwargs["completion_ids"], rewards)
            except Exception:
                self._counts[None] += 1
            return rewards

        return listening

    def note(self, prompts: Sequence[Any], completions: Sequence[Any], rewards: Sequence[float | None]) -> None:
        """Takes a batch of samples: prompts, tokens of completions and rewards, one each. Equal prompts are one group; its
        mean is that of the samples that this process has of it.
        """
        groups: dict[str, list[tuple[Any, tuple[int, ...], float]]] = {}
        for prompt, ids, reward in zip(prompts, completions, rewards):
            if reward is not None and math.isfinite(float(reward)) and len(ids):
                sample = prompt, tuple(int(id) for id in ids), float(reward)
                groups.setdefault(key_of(prompt), []).append(sample)
        for group in groups.values():
            mean = math.fsum(reward for _, _, reward in group) / len(group)
            for prompt, ids, reward in group:
                sign = None if abs(reward - mean) <= _ALIKE else reward > mean
                self._counts[sign] += 1
                if sign is not None:
                    self._latest[sign].append(Sample(prompt, ids, sign))

    def drain(self) -> tuple[list[Sample], dict[bool | None, int]]:
        """The latest samples of both signs since the last call, and how many there were of every sign (`None`: their group
        was rewarded alike, and they teach nothing).
        """
        samples = [sample for sign in (True, False) for sample in self._latest[sign]]
        counts = dict(self._counts)
        for sign in (True, False):
            self._latest[sign].clear()
        self._counts = dict.fromkeys(self._counts, 0)
        return samples, counts

    def followed(self) -> list[Answer]:
        """The answers that were correct earlier."""
        return [answer for answer, _ in self._followed.values()]

    def metrics(
        self,
        samples: Sequence[tuple[Sample, Answer]],
        counts: Mapping[bool | None, int],
        readings: Sequence[Reading],
    ) -> dict[str, float]:
        """Scalars of a measurement, from the readings of all `samples` and then of all that are followed, in their order.
        Correct ones of prompts that are not followed yet are followed from here on.

        `sampled/correct` and `sampled/incorrect` are shares of all samples; `sampled/logps_...` mean log-probs of a token,
        nats; `earlier/logps` the mean change of an answer's log-prob since it was first read, nats, and `earlier/fell` the
        share of those that became less likely: lazy likelihood displacement (arXiv 2505.18830).
        """
        found: dict[str, float] = {}
        total = sum(counts.values())
        for sign, name in ((True, "correct"), (False, "incorrect")):
            if total:
                found[f"sampled/{name}"] = counts.get(sign, 0) / total
            logps = [
                reading.logp / len(answer.completion_ids)
                for (sample, answer), reading in zip(samples, readings)
                if sample.correct == sign and math.isfinite(reading.logp)
            ]
            if logps:
                found[f"sampled/logps_{name}"] = math.fsum(logps) / len(logps)
        since = [
            reading.logp - before
            for (_, before), reading in zip(self._followed.values(), readings[len(samples) :])
            if math.isfinite(reading.logp)
        ]
        if since:
            found["earlier/logps"] = math.fsum(since) / len(since)
            found["earlier/fell"] = sum(change < 0 for change in since) / len(since)
        for (sample, answer), reading in zip(samples, readings):
            key = key_of(sample.prompt)
            if sample.correct and math.isfinite(reading.logp) and len(self._followed) < FOLLOWED:
                self._followed.setdefault(key, (answer, reading.logp))
        return found


def key_of(prompt: Any) -> str:
    """A prompt as a text that tells it from others."""
    return prompt if isinstance(prompt, str) else json.dumps(prompt, sort_keys=True, default=str)


def answer_of(sample: Sample, tokenizer: Any, max_length: int | None = None) -> Answer | None:
    """A sample as tokens, its prompt as TRL writes it; `None` where nothing is left of either."""
    if isinstance(sample.prompt, str):
        ids = tokenizer(sample.prompt, add_special_tokens=True)["input_ids"]
    else:
        text = tokenizer.apply_chat_template(sample.prompt, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = list(ids)
    # Some tokenizers end every text.
    if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id:
        ids.pop()
    tail = sample.completion_ids[: max(max_length - len(ids), 0)] if max_length else sample.completion_ids
    return Answer(-1, "sampled", tuple(ids), tuple(tail)) if ids and tail else None
