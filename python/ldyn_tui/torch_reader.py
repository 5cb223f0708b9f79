"""Reads a torch model: any causal language model of transformers, wrapped or not."""

from __future__ import annotations

import inspect
import math
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch

from .kinds import READ_WHOLE
from .reading import BALANCE, LISTED_PER_ANSWER, BrokenMeasurement, Flow, Read, Reading, Timed
from .tokens import Answer

#: Log-probs that exist at the same time while they are reduced: on a CPU as many as its cache holds.
_AT_ONCE, _AT_ONCE_CPU = 1 << 23, 1 << 18
#: Bytes of distributions that are kept for mass flow, at most.
FLOW_BYTES = 512 << 20


class TorchReader:
    """Reads answers by teacher forcing, without gradients, in evaluation mode, in the precision that the model has.

    Only logits from the prompts' ends on are asked for (`logits_to_keep`), of a bounded number of answers at a time. The
    model is left as it was: training mode module by module, and the state of every random number generator.
    """

    def __init__(self, flow: bool = True, flow_bytes: int = FLOW_BYTES) -> None:
        """With `flow`, the distributions along y+ of a stage's beginning are kept in the CPU's memory, if they fit into
        `flow_bytes` (4 bytes for each position of y+ and each token of the vocabulary, over all ranks together).
        """
        self._keeps = flow
        self._flow_bytes = flow_bytes
        self._beginning: Beginning | None = None

    def vocab_size(self, model: Any) -> int:
        """Entries of the vocabulary, as the model's configuration says."""
        config = getattr(unwrapped(model), "config", None)
        text = config.get_text_config() if hasattr(config, "get_text_config") else config
        return int(getattr(text, "vocab_size", 0) or 0)

    def begin_stage(self) -> None:
        """The next reading is what mass flow is measured against."""
        self._beginning = None

    def flows(self, answers: Sequence[Answer], vocab_size: int) -> bool:
        """Whether mass flow is measured: whether the distributions along y+ fit into the memory for them."""
        positions = sum(len(answer.completion_ids) for answer in answers if answer.kind == "chosen")
        return self._keeps and 4 * positions * vocab_size <= self._flow_bytes

    def read(self, model: Any, answers: Sequence[Answer], batches: Sequence[Sequence[int]], timed: Timed) -> Read:
        """Reads the answers that the batches name by their index."""
        result = Read({})
        beginning = None
        read_here = dict.fromkeys(index for batch in batches for index in batch)
        chosen = [index for index in read_here if answers[index].kind == "chosen"]
        if chosen and self.flows(answers, self.vocab_size(model)):
            beginning = self._beginning or Beginning(answers, chosen)
        moved: torch.Tensor | None = None
        model = module_of(model)
        with torch.no_grad(), as_it_was(model):
            for batch in batches:
                of_batch = [answers[index] for index in batch]
                with timed():
                    logits, first = forward(model, of_batch)
                    finish(logits)
                # A batch that a rank reads twice, so that all ranks read equally many, counts once.
                if batch[0] in result.readings:
                    continue
                whole = [row for row, answer in enumerate(of_batch) if answer.kind in READ_WHOLE]
                if whole:
                    indices = [batch[row] for row in whole]
                    readings, own = read_whole(Rows(logits, first, of_batch, whole), beginning, indices)
                    result.readings.update(zip(indices, readings))
                    if own is not None:
                        moved = own if moved is None else moved + own
                rest = [row for row, answer in enumerate(of_batch) if answer.kind not in READ_WHOLE]
                if rest:
                    labels = read_labels(Rows(logits, first, of_batch, rest))
                    result.readings.update(zip((batch[row] for row in rest), labels))
        if beginning is not None:
            beginning.complete = True
            self._beginning = beginning
        result.moved = [] if moved is None else moved.tolist()
        return result


def module_of(model: Any) -> Any:
    """The model to call: what DistributedDataParallel wraps (a forward pass of its own needs no other rank), else itself."""
    if isinstance(model, torch.nn.parallel.DistributedDataParallel):
        return model.module
    return model


