"""Which answers are read together, and by which rank."""

from __future__ import annotations

from collections.abc import Sequence

from .tokens import Answer


def batches(answers: Sequence[Answer], tokens: int, logits: int, vocab_size: int) -> list[list[int]]:
    """Indices of the answers in batches of at most `tokens` tokens, padding included, and at most `logits` logits: those
    of the positions from the shortest prompt's end to the longest answer's. One answer may be larger than that.

    Answers of like lengths are put together. Deterministic, so that every rank plans the same.
    """
    order = sorted(range(len(answers)), key=lambda i: (len(answers[i].prompt_ids), len(answers[i]), i))
    planned: list[list[int]] = []
    width = first = 0
    for index in order:
        length, prompt = len(answers[index]), len(answers[index].prompt_ids)
        if planned:
            rows = len(planned[-1]) + 1
            wide, begin = max(width, length), min(first, prompt)
            if rows * wide <= tokens and rows * (wide - begin + 1) * vocab_size <= logits:
                planned[-1].append(index)
                width, first = wide, begin
                continue
        planned.append([index])
        width, first = length, prompt
    return planned


def share(planned: Sequence[list[int]], rank: int, ranks: int) -> list[list[int]]:
    """The batches of one rank. Every rank gets equally many, or ranks that share a model would wait for one another for
    ever: those that would have fewer read a batch of their own twice (or the first one, if they have none).
    """
    mine = list(planned[rank::ranks])
    most = -(-len(planned) // ranks)
    while planned and len(mine) < most:
        mine.append(mine[-1] if mine else planned[0])
    return mine
