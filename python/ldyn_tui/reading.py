"""What is read of one answer along its prefixes, and the same by plain arithmetic for models without torch."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from .kinds import READ_WHOLE
from .tokens import Answer

NAN = float("nan")

#: Makes a context in which a forward pass is timed.
Timed = Callable[[], AbstractContextManager[object]]


class BrokenMeasurement(RuntimeError):
    """A number that cannot come from one forward pass: the measurement is at fault, and is not recorded."""


@dataclass
class Flow:
    """How probability moved along one answer since the stage began: sums over its positions."""

    #: Gains of y*, the likeliest token other than the answer's own when the stage began.
    star_gain: float
    #: All gains.
    gain: float
    #: Change of y*, signed.
    star: float
    #: Change of the answer's own tokens, signed.
    label: float
    #: Mean change of entropy, nats.
    entropy: float
    #: Tokens that gained most, with their mass; largest first.
    gained: list[tuple[int, float]]
    #: Tokens that lost most.
    lost: list[tuple[int, float]]


@dataclass
class Reading:
    """One answer under teacher forcing. Log-probs are sums over its tokens, nats; NaN stands for what was not read."""

    #: Sum of the log-probs of the answer's own tokens.
    logp: float
    #: Sum of the largest log-prob at each position; never below `logp`.
    argmax_logp: float = NAN
    #: The likeliest token at each position.
    argmax_ids: list[int] = field(default_factory=list)
    #: Mean of the distance between the distribution and the token's own corner.
    p_e: float = NAN
    #: Mean of 1 - p(token).
    energy: float = NAN
    #: Mean of the Frobenius norm of A = I - 1 p^T.
    a_frobenius: float = NAN
    #: Mean entropy, nats.
    entropy: float = NAN
    #: Mass flow since the stage began; `None` where there is nothing to compare with.
    flow: Flow | None = None

    def check(self, answer: Answer, step: int) -> None:
        """Raises `BrokenMeasurement` where the likeliest tokens are less likely than the answer itself."""
        if self.argmax_logp < self.logp:
            raise BrokenMeasurement(
                f"at step {step} the argmax along {answer.kind} of prompt {answer.prompt} ({self.argmax_logp}) lies below "
                f"the answer itself ({self.logp})"
            )


@dataclass
class Read:
    """What one reader has read: readings by the answer's index, and the mass that every token gained along all y+."""

    readings: dict[int, Reading]
    #: One number a token of the vocabulary; empty without mass flow.
    moved: Sequence[float] = ()


class Reader(Protocol):
    """What reads a model."""

    def vocab_size(self, model: Any) -> int:
        """Entries of the vocabulary."""

    def read(self, model: Any, answers: Sequence[Answer], batches: Sequence[Sequence[int]], timed: Timed) -> Read:
        """Reads the answers that the batches name by their index. Each forward pass happens within `timed()`."""

    def begin_stage(self) -> None:
        """The next reading is what mass flow is measured against."""


@dataclass
class Position:
    """One position's distribution, read."""

    label_logp: float
    argmax_logp: float
    argmax: int
    p_e: float
    energy: float
    a_frobenius: float
    entropy: float
    probabilities: list[float]


def read_position(logits: Sequence[float], label: int) -> Position:
    """Reads one row of logits, shape `[vocabulary]`, in double precision."""
    largest = max(logits)
    exps = [math.exp(z - largest) for z in logits]
    total = math.fsum(exps)
    normaliser = math.log(total)
    p = [e / total for e in exps]
    squares = math.fsum(x * x for x in p)
    return Position(
        label_logp=logits[label] - largest - normaliser,
        argmax_logp=-normaliser,
        argmax=logits.index(largest) if isinstance(logits, list) else list(logits).index(largest),
        p_e=math.sqrt(max(squares - 2 * p[label] + 1, 0.0)),
        energy=1 - p[label],
        a_frobenius=math.sqrt(max(len(p) * squares + len(p) - 2, 0.0)),
        entropy=-math.fsum(x * math.log(x) for x in p if x > 0),
        probabilities=p,
    )