def unwrapped(model: Any) -> Any:
    """The model within wrappers of training (DDP, FSDP, DeepSpeed, torch.compile) and of PEFT."""
    while True:
        inner = getattr(model, "_orig_mod", None) or getattr(model, "module", None)
        if not isinstance(inner, torch.nn.Module):
            break
        model = inner
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@contextmanager
def as_it_was(model: Any) -> Iterator[None]:
    """Evaluation mode within; training mode (module by module) and all random number generators restored after."""
    training = [module for module in model.modules() if module.training]
    states = random.getstate(), torch.get_rng_state()
    numpy = sys.modules.get("numpy")
    of_numpy = numpy.random.get_state() if numpy is not None else None
    of_cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
        random.setstate(states[0])
        torch.set_rng_state(states[1])
        if numpy is not None:
            numpy.random.set_state(of_numpy)
        if of_cuda is not None:
            torch.cuda.set_rng_state(of_cuda)


def forward(model: Any, answers: Sequence[Answer]) -> tuple[torch.Tensor, int]:
    """Logits of a batch, `[answers, positions, vocabulary]`, from position `first` on, which is returned: the last token of
    the shortest prompt.
    """
    device = next((p.device for p in model.parameters() if p.device.type != "meta"), torch.device("cpu"))
    width = max(len(answer) for answer in answers)
    ids = torch.zeros((len(answers), width), dtype=torch.long)
    mask = torch.zeros((len(answers), width), dtype=torch.long)
    for row, answer in enumerate(answers):
        tokens = torch.tensor([*answer.prompt_ids, *answer.completion_ids])
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    ids, mask = ids.to(device), mask.to(device)
    first = min(len(answer.prompt_ids) for answer in answers) - 1
    further: dict[str, Any] = {}
    parameters = inspect.signature(unwrapped(model).forward).parameters
    if "use_cache" in parameters:
        further["use_cache"] = False
    if "logits_to_keep" in parameters:
        further["logits_to_keep"] = torch.arange(first, width - 1, device=device)
    out = model(input_ids=ids, attention_mask=mask, **further)
    logits = out.logits if hasattr(out, "logits") else out
    if logits.shape[1] == width:
        logits = logits[:, first : width - 1]
    if logits.shape[:2] != (len(answers), width - 1 - first):
        raise BrokenMeasurement(
            f"the model gave logits of shape {tuple(logits.shape)} for {len(answers)} answers of {width} tokens"
        )
    return logits, first


def finish(logits: torch.Tensor) -> None:
    """Waits until a forward pass is done, so that its time is its own."""
    if logits.device.type == "cuda":
        torch.cuda.synchronize(logits.device)


