"""Prompts under observation and their answers: reading them, and making those that follow from the data itself."""

from __future__ import annotations

import json
import os
import pathlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .kinds import KINDS

#: A row of data: texts or lists of messages by name, as TRL takes them.
Row = Mapping[str, Any]

#: Fields of a row that hold no answer to observe.
_NOT_ANSWERS = frozenset({"prompt", "messages", "text", "completion", "label", "tools", "images", "id"})


@dataclass(frozen=True)
class Probe:
    """A prompt and its answers, as text."""

    #: The prompt, as a tokenizer sees it.
    prompt: str
    #: Answers by kind, as a tokenizer sees them (a leading space included), without the token that ends them.
    responses: Mapping[str, str]
    #: Whether a chat template wrote them: such a text brings its beginning and its end itself.
    chat: bool = False


class BadProbes(ValueError):
    """What is wrong with the rows that were given as probes, with the place and the way out."""


def read_rows(source: str | os.PathLike[str] | Iterable[Row]) -> list[Row]:
    """Rows of a file of JSON lines, or of anything that gives rows (a list, a `datasets.Dataset`).

    Raises `BadProbes` with file and line, and `OSError` where the file cannot be read.
    """
    if not isinstance(source, (str, os.PathLike)):
        return [dict(row) for row in source]
    path = pathlib.Path(source)
    rows: list[Row] = []
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except ValueError as error:
                raise BadProbes(f"{path}:{number}: not JSON: {error}; write one JSON object a line") from None
            if not isinstance(row, dict):
                raise BadProbes(f"{path}:{number}: is not a JSON object; write one JSON object a line")
            rows.append(row)
    return rows


def prepare(rows: Sequence[Row], tokenizer: Any, prompts: int, *, derive: bool, seed: int = 0) -> list[Probe]:
    """The first `prompts` rows as probes. With `derive`, answers that follow from the data are added where a row has none:
    `irr_train`, `random_permute` and `repeater`, which need nothing but the other rows.

    Raises `BadProbes` where a row cannot be observed.
    """
    if not rows:
        raise BadProbes("there are no probes: give at least one row with a prompt and a chosen answer")
    probes = [_probe(row, number, tokenizer) for number, row in enumerate(rows, 1)]
    observed = probes[: max(prompts, 1)]
    if not derive:
        return observed
    shuffled = random.Random(seed)
    return [_derived(probe, index, probes, shuffled) for index, probe in enumerate(observed)]


def _probe(row: Row, number: int, tokenizer: Any) -> Probe:
    answers = {
        name: value
        for name, value in row.items()
        if (name in KINDS or name not in _NOT_ANSWERS) and isinstance(value, (str, list)) and value
    }
    if "chosen" not in answers and row.get("completion"):
        answers["chosen"] = row["completion"]
    prompt = row.get("prompt") or ""
    if not answers:
        raise BadProbes(f"probe {number} has no answer to observe: give it `chosen` (and `rejected`) beside its prompt")
    if all(isinstance(answer, str) for answer in answers.values()) and isinstance(prompt, str):
        return Probe(prompt, answers)
    messages = [answer for answer in answers.values() if isinstance(answer, list)]
    if not all(isinstance(m, dict) and "role" in m for answer in messages for m in answer):
        raise BadProbes(f"probe {number}: an answer must be a text or a list of messages with a role")
    if isinstance(prompt, str) and not prompt:
        prompt = _common(messages) if len(messages) > 1 else messages[0][:-1]
        answers = {name: a[len(prompt) :] if isinstance(a, list) else a for name, a in answers.items()}
    if not isinstance(prompt, list):
        raise BadProbes(
            f"probe {number}: a prompt of text beside answers of messages: make both texts, or both messages"
        )
    return _templated(prompt, answers, tokenizer, number)


def common(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many elements two texts or lists begin with alike."""
    length = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        length += 1
    return length


def _common(answers: Sequence[Sequence[Any]]) -> list[Any]:
    """The messages that all answers begin with; each keeps one of its own."""
    shortest = min(len(answer) for answer in answers) - 1
    first = answers[0]
    length = 0
    while length < shortest and all(answer[length] == first[length] for answer in answers):
        length += 1
    return list(first[:length])


def _templated(prompt: list[Any], answers: Mapping[str, Any], tokenizer: Any, number: int) -> Probe:
    try:
        opened: str = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        wholes = {
            name: tokenizer.apply_chat_template(
                [*prompt, *(a if isinstance(a, list) else [{"role": "assistant", "content": a}])], tokenize=False
            )
            for name, a in answers.items()
        }
    except Exception as error:
        raise BadProbes(f"probe {number}: the chat template cannot write it: {error}") from error
    # A template may open a turn with what it does not write before an answer that is given.
    cut = min(common(opened, whole) for whole in wholes.values())
    return Probe(opened[:cut], {name: whole[cut:] for name, whole in wholes.items()}, chat=True)


def _derived(probe: Probe, index: int, probes: Sequence[Probe], source: random.Random) -> Probe:
    responses = dict(probe.responses)
    own = responses.get("chosen", "")
    other = probes[(index + len(probes) // 2) % len(probes)].responses.get("chosen", "")
    lead = " " if own.startswith(" ") else ""
    words = own.split()
    if len(probes) > 1 and other.strip():
        responses.setdefault("irr_train", other)
    if words and not probe.chat:
        shuffled = words[:]
        source.shuffle(shuffled)
        responses.setdefault("random_permute", lead + " ".join(shuffled))
        length = min(len(words), 3)
        start = source.randrange(len(words) - length + 1)
        phrase = " ".join(words[start : start + length])
        responses.setdefault("repeater", lead + " ".join([phrase] * -(-len(words) // length)))
    return Probe(probe.prompt, responses, probe.chat)
