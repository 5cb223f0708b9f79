"""The run file, without torch: what is written, what is held against the schema, what a failure leaves behind."""

import json
import math
import os
import pathlib

import pytest
import toy

from ldyn_tui import KINDS, Recorder, Stage
from ldyn_tui.floats import single
from ldyn_tui.reading import RowReader
from ldyn_tui.runfile import RunFile, bytes_up_to, line

SIZE = 40
SCHEMA = pathlib.Path(__file__).parents[2] / "docs" / "run-file.schema.json"


def recorder(out, **options):
    options.setdefault("stages", [Stage("DPO", "sigmoid", True, steps=4, learning_rate=1e-4, beta=0.1)])
    return Recorder(out, options.pop("probes", toy.ROWS), toy.Words(SIZE), reader=RowReader(SIZE), **options)


def events(directory):
    return [json.loads(text) for text in (directory / "events.jsonl").read_text().splitlines()]


def run(out, **options):
    r = recorder(out, **options)
    for step in range(5):
        if step:
            r.log(step, {"loss": 1 / step, "grad_norm": math.nan, "text": "no number"})
        r.measure(toy.model(SIZE, likes=0.5 * step), step)
    r.finish(4)
    return r


def test_a_run_is_written_as_the_schema_says(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.Draft202012Validator(schema)
    written = events(run(tmp_path / "run").directory)
    for event in written:
        validator.validate(event)
    assert [e["event"] for e in written[:3]] == ["run_started", "phase", "stage_started"]
    assert sum(e["event"] == "evaluation" for e in written) == 5
    assert written[-1] == {"event": "phase", "phase": "finished", "step": 4}
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"event": "step", "step": -1, "stage": 0, "metrics": {}})


def test_the_kinds_are_the_schemas():
    schema = json.loads(SCHEMA.read_text())
    assert sorted(KINDS) == sorted(schema["$defs"]["kind"]["examples"])


def test_numbers_are_what_they_should_be(tmp_path):
    written = events(run(tmp_path / "run").directory)
    evaluations = [e for e in written if e["event"] == "evaluation"]
    first, last = evaluations[0], evaluations[-1]
    start = written[0]
    tokens = toy.Words(SIZE)
    rows = toy.model(SIZE, likes=2.0)
    # The first prompt's y+ by hand, the tokens in the order in which the recorder met them.
    for probe in toy.ROWS:
        for text in [probe["prompt"], *(probe["prompt"] + probe[k] for k in probe if k != "prompt")]:
            tokens(text, add_special_tokens=True)
        break
    ids = [*tokens("who sings the old bird sings", add_special_tokens=True)["input_ids"], 0]
    expected = 0.0
    for at in range(1, len(ids) - 1):
        logits = rows(ids)[at]
        expected += logits[ids[at + 1]] - math.log(sum(math.exp(z) for z in logits))
    assert last["logps"]["chosen"][0] == pytest.approx(expected, abs=1e-5)
    assert start["probes"][0]["responses"]["chosen"] == {"text": " the old bird sings", "tokens": 5}
    assert start["probes"][0]["chosen_tokens"] == ["the", "old", "bird", "sings", "<eos>"]
    assert last["logps"]["rejected"][2] is None and last["rejected"]["argmax_logps"][2] is None
    assert last["logps"]["my_judge"][:2] == [None, last["logps"]["my_judge"][1]]
    for label, argmax in zip(last["logps"]["chosen"], last["chosen"]["argmax_logps"]):
        assert argmax >= label
    assert "stage_flow" not in first and last["stage_flow"]["since"] == 0
    flow = last["stage_flow"]
    for star, label, rest in zip(flow["star"], flow["label"], flow["bystanders"]):
        assert star + label + rest == pytest.approx(0, abs=1e-6)
    assert all(gain >= star >= 0 for gain, star in zip(flow["gain"], flow["star_gain"]))
    step = next(e for e in written if e["event"] == "step")
    assert step["metrics"] == {"loss": 1.0, "grad_norm": None}


def test_probes_follow_from_the_data(tmp_path):
    start = events(run(tmp_path / "run", prompts=2).directory)[0]
    assert len(start["probes"]) == 2
    responses = start["probes"][0]["responses"]
    assert responses["irr_train"]["text"] == " rain falls"
    assert sorted(responses["random_permute"]["text"].split()) == ["bird", "old", "sings", "the"]
    bare = events(run(tmp_path / "bare", derive=False).directory)[0]
    assert sorted(bare["probes"][0]["responses"]) == ["chosen", "rejected"]


def test_nothing_is_overwritten(tmp_path):
    first, second = run(tmp_path / "run"), run(tmp_path / "run")
    assert (first.directory.name, second.directory.name) == ("run", "run-2")
    with pytest.raises(ValueError, match="cannot name a run"):
        recorder(tmp_path / "a b")