class Rows:
    """The rows of a batch's logits that stand before the tokens of some of its answers, one answer after the other."""

    def __init__(self, logits: torch.Tensor, first: int, answers: Sequence[Answer], some: Sequence[int]) -> None:
        """Of `logits`, `[answers, positions, vocabulary]`, which begin at position `first`, the rows of the answers that
        `some` names by their place in the batch.
        """
        self._logits = logits
        answer, at, label, self.lengths = [], [], [], []
        for row in some:
            begin, length = len(answers[row].prompt_ids) - 1 - first, len(answers[row].completion_ids)
            answer.extend([row] * length)
            at.extend(range(begin, begin + length))
            label.extend(answers[row].completion_ids)
            self.lengths.append(length)
        device = logits.device
        self._answer, self._at = torch.tensor(answer, device=device), torch.tensor(at, device=device)
        #: Which answer, counted from 0 among these, a row belongs to, `[rows]`; on the CPU.
        self.owner = torch.repeat_interleave(torch.tensor(self.lengths))
        #: The answers' own tokens, `[rows, 1]`.
        self.labels = torch.tensor(label, device=device).unsqueeze(-1)

    def log_probs(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Log-probs of all tokens, `[some rows, vocabulary]`, in single precision, with the rows that they are: so many at a
        time as a cache holds.
        """
        elements = _AT_ONCE_CPU if self._logits.device.type == "cpu" else _AT_ONCE
        at_once = max(elements // max(self._logits.shape[-1], 1), 1)
        for begin in range(0, len(self._at), at_once):
            rows = slice(begin, min(begin + at_once, len(self._at)))
            logits = self._logits[self._answer[rows], self._at[rows]]
            yield rows, torch.log_softmax(logits, -1, dtype=torch.float32)

    def sums(self, numbers: torch.Tensor) -> list[list[float]]:
        """Sums over each answer's rows of `[rows, columns]`, in double precision."""
        total = torch.zeros((len(self.lengths), numbers.shape[1]), dtype=torch.float64)
        return cast("list[list[float]]", total.index_add_(0, self.owner, numbers.double().cpu()).tolist())


class Beginning:
    """The distributions along y+ at a stage's beginning, which mass flow is measured against; in the CPU's memory."""

    def __init__(self, answers: Sequence[Answer], chosen: Sequence[int]) -> None:
        """Makes room for the answers that `chosen` names by their index."""
        self._first, rows = {}, 0
        for index in chosen:
            self._first[index] = rows
            rows += len(answers[index].completion_ids)
        self._rows = rows
        self._p: torch.Tensor | None = None
        self._star = torch.zeros(rows, dtype=torch.long)
        self._entropy = torch.zeros(rows)
        #: Whether all of it was read: what is read from then on is held against it.
        self.complete = False

    def places(self, indices: Sequence[int], rows: Rows) -> torch.Tensor:
        """Where the rows of the answers `indices` are kept, `[rows]`; -1 for those of an answer that is not."""
        firsts = [self._first.get(index, -1) for index in indices]
        spans = [range(at, at + n) if at >= 0 else [-1] * n for at, n in zip(firsts, rows.lengths)]
        return torch.tensor([place for span in spans for place in span], dtype=torch.long)

    def keep(self, places: torch.Tensor, p: torch.Tensor, labels: torch.Tensor, entropy: torch.Tensor) -> None:
        """Keeps distributions, `[rows, vocabulary]`, with the likeliest token other than the answer's own."""
        if self._p is None:
            self._p = torch.empty((self._rows, p.shape[-1]))
        self._p[places] = p.cpu()
        self._star[places] = p.scatter(-1, labels, -1.0).argmax(-1).cpu()
        self._entropy[places] = entropy.cpu()

    def since(
        self, places: torch.Tensor, p: torch.Tensor, labels: torch.Tensor, entropy: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What every token gained at some rows, `[rows, vocabulary]`, and of every row the gains of y*, all gains, the
        changes of y*, of the answer's own token and of the entropy, `[rows, 5]`.

        Raises `BrokenMeasurement` where gains and losses do not cancel.
        """
        if self._p is None:
            raise BrokenMeasurement("mass flow is held against a beginning that was not read")
        delta = p - self._p[places].to(p.device)
        rest = delta.sum(-1, keepdim=True)
        # A row that is not finite has no flow; it compares as balanced here and is left out later.
        apart = rest.nan_to_num(0.0, 0.0, 0.0).abs().max().item() if len(rest) else 0.0
        if apart > BALANCE:
            raise BrokenMeasurement(f"mass flow is out of balance by {apart}: gains and losses must cancel")
        gain = (torch.linalg.vector_norm(delta, ord=1, dim=-1, keepdim=True) + rest) / 2
        star = delta.gather(-1, self._star[places].to(p.device).unsqueeze(-1))
        change = entropy - self._entropy[places].to(p.device)
        return delta, torch.cat([star.clamp(min=0), gain, star, delta.gather(-1, labels), change.unsqueeze(-1)], -1)


def read_labels(rows: Rows) -> list[Reading]:
    """The log-prob of every answer's own tokens, and nothing else."""
    labels = [log_probs.gather(-1, rows.labels[of]) for of, log_probs in rows.log_probs()]
    return [Reading(logp) for (logp,) in rows.sums(torch.cat(labels))]


def read_whole(
    rows: Rows, beginning: Beginning | None, indices: Sequence[int]
) -> tuple[list[Reading], torch.Tensor | None]:
    """Reads the whole distribution at every position, and mass flow along the answers that `beginning` keeps, or keeps them.

    `indices` are the answers' own. Returns the readings and the mass that every token gained along them, `[vocabulary]`;
    `None` where nothing was held against a beginning.
    """
    numbers, ids = [], []
    places = None if beginning is None else beginning.places(indices, rows)
    flows = torch.full((len(rows.owner), 5), torch.nan)
    own: torch.Tensor | None = None
    for of, log_probs in rows.log_probs():
        vocab = log_probs.shape[-1]
        label = log_probs.gather(-1, rows.labels[of])
        largest, best = log_probs.max(-1, keepdim=True)
        p = log_probs.exp()
        entropy = -torch.linalg.vecdot(p, log_probs)
        if not bool(torch.isfinite(entropy).all()):
            # A token that the model rules out has the log-prob -inf, and no part in the entropy.
            entropy = torch.special.entr(p).sum(-1)
        squares, mine = torch.linalg.vecdot(p, p).unsqueeze(-1), label.exp()
        p_e = (squares - 2 * mine + 1).clamp(min=0).sqrt()
        norm = (vocab * squares + vocab - 2).clamp(min=0).sqrt()
        numbers.append(torch.cat([label, largest, p_e, 1 - mine, norm, entropy.unsqueeze(-1)], -1))
        ids.append(best.squeeze(-1))
        if beginning is None or places is None:
            continue
        kept = (places[of] >= 0).nonzero().squeeze(-1)
        at, here = places[of][kept], kept.to(p.device)
        some = (p, rows.labels[of], entropy) if len(kept) == len(p) else (p[here], rows.labels[of][here], entropy[here])
        if not beginning.complete:
            beginning.keep(at, *some)
            continue
        delta, changes = beginning.since(at, *some)
        flows[kept + of.start] = changes.cpu()
        own = torch.zeros((len(rows.lengths), vocab), device=p.device) if own is None else own
        own.index_add_(0, rows.owner[of][kept].to(p.device), delta)
    told = torch.cat(ids).tolist()
    readings, end = [], 0
    for (logp, argmax, *means), n in zip(rows.sums(torch.cat(numbers)), rows.lengths):
        readings.append(Reading(logp, argmax, told[end : end + n], *(total / n for total in means)))
        end += n
    return readings, None if own is None else _with_flow(readings, rows, flows, own)


def _with_flow(readings: Sequence[Reading], rows: Rows, flows: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Gives the readings their mass flow, from that of their rows, `[rows, 5]`, and what every token gained along each,
    `[answers, vocabulary]`; returns the latter's sum over answers. An answer that is not finite has none.
    """
    gained, lost = listed(own), listed(-own)
    finite = []
    for at, (sums, n) in enumerate(zip(rows.sums(flows), rows.lengths)):
        if all(math.isfinite(total) for total in sums):
            finite.append(at)
            star_gain, gain, star, label, entropy = sums
            losses = [(id, -mass) for id, mass in lost[at]]
            readings[at].flow = Flow(star_gain, gain, star, label, entropy / n, gained[at], losses)
    return own[finite].sum(0).double().cpu()


def listed(own: torch.Tensor) -> list[list[tuple[int, float]]]:
    """The tokens that gained most in each row of `[answers, vocabulary]`, with their mass; largest first."""
    masses, ids = own.topk(min(LISTED_PER_ANSWER, own.shape[-1]))
    return [[(id, mass) for id, mass in zip(*of) if mass > 0] for of in zip(ids.tolist(), masses.tolist())]
