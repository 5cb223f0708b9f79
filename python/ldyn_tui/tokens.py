"""The boundary between a prompt and its answers, in tokens: as the program and TRL draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .probes import Probe, common


class Tokenizer(Protocol):
    """What is used of a tokenizer: a `transformers` one, or one of your own."""

    #: The token that ends a text; `None` where there is none.
    eos_token_id: int | None

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, Any]:
        """The tokens of a text, under `input_ids`."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens."""


@dataclass(frozen=True)
class Answer:
    """One answer to one prompt, as tokens."""

    #: Index of the prompt among the observed ones.
    prompt: int
    #: The kind of answer.
    kind: str
    #: Tokens of the prompt; at least one.
    prompt_ids: tuple[int, ...]
    #: Tokens of the answer, the one that ends it included; at least one.
    completion_ids: tuple[int, ...]

    def __len__(self) -> int:
        """Tokens of prompt and answer."""
        return len(self.prompt_ids) + len(self.completion_ids)


def part(probe: Probe, index: int, tokenizer: Tokenizer, max_length: int | None = None) -> list[Answer]:
    """Parts a probe's prompt from its answers.

    Prompt and answer are tokenised together. The prompt ends after the last token that the prompt alone and the prompt
    with its chosen and its rejected answer have in common; the answer is the rest, and ends with the tokenizer's end of
    text. An answer that does not fit that prompt is tokenised apart. What goes beyond `max_length` tokens is cut off the
    answer's end; an answer of which nothing is left is not observed.
    """
    eos = tokenizer.eos_token_id

    def encode(text: str, begun: bool) -> list[int]:
        ids = list(tokenizer(text, add_special_tokens=begun)["input_ids"])
        # Some tokenizers end every text; where one ends is said below.
        while begun and ids and ids[-1] == eos:
            ids.pop()
        return ids

    def ended(ids: list[int]) -> list[int]:
        return ids if probe.chat or eos is None or (ids and ids[-1] == eos) else [*ids, eos]

    begun = not probe.chat
    prompt = encode(probe.prompt, begun)
    wholes = {kind: ended(encode(probe.prompt + text, begun)) for kind, text in probe.responses.items()}
    learnt = [whole for kind, whole in wholes.items() if kind in ("chosen", "rejected")]
    shared = min((common(prompt, whole) for whole in learnt), default=len(prompt))
    # A model needs something to begin with.
    cut = shared or len(prompt)
    answers = []
    for kind, text in probe.responses.items():
        whole = wholes[kind]
        if len(whole) > cut and whole[:cut] == prompt[:cut]:
            head, tail = prompt[:cut], whole[cut:]
        else:
            head, tail = prompt[:cut], prompt[cut:] + ended(encode(text, False))
        if not head:
            head, tail = tail[:1], tail[1:]
        if max_length is not None:
            tail = tail[: max(max_length - len(head), 0)]
        if head and tail:
            answers.append(Answer(index, kind, tuple(head), tuple(tail)))
    return answers
