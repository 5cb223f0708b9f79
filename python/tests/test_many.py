"""TRL on two ranks of this machine's CPU. (Accelerate shards by FSDP on accelerators only: `test_torch.py` has FSDP2.)"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

HERE = pathlib.Path(__file__).parent


def train(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29621"]
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command += [str(HERE / "ranks_trl.py"), str(tmp_path)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=500, env=environment)


def test_two_ranks_train_and_one_writes(tmp_path):
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "wrapped as DistributedDataParallel" in done.stdout, done.stdout
    text = (tmp_path / "run" / "events.jsonl").read_text()
    written = [json.loads(line) for line in text.splitlines()]
    evaluations = [e for e in written if e["event"] == "evaluation"]
    assert [e["step"] for e in evaluations] == [0, 2, 4], done.stderr[-3000:]
    assert written[-1]["phase"] == "finished" and not (tmp_path / "run-2").exists()
    assert all(None not in e["logps"]["chosen"] for e in evaluations)
    assert evaluations[-1]["stage_flow"]["since"] == 0
