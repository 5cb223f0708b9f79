"""Samples of a training by reward, without torch."""

import json

import pytest
import toy

from ldyn_tui import Recorder, Samples, Stage
from ldyn_tui.reading import RowReader

SIZE = 40
GROUP = ["who sings"] * 4
IDS = [[5, 6, 0], [7, 0], [5, 0], [8, 0]]


def recorder(out):
    r = Recorder(out, toy.ROWS, toy.Words(SIZE), reader=RowReader(SIZE), stages=[Stage("GRPO", "grpo", True)])
    r.measure(toy.model(SIZE), 0)
    return r


def test_samples_are_told_apart_by_the_sign_of_their_advantage(tmp_path):
    samples = Samples()
    reward = samples.watched(lambda prompts, completion_ids, **_: [1.0, 0.0, 0.0, None])
    assert reward(prompts=GROUP, completion_ids=IDS) == [1.0, 0.0, 0.0, None], "the trainer gets what it would get"
    samples.watched(lambda **_: [2.0, 2.0])(prompts=["what falls"] * 2, completion_ids=[[9], [10]])
    r = recorder(tmp_path / "run")
    found = r.measure_samples(toy.model(SIZE), 0, samples)
    assert found["sampled/correct"] == 1 / 5 and found["sampled/incorrect"] == 2 / 5
    assert found["sampled/logps_correct"] < 0 and "earlier/logps" not in found
    r.finish(0)
    written = [json.loads(text) for text in (r.directory / "events.jsonl").read_text().splitlines()]
    assert next(e for e in written if e["event"] == "step")["metrics"] == found


def test_answers_that_were_correct_earlier_are_followed(tmp_path):
    samples = Samples()
    samples.note(GROUP, IDS, [1.0, 0.0, 0.0, 0.0])
    r = recorder(tmp_path / "run")
    assert "earlier/fell" not in r.measure_samples(toy.model(SIZE, likes=3.0), 1, samples)
    # Nothing is sampled any more: the one answer is still read, and has lost.
    found = r.measure_samples(toy.model(SIZE), 2, samples)
    assert found["earlier/fell"] == 1.0 and found["earlier/logps"] < 0 and "sampled/correct" not in found
    found = r.measure_samples(toy.model(SIZE, likes=3.0), 3, samples)
    assert found["earlier/logps"] == pytest.approx(0, abs=1e-6)
    # Another correct answer to the same prompt does not take its place.
    samples.note(GROUP, IDS, [0.0, 1.0, 0.0, 0.0])
    r.measure_samples(toy.model(SIZE), 4, samples)
    assert [answer.completion_ids for answer in samples.followed()] == [(5, 6, 0)]


def test_a_trainer_that_gives_rewards_no_tokens_is_told(tmp_path, caplog):
    samples = Samples()
    reward = samples.watched(lambda completions, **_: [float(len(c)) for c in completions])
    assert reward(prompts=["a", "a"], completions=["x", "xy"]) == [1.0, 2.0]
    r = recorder(tmp_path / "run")
    assert [r.measure_samples(toy.model(SIZE), step, samples) for step in (0, 1)] == [{}, {}], "nothing is made up"
    r.finish(1)
    written = [json.loads(text) for text in (r.directory / "events.jsonl").read_text().splitlines()]
    assert [e["step"] for e in written if e["event"] == "note" and "completion_ids" in e["text"]] == [0]
    assert caplog.text.count("completion_ids") == 1


def test_what_goes_wrong_stays_here(tmp_path):
    samples = Samples()
    reward = samples.watched(lambda **_: ["one", 0.0])
    assert reward(prompts=["a", "b"], completion_ids=[[1], [2]]) == ["one", 0.0]
    samples.note(GROUP, [[1], [2], [], [3]], [float("nan"), 1.0, 1.0, 0.0])
    r = recorder(tmp_path / "run")

    def broken(_ids):
        raise RuntimeError("out of memory")

    assert r.measure_samples(broken, 1, samples) is None
    r.finish(1)
    assert "out of memory" in (r.directory / "events.jsonl").read_text()

    async def later(**_):
        return []

    with pytest.raises(ValueError, match="asynchronous"):
        samples.watched(later)
