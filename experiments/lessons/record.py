#!/usr/bin/env python3
"""Trains the recordings of the lessons and writes them small: `<name>.jsonl.gz` beside this file.

    record.py BINARY [--seed 9777] [--only NAME …]

A recording is an ordinary run file: 24 prompts are observed every 16 steps, numbers have four digits behind the point, and
of the training steps every fourth is kept. Python's standard library is all this needs.
"""
import argparse
import gzip
import json
import subprocess
import tempfile
from pathlib import Path

SETTINGS = ["probes.prompts=24", "probes.greedy=24", "probes.held_out=0"]
# Name of the recording and of the experiment, and its stages.
RUNS = {
    "hallucination": ["SFT"],
    "dpo_offpolicy": ["SFT", "DPO"],
    "dpo_onpolicy": ["SFT", "DPO"],
    "gate_dpo": ["SFT", "Gate-DPO"],
}
# Training steps that are kept: one in so many.
STEPS = 4


def train(binary, folder, experiment, seed):
    """Trains without a screen and returns the events."""
    sets = SETTINGS + [f"stages[{stage}].evaluate_every=16" for stage in RUNS[experiment]]
    if experiment != "hallucination":
        sets.append("forces=None")
    command = [binary, "run", experiment, "--headless", "--seed", str(seed), "--out", folder, "--backend", "flex"]
    command += [word for s in sets for word in ("--set", s)]
    print(" ".join(command), flush=True)
    subprocess.run(command, check=True, capture_output=True)
    (events,) = Path(folder).glob("*/events.jsonl")
    return [json.loads(line) for line in events.read_text().splitlines()]


def rounded(value):
    """Numbers with four digits behind the point, wherever they are."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def kept(event):
    """Whether an event is of use to a lesson."""
    return event["event"] != "step" or event["step"] % STEPS == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seed", type=int, default=9777)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    for name in options.only or RUNS:
        with tempfile.TemporaryDirectory() as folder:
            events = train(options.binary, folder, name, options.seed)
        lines = [json.dumps(rounded(event), separators=(",", ":"), ensure_ascii=False) + "\n" for event in events if kept(event)]
        path = Path(__file__).parent / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress("".join(lines).encode(), 9, mtime=0))
        print(path.name, path.stat().st_size, flush=True)


if __name__ == "__main__":
    main()
