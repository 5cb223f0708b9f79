"""Planning, sharing, boundaries, clocks and the package's version, without torch."""

import pathlib
import re

import pytest
import toy

from ldyn_tui import __version__, plan
from ldyn_tui.probes import Probe, prepare
from ldyn_tui.share import Share
from ldyn_tui.tokens import Answer, part


def answers(lengths):
    return [Answer(i, "chosen", tuple(range(p)), tuple(range(c))) for i, (p, c) in enumerate(lengths)]


def test_every_answer_is_planned_once_and_limits_hold():
    some = answers([(1 + i % 7, 1 + i % 5) for i in range(50)])
    planned = plan.batches(some, tokens=40, logits=600, vocab_size=10)
    assert sorted(i for batch in planned for i in batch) == list(range(50))
    for batch in planned:
        width = max(len(some[i]) for i in batch)
        first = min(len(some[i].prompt_ids) for i in batch)
        assert len(batch) == 1 or (len(batch) * width <= 40 and len(batch) * (width - first + 1) * 10 <= 600)


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_ranks_read_equally_many_batches_and_all_of_them(ranks):
    planned = [[i] for i in range(5)]
    shares = [plan.share(planned, rank, ranks) for rank in range(ranks)]
    assert len({len(share) for share in shares}) == 1
    assert {batch[0] for share in shares for batch in share} == set(range(5))


def test_the_boundary_is_where_prompt_and_answers_part():
    class Letters(toy.Words):
        """A tokenizer that merges "ab" into one token."""

        def __call__(self, text, *, add_special_tokens):
            text = text.replace("ab", "#")
            return {"input_ids": ([99] if add_special_tokens else []) + [ord(c) for c in text]}

    tokenizer = Letters()
    parted = part(Probe("xa", {"chosen": "cd", "rejected": "ef"}), 3, tokenizer)
    assert [(a.prompt, a.prompt_ids, a.completion_ids) for a in parted] == [
        (3, (99, ord("x"), ord("a")), (ord("c"), ord("d"), 0)),
        (3, (99, ord("x"), ord("a")), (ord("e"), ord("f"), 0)),
    ]
    merged = part(Probe("xa", {"chosen": "bd", "irr_hum": "q"}), 0, tokenizer)
    assert merged[0].prompt_ids == (99, ord("x")) and merged[0].completion_ids == (ord("#"), ord("d"), 0)
    assert merged[1].prompt_ids == (99, ord("x")) and merged[1].completion_ids == (ord("a"), ord("q"), 0)
    cut = part(Probe("xa", {"chosen": "cd"}), 0, tokenizer, max_length=4)
    assert cut[0].completion_ids == (ord("c"),)
    assert part(Probe("xa", {"chosen": "cd"}), 0, tokenizer, max_length=3) == []


def test_conversations_are_written_by_the_template():
    class Chat(toy.Words):
        def apply_chat_template(self, messages, *, tokenize, add_generation_prompt=False):
            text = "".join(f"<{m['role']}>{m['content']}<end>" for m in messages)
            return text + ("<assistant>" if add_generation_prompt else "")

    user, yes, no = (
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "yes"},
        {"role": "assistant", "content": "no"},
    )
    for row in (
        {"prompt": [user], "chosen": [yes], "rejected": [no]},
        {"chosen": [user, yes], "rejected": [user, no]},
    ):
        (probe,) = prepare([row], Chat(), 8, derive=False)
        assert probe.chat and probe.prompt == "<user>q<end><assistant>"
        assert dict(probe.responses) == {"chosen": "yes<end>", "rejected": "no<end>"}


def test_shares_are_of_the_training_alone():
    clock = [0.0]
    share = Share(lambda: clock[0])
    with share.ours():
        clock[0] += 1
        with share.forwards():
            clock[0] += 3
    clock[0] += 10
    assert share.overhead() == pytest.approx(0.1) and share.forward_share() == pytest.approx(0.3)
    share.restart()
    assert share.overhead() == 0


def test_the_package_has_the_programs_version():
    manifest = pathlib.Path(__file__).parents[2] / "Cargo.toml"
    assert re.search(r'(?m)^version = "(.+)"$', manifest.read_text()).group(1) == __version__