def flow_between(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    labels: Sequence[int],
    entropies: tuple[Sequence[float], Sequence[float]],
) -> tuple[Flow, list[float]]:
    """Mass flow along one answer between two readings of its distributions, `[positions, vocabulary]`, with the mass that
    every token gained.

    Raises `BrokenMeasurement` where gains and losses do not cancel.
    """
    own = [0.0] * len(before[0])
    flow = Flow(0.0, 0.0, 0.0, 0.0, 0.0, [], [])
    for p, q, label in zip(before, after, labels):
        delta = [b - a for a, b in zip(p, q)]
        gains = math.fsum(d for d in delta if d > 0)
        losses = -math.fsum(d for d in delta if d < 0)
        if abs(gains - losses) > BALANCE:
            raise BrokenMeasurement(f"mass flow is out of balance: {gains} gained, {losses} lost")
        star = max((v for v in range(len(p)) if v != label), key=lambda v: p[v])
        flow.star_gain += max(delta[star], 0.0)
        flow.gain += gains
        flow.star += delta[star]
        flow.label += delta[label]
        own = [o + d for o, d in zip(own, delta)]
    flow.entropy = math.fsum(b - a for a, b in zip(*entropies)) / max(len(labels), 1)
    flow.gained, flow.lost = largest_moves(own, LISTED_PER_ANSWER)
    return flow, own


#: How far gains and losses at one position may be from cancelling: single precision over a large vocabulary.
BALANCE = 1e-5
#: Tokens that are listed of one answer, and over all.
LISTED_PER_ANSWER, LISTED = 5, 8


def largest_moves(own: Sequence[float], count: int) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The tokens that gained most and those that lost most, each with what it gained, largest movement first."""
    most = heapq.nsmallest(count, range(len(own)), key=lambda v: (-own[v], v))
    least = heapq.nsmallest(count, range(len(own)), key=lambda v: (own[v], -v))
    return [(v, own[v]) for v in most if own[v] > 0], [(v, own[v]) for v in least if own[v] < 0]


class RowReader:
    """Reads a model that is a function from tokens to rows of logits, by plain Python: for loops without torch, and for
    tests. `model(ids)` gives one row of logits, `[vocabulary]`, for each token of `ids`: what follows it.
    """

    def __init__(self, vocab_size: int, flow: bool = True) -> None:
        """Reads rows of `vocab_size` logits; without `flow` no distribution is kept."""
        self._vocab_size = vocab_size
        self._keeps = flow
        self._start: dict[int, tuple[list[list[float]], list[float]]] | None = None

    def vocab_size(self, model: Any) -> int:
        """Entries of the vocabulary."""
        return self._vocab_size

    def begin_stage(self) -> None:
        """The next reading is what mass flow is measured against."""
        self._start = None

    def read(
        self,
        model: Callable[[list[int]], Sequence[Sequence[float]]],
        answers: Sequence[Answer],
        batches: Sequence[Sequence[int]],
        timed: Timed,
    ) -> Read:
        """Reads the answers that the batches name by their index."""
        result = Read({})
        kept: dict[int, tuple[list[list[float]], list[float]]] = {}
        moved: list[float] = []
        for index in (index for batch in batches for index in batch):
            answer = answers[index]
            with timed():
                rows = model([*answer.prompt_ids, *answer.completion_ids])
            first = len(answer.prompt_ids) - 1
            positions = [read_position(list(rows[first + at]), id) for at, id in enumerate(answer.completion_ids)]
            reading = Reading(math.fsum(p.label_logp for p in positions))
            if answer.kind in READ_WHOLE:
                n = len(positions)
                reading.argmax_logp = math.fsum(p.argmax_logp for p in positions)
                reading.argmax_ids = [p.argmax for p in positions]
                reading.p_e = math.fsum(p.p_e for p in positions) / n
                reading.energy = math.fsum(p.energy for p in positions) / n
                reading.a_frobenius = math.fsum(p.a_frobenius for p in positions) / n
                reading.entropy = math.fsum(p.entropy for p in positions) / n
            if answer.kind == "chosen" and self._keeps:
                now = ([p.probabilities for p in positions], [p.entropy for p in positions])
                if self._start is None:
                    kept[index] = now
                elif index in self._start:
                    before, entropies = self._start[index]
                    reading.flow, own = flow_between(before, now[0], answer.completion_ids, (entropies, now[1]))
                    moved = own if not moved else [a + b for a, b in zip(moved, own)]
            result.readings[index] = reading
        if self._start is None and kept:
            self._start = kept
        result.moved = moved
        return result
