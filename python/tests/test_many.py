"""TRL on two ranks of this machine's CPU: each with the whole model, or with its weights spread over both."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

HERE = pathlib.Path(__file__).parent


def train(tmp_path, kind):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29621"]
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    command += [str(HERE / "ranks_trl.py"), str(tmp_path), kind]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=500, env=environment)


def watched(tmp_path, kind, wrapper, first=0):
    """What two ranks print and the events that one of them writes."""
    done = train(tmp_path, kind)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"wrapped as {wrapper}" in done.stdout, done.stdout
    text = (tmp_path / "run" / "events.jsonl").read_text()
    written = [json.loads(line) for line in text.splitlines()]
    evaluations = [e for e in written if e["event"] == "evaluation"]
    assert [e["step"] for e in evaluations] == [first, 2, 4], done.stderr[-3000:]
    assert written[-1]["phase"] == "finished" and not (tmp_path / "run-2").exists()
    assert all(None not in e["logps"]["chosen"] for e in evaluations)
    assert evaluations[-1]["stage_flow"]["since"] == first
    return done.stdout, evaluations


def logps(evaluations):
    return [x for e in evaluations for kind in sorted(e["logps"]) for x in e["logps"][kind]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The evaluations of the run whose ranks have the whole model."""
    return watched(tmp_path_factory.mktemp("ddp"), "ddp", "DistributedDataParallel")[1]


def test_two_ranks_train_and_one_writes(whole):
    assert len(logps(whole)) == len(whole) * 3 * 5


@pytest.mark.parametrize(
    ("kind", "wrapper", "first"),
    [
        ("fsdp2", "FSDP", 0),
        pytest.param(
            "zero3",
            "DeepSpeedEngine",
            1,
            marks=pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="needs deepspeed"),
        ),
    ],
)
def test_weights_spread_over_two_ranks_are_read_as_whole_ones(tmp_path, whole, kind, wrapper, first):
    printed, spread = watched(tmp_path, kind, wrapper, first)
    assert logps(spread[1:]) == pytest.approx(logps(whole[1:]), abs=1e-3)
    found = re.findall(r"weights here (\d+) of (\d+)", printed)
    assert len(found) == 2 and all(int(here) < 0.6 * int(of) for here, of in found), "the weights are not spread"
