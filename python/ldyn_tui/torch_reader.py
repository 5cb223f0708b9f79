"""Reads a torch model: any causal language model of transformers, wrapped or not."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .kinds import READ_WHOLE
from .reading import BALANCE, LISTED_PER_ANSWER, BrokenMeasurement, Flow, Read, Reading, Timed, largest_moves
from .tokens import Answer

#: Logits that exist in double or single precision at the same time while they are reduced.
_ROWS_AT_ONCE = 1 << 23
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
        self._start: dict[int, tuple[torch.Tensor, torch.Tensor]] | None = None

    def vocab_size(self, model: Any) -> int:
        """Entries of the vocabulary, as the model's configuration says."""
        config = getattr(unwrapped(model), "config", None)
        text = config.get_text_config() if hasattr(config, "get_text_config") else config
        return int(getattr(text, "vocab_size", 0) or 0)

    def begin_stage(self) -> None:
        """The next reading is what mass flow is measured against."""
        self._start = None

    def flows(self, answers: Sequence[Answer], vocab_size: int) -> bool:
        """Whether mass flow is measured: whether the distributions along y+ fit into the memory for them."""
        positions = sum(len(answer.completion_ids) for answer in answers if answer.kind == "chosen")
        return self._keeps and 4 * positions * vocab_size <= self._flow_bytes

    def read(self, model: Any, answers: Sequence[Answer], batches: Sequence[Sequence[int]], timed: Timed) -> Read:
        """Reads the answers that the batches name by their index."""
        result = Read({})
        kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        moved: torch.Tensor | None = None
        flows = self.flows(answers, self.vocab_size(model))
        model = module_of(model)
        with torch.no_grad(), as_it_was(model):
            for batch in batches:
                of_batch = [answers[index] for index in batch]
                with timed():
                    logits, first = forward(model, of_batch)
                    finish(logits)
                for row, (index, answer) in enumerate(zip(batch, of_batch)):
                    at = len(answer.prompt_ids) - 1 - first
                    rows = logits[row, at : at + len(answer.completion_ids)]
                    before = (self._start or {}).get(index)
                    keeps = flows and answer.kind == "chosen"
                    reading, now, own = read_rows(rows, answer, before if keeps else None, keeps)
                    # A batch that a rank reads twice, so that all ranks read equally many, counts once.
                    if index in result.readings:
                        continue
                    result.readings[index] = reading
                    if now is not None and self._start is None:
                        kept[index] = now
                    if own is not None:
                        moved = own if moved is None else moved + own
        if self._start is None and flows:
            self._start = kept
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


def read_rows(
    logits: torch.Tensor, answer: Answer, before: tuple[torch.Tensor, torch.Tensor] | None, keep: bool
) -> tuple[Reading, tuple[torch.Tensor, torch.Tensor] | None, torch.Tensor | None]:
    """Reads an answer's rows of logits, `[positions, vocabulary]`, some rows at a time.

    `before` holds the distributions, `[positions, vocabulary]`, and entropies, `[positions]`, of the stage's beginning.
    Returns the reading, with `keep` the same of now, and the mass that every token gained, `[vocabulary]`.
    """
    labels = torch.tensor(answer.completion_ids, device=logits.device)
    whole = answer.kind in READ_WHOLE
    vocab = logits.shape[-1]
    at_once = max(_ROWS_AT_ONCE // max(vocab, 1), 1)
    numbers: list[torch.Tensor] = []
    ids: list[int] = []
    distributions: list[torch.Tensor] = []
    for begin in range(0, len(labels), at_once):
        z = logits[begin : begin + at_once].float()
        y = labels[begin : begin + at_once].unsqueeze(-1)
        normaliser = torch.logsumexp(z, -1, keepdim=True)
        label = z.gather(-1, y) - normaliser
        if not whole:
            numbers.append(label.double().cpu())
            continue
        largest, best = z.max(-1, keepdim=True)
        p = (z - normaliser).exp()
        squares = (p * p).sum(-1, keepdim=True)
        own = label.exp()
        p_e = (squares - 2 * own + 1).clamp(min=0).sqrt()
        norm = (vocab * squares + vocab - 2).clamp(min=0).sqrt()
        entropy = normaliser - (p * z).sum(-1, keepdim=True)
        row = torch.cat([label, largest - normaliser, p_e, 1 - own, norm, entropy], -1)
        numbers.append(row.double().cpu())
        ids.extend(best.squeeze(-1).tolist())
        if keep:
            distributions.append(p.cpu())
    table = torch.cat(numbers)
    reading = Reading(table[:, 0].sum().item())
    if not whole:
        return reading, None, None
    reading.argmax_logp = table[:, 1].sum().item()
    reading.argmax_ids = ids
    reading.p_e, reading.energy, reading.a_frobenius, reading.entropy = table[:, 2:].mean(0).tolist()
    if not keep:
        return reading, None, None
    now = torch.cat(distributions), table[:, 5]
    if before is None:
        return reading, now, None
    reading.flow, moved = flow_between(before, now, labels.cpu())
    return reading, None, moved


def flow_between(
    before: tuple[torch.Tensor, torch.Tensor], after: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor
) -> tuple[Flow | None, torch.Tensor | None]:
    """Mass flow along one answer between two readings of its distributions, and the mass that every token gained.

    Nothing where a distribution is not finite. Raises `BrokenMeasurement` where gains and losses do not cancel.
    """
    p, q = before[0].double(), after[0].double()
    delta = q - p
    if not bool(torch.isfinite(delta).all()):
        return None, None
    gains = delta.clamp(min=0).sum(-1)
    losses = -delta.clamp(max=0).sum(-1)
    apart = (gains - losses).abs().max().item()
    if apart > BALANCE:
        raise BrokenMeasurement(f"mass flow is out of balance by {apart}: gains and losses must cancel")
    label = labels.unsqueeze(-1)
    star = delta.gather(-1, p.scatter(-1, label, -1.0).argmax(-1, keepdim=True))
    moved = delta.sum(0)
    gained, lost = largest_of(moved, LISTED_PER_ANSWER)
    flow = Flow(
        star_gain=star.clamp(min=0).sum().item(),
        gain=gains.sum().item(),
        star=star.sum().item(),
        label=delta.gather(-1, label).sum().item(),
        entropy=(after[1] - before[1]).mean().item(),
        gained=gained,
        lost=lost,
    )
    return flow, moved


def largest_of(moved: torch.Tensor, count: int) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The tokens that gained most and those that lost most, each with its mass."""
    count = min(count, len(moved))
    ids = torch.cat([moved.topk(count).indices, (-moved).topk(count).indices]).unique()
    gained, lost = largest_moves(moved[ids].tolist(), count)
    return [(int(ids[i]), mass) for i, mass in gained], [(int(ids[i]), mass) for i, mass in lost]
