"""What a writer that dies or a disk that is full leaves behind: real signals and real limits, without torch."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

resource = pytest.importorskip("resource")

WRITER = """
    import resource, signal, sys
    sys.path[:0] = {path!r}
    import toy
    from ldyn_tui import Recorder, Stage
    from ldyn_tui.reading import RowReader
    limit = {limit!r}
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    recorder = Recorder({out!r}, toy.ROWS, toy.Words(40), reader=RowReader(40), stages=[Stage("DPO", "sigmoid", True)])
    for step in range({steps}):
        recorder.log(step, {{"loss": 1.0}})
        recorder.measure(toy.model(40, likes=step / 10), step)
    recorder.finish({steps})
    print("trained to the end", flush=True)
"""


def writer(tmp_path, **how):
    text = textwrap.dedent(WRITER).format(path=sys.path, out=str(tmp_path / "run"), **how)
    script = tmp_path / "writer.py"
    script.write_text(text)
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def whole_lines(path):
    data = path.read_bytes()
    *whole, rest = data.split(b"\n")
    return [json.loads(text) for text in whole], rest


def test_a_writer_that_is_killed_leaves_whole_lines(tmp_path):
    process = writer(tmp_path, limit=0, steps=1_000_000)
    events = tmp_path / "run" / "events.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (events.exists() and events.stat().st_size > 50_000):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    written, _rest = whole_lines(events)
    assert len(written) > 10 and written[0]["event"] == "run_started"
    assert all(a.get("step", 0) <= b.get("step", 0) for a, b in itertools.pairwise(written))


def test_a_disk_that_is_full_costs_the_recording_and_not_the_run(tmp_path):
    process = writer(tmp_path, limit=20_000, steps=40)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "trained to the end" in out, err
    assert err.count("cannot be written") == 1 and "File too large" in err, "said once"
    events = tmp_path / "run" / "events.jsonl"
    written, rest = whole_lines(events)
    assert rest == b"" and len(written) > 3, "the file ends with a whole line"
    assert os.path.getsize(events) <= 20_000
