"""What transformers and TensorBoard wrote (tests/golden/trainer_state.py), as a run."""

import contextlib
import json
import pathlib
import random

import pytest

from ldyn_tui import tensorboard
from ldyn_tui.__main__ import main

ROOT = pathlib.Path(__file__).parents[2]
STATE = ROOT / "tests" / "golden" / "trainer_state.json"
EVENTS = STATE.with_name("events.out.tfevents.golden")


def events(directory):
    return [json.loads(text) for text in (directory / "events.jsonl").read_text().splitlines()]


def test_what_the_trainer_logged_becomes_curves(tmp_path, capsys):
    assert main(["import", str(STATE), "--out", str(tmp_path / "run")]) == 0
    assert "ldyn-tui replay" in capsys.readouterr().out
    written = events(tmp_path / "run")
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "run-file.schema.json").read_text()))
    for event in written:
        validator.validate(event)
    history = json.loads(STATE.read_text())["log_history"]
    steps = [e for e in written if e["event"] == "step"]
    assert [e["step"] for e in steps] == [entry["step"] for entry in history]
    assert steps[0]["metrics"]["rewards/margins"] == history[0]["rewards/margins"]
    evaluations = [e for e in written if e["event"] == "evaluation"]
    assert evaluations[0]["logps"]["chosen"][0] == pytest.approx(history[0]["logps/chosen"], abs=1e-5)
    assert written[0]["means"] and written[0]["stages"][0]["has_rejected"]
    assert "were not measured" in written[0]["description"] and written[-1]["phase"] == "finished"


def test_tensorboard_says_the_same(tmp_path):
    for source in (EVENTS, tmp_path / "folder"):
        if source != EVENTS:
            source.mkdir()
            (source / EVENTS.name).write_bytes(EVENTS.read_bytes())
        assert main(["import", str(source), "--out", str(tmp_path / "run")]) == 0
    assert main(["import", str(STATE), "--out", str(tmp_path / "state")]) == 0
    a, b = ([e for e in events(tmp_path / name) if e["event"] == "step"] for name in ("run", "state"))
    assert [e["step"] for e in a] == [e["step"] for e in b]
    for x, y in zip(a, b):
        shared = x["metrics"].keys() & y["metrics"].keys()
        assert {"loss", "logps/chosen", "rewards/margins"} <= shared
        assert all(x["metrics"][name] == pytest.approx(y["metrics"][name], rel=1e-5) for name in shared)


def test_a_damaged_event_file_is_told_and_never_worse(tmp_path):
    whole = EVENTS.read_bytes()
    path = tmp_path / "events.out.tfevents.1"
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        assert main(["import", str(path), "--out", str(tmp_path / "run")]) in (0, 2)
    source = random.Random(7)
    for _ in range(300):
        mutated = bytearray(whole)
        for _ in range(source.randrange(1, 8)):
            mutated[source.randrange(len(mutated))] = source.randrange(256)
        with contextlib.suppress(tensorboard.Damaged):
            assert all(isinstance(name, str) for _, name, _ in tensorboard.scalars(bytes(mutated)))


def test_a_loss_that_was_no_number_is_a_gap(tmp_path):
    state = json.loads(STATE.read_text())
    state["log_history"][1]["loss"] = float("nan")
    (tmp_path / "state.json").write_text(json.dumps(state))
    assert main(["import", str(tmp_path / "state.json"), "--out", str(tmp_path / "run")]) == 0
    assert [e for e in events(tmp_path / "run") if e["event"] == "step"][1]["metrics"]["loss"] is None


@pytest.mark.parametrize(
    "text", ["Dear diary", "[]", "{}", '{"log_history": 3, "max_steps": 1}', '{"log_history": [3], "max_steps": 1}']
)
def test_what_is_no_state_is_told(tmp_path, capsys, text):
    (tmp_path / "x.json").write_text(text)
    assert main(["import", str(tmp_path / "x.json"), "--out", str(tmp_path / "run")]) == 2
    assert "is no trainer_state.json" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert main(["import", str(tmp_path / "none.json"), "--out", str(tmp_path / "run")]) == 2
