"""What Weights & Biases, Trackio, verl and prime-rl keep (tests/golden/trackers.py), as runs, and damaged files."""

import json
import math
import pathlib
import random
import sys

import pytest

GOLDEN = pathlib.Path(__file__).parents[2] / "tests" / "golden"
sys.path.append(str(GOLDEN))
import trackers  # noqa: E402

from ldyn_tui import imported  # noqa: E402
from ldyn_tui.__main__ import main  # noqa: E402

SCHEMA = GOLDEN.parents[1] / "docs" / "run-file.schema.json"
WANDB, TRACKIO, VERL = GOLDEN / "golden.wandb", GOLDEN / "trackio.db", GOLDEN / "verl.jsonl"
PRIME_RL = GOLDEN / "prime_rl" / "token_exports"


def written(out, source, *further):
    assert main(["import", str(source), "--out", str(out), *further]) == 0
    return [json.loads(text) for text in (out / "events.jsonl").read_text().splitlines()]


def metrics(events):
    return {e["step"]: e["metrics"] for e in events if e["event"] == "step"}


@pytest.mark.parametrize(("source", "further"), [(WANDB, []), (TRACKIO, ["--run", "second"])])
def test_what_was_logged_becomes_curves(tmp_path, source, further):
    events = written(tmp_path / "run", source, *further)
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for event in events:
        validator.validate(event)
    found = metrics(events)
    expected = dict(trackers.steps())
    assert sorted(found) == sorted(expected)
    for step, scalars in expected.items():
        for name, value in scalars.items():
            if name != "epoch":
                read = found[step].get(name)
                assert read == pytest.approx(value) or (math.isnan(value) and read is None), (step, name)
        assert "epoch" not in found[step] and not any(name.startswith(("_", "train/")) for name in found[step])
    means = [e for e in events if e["event"] == "evaluation"]
    assert [e["logps"]["chosen"][0] for e in means] == pytest.approx([s["logps/chosen"] for s in expected.values()])
    assert "were not measured" in events[0]["description"] and events[-1]["phase"] == "finished"


def test_a_file_of_several_runs_asks_which(tmp_path, capsys):
    assert main(["import", str(TRACKIO), "--out", str(tmp_path / "run")]) == 2
    assert "--run; it holds: first, second" in capsys.readouterr().err
    assert sorted(metrics(written(tmp_path / "run", TRACKIO, "--run", "first"))) == [2, 4]


def test_verl_is_shown_under_its_names_and_trls(tmp_path):
    found = metrics(written(tmp_path / "run", VERL))
    assert sorted(found) == sorted(dict(trackers.steps()))
    last = found[16]
    assert last["reward"] == last["critic/rewards/mean"] == 1.0
    assert last["entropy"] == pytest.approx(1.2) and last["learning_rate"] == 1e-6
    assert found[10].get("loss") is None


def test_prime_rls_samples_are_told_apart_by_their_advantage(tmp_path):
    for source in (PRIME_RL.parent, PRIME_RL):
        found = metrics(written(tmp_path / source.name, source))
        assert sorted(found) == [3, 12]
        # 8 samples a step: of each rank's four one has no advantage; two more of one sign on either rank.
        assert found[12]["sampled/correct"] == found[12]["sampled/incorrect"] == 3 / 8
        assert found[12]["sampled/logps_correct"] == pytest.approx(-2.2)
        assert found[12]["sampled/logps_incorrect"] == pytest.approx(-3.2)
        assert found[12]["reward"] == 0.5 and found[12]["entropy"] == 1.5
        # The sampler's log-prob was -1 everywhere.
        kl = [math.exp(ratio) - ratio - 1 for ratio in (-1.2, -2.2)]
        assert found[12]["mismatch_kl"] == pytest.approx(sum(kl) / 2)


def mutations(whole, source, count):
    for end in [0, 1, 7, 100, len(whole) // 2, len(whole) - 1]:
        yield whole[:end]
    for _ in range(count):
        mutated = bytearray(whole)
        for _ in range(source.randrange(1, 12)):
            mutated[source.randrange(len(mutated))] = source.randrange(256)
        yield bytes(mutated[: source.randrange(1, len(mutated) + 1)] if source.random() < 0.3 else mutated)
    for _ in range(count // 4):
        yield whole[:7] + source.randbytes(source.randrange(200))


@pytest.mark.parametrize("source", [WANDB, TRACKIO, VERL, PRIME_RL / "step_3" / "rank_0.jsonl"], ids=lambda p: p.name)
def test_a_damaged_file_is_told_with_its_place_and_never_worse(tmp_path, source, request):
    path = tmp_path / source.name
    chance = random.Random(11)
    told = 0
    for data in mutations(source.read_bytes(), chance, 150):
        path.write_bytes(data)
        try:
            imported.write(imported.read(path, "second" if source == TRACKIO else None), path.name, tmp_path / "run")
        except imported.NotLogged as error:
            told += 1
            assert str(tmp_path) in str(error) and len(str(error)) < 1000
    assert told > 10


def test_a_wandb_file_tells_the_byte_and_drops_what_breaks_off(tmp_path):
    whole = WANDB.read_bytes()
    path = tmp_path / "run-1.wandb"
    cut = len(whole) - len(whole) // 3
    path.write_bytes(whole[:cut])
    assert 0 < len(metrics(written(tmp_path / "run", path))) <= 8
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    with pytest.raises(
        imported.NotLogged, match=r"run-1\.wandb: byte \d+: a part of a record is not what its checksum"
    ):
        imported.read(path)


def test_a_line_that_is_none_is_told_by_its_number(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1, "data": {"a": 1}}\nnonsense\n{"step": 2, "data": {"a": 2}}\n')
    with pytest.raises(imported.NotLogged, match=r"m\.jsonl: line 2: "):
        imported.read(path)
    path.write_text('{"step": 1, "data": {"a": 1e400, "b": ' + "9" * 400 + '}}\n{"step": 2, "da')
    assert metrics(written(tmp_path / "run", path)) == {1: {"a": "inf", "b": "inf"}}


def test_a_folder_without_anything_is_told(tmp_path, capsys):
    assert main(["import", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "holds nothing that can be imported" in capsys.readouterr().err