def test_an_exception_in_the_model_is_recorded_and_not_raised(tmp_path, caplog):
    r = recorder(tmp_path / "run")
    r.measure(toy.model(SIZE), 0)

    def broken(_ids):
        raise RuntimeError("out of memory")

    assert r.measure(broken, 1) is None
    assert r.measure(broken, 2) is None
    assert r.measure(toy.model(SIZE), 3) is not None
    r.finish(3)
    notes = [e for e in events(r.directory) if e["event"] == "note"]
    assert [n["step"] for n in notes] == [1, 2] and all(n["warning"] for n in notes)
    assert "out of memory" in notes[0]["text"]
    assert len([m for m in caplog.messages if "out of memory" in m]) == 1, "logged once"


def test_a_broken_measurement_is_not_recorded(tmp_path):
    r = recorder(tmp_path / "run")

    class Lies(RowReader):
        def read(self, *args):
            result = super().read(*args)
            for reading in result.readings.values():
                reading.argmax_logp = reading.logp - 1
            return result

    r._reader = Lies(SIZE)
    assert r.measure(toy.model(SIZE), 0) is None
    assert "lies below" in events(r.directory)[-1]["text"]


def test_logits_that_are_no_numbers_do_no_harm(tmp_path):
    r = recorder(tmp_path / "run", flow=False)
    r._reader = RowReader(SIZE, flow=False)
    r.measure(lambda ids: [[math.nan] * SIZE for _ in ids], 0)
    written = events(r.directory)
    assert written[-1]["event"] in ("note", "evaluation")


def test_a_full_disk_costs_the_recording_and_not_the_run(tmp_path, caplog, monkeypatch):
    r = recorder(tmp_path / "run")
    r.measure(toy.model(SIZE), 0)
    before = (r.directory / "events.jsonl").read_bytes()
    real = os.write
    room = [100]

    def full(file, data):
        if not room[0]:
            raise OSError(28, "No space left on device")
        n = min(room[0], len(data))
        room[0] -= n
        return real(file, data[:n])

    monkeypatch.setattr(os, "write", full)
    r.measure(toy.model(SIZE), 1)
    r.measure(toy.model(SIZE), 2)
    assert (r.directory / "events.jsonl").read_bytes() == before, "the file ends with a whole line"
    assert len([m for m in caplog.messages if "No space left" in m]) == 1
    room[0] = 1 << 30
    r.measure(toy.model(SIZE), 3)
    r.finish(3)
    assert [e["step"] for e in events(r.directory) if e["event"] == "evaluation"] == [0, 3]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is Linux's")
def test_a_device_that_is_full_from_the_start():
    file = RunFile("/dev/full")
    with pytest.raises(OSError, match="No space"):
        file.write({"event": "note", "step": 0, "text": "x", "warning": False})


def test_a_directory_that_cannot_be_made_is_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    r = recorder(tmp_path / "file" / "run")
    assert r.measure(toy.model(SIZE), 0) is not None
    r.finish(0)
    assert r.directory is None and "cannot be recorded" in caplog.text


def test_a_resumed_run_goes_on_in_its_file(tmp_path):
    first = recorder(tmp_path / "run")
    for step in range(4):
        first.log(step, {"loss": 1.0})
        first.measure(toy.model(SIZE), step)
    first._file.close()
    path = first.directory / "events.jsonl"
    with open(path, "ab") as file:
        file.write(b'{"event":"evaluation","step":4,"lo')
    second = recorder(tmp_path / "run", resume_at=2)
    assert second.directory == first.directory and second.measured == 2
    second.measure(toy.model(SIZE), 3)
    second.finish(3)
    written = events(second.directory)
    assert [e["step"] for e in written if e["event"] == "evaluation"] == [0, 1, 2, 3]
    assert sum(e["event"] == "run_started" for e in written) == 1
    other = recorder(tmp_path / "run", resume_at=2, probes=toy.ROWS[:2])
    assert other.directory.name == "run-2", "another run's file is left alone"


def test_bytes_are_kept_up_to_a_step(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(line({"event": "run_started"}) + line({"event": "step", "step": 3}) + b'{"event"')
    kept, started, measured = bytes_up_to(path, 2)
    assert path.read_bytes()[:kept] == line({"event": "run_started"}) and started and measured is None


def test_a_process_that_ends_says_so(tmp_path):
    r = recorder(tmp_path / "run")
    r.measure(toy.model(SIZE), 0)
    r._forgotten()
    assert "failed" in events(r.directory)[-1]["phase"]


def test_single_precision_in_its_shortest_form():
    for x, text in [(0.1, "0.1"), (-1 / 3, "-0.33333334"), (16777216.0, "16777216.0"), (1e-45, "1e-45")]:
        assert json.dumps(single(x)) == text
    assert single(math.nan) is None and single(math.inf) == "inf" and single(-1e300) == "-inf"


def test_probes_from_a_file_and_what_is_wrong_with_one(tmp_path):
    path = tmp_path / "probes.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in toy.ROWS) + "\n\n")
    run(tmp_path / "run", probes=path)
    path.write_text('{"prompt": "a", "chosen": "b"}\nnonsense\n')
    with pytest.raises(ValueError, match=r"probes\.jsonl:2: not JSON"):
        recorder(tmp_path / "bad", probes=path)
    with pytest.raises(ValueError, match="probe 1 has no answer"):
        recorder(tmp_path / "bad", probes=[{"prompt": "x"}])
    with pytest.raises(ValueError, match="there are no probes"):
        recorder(tmp_path / "bad", probes=[])
