#!/usr/bin/env python3
"""Records the labelled runs of the detector's table and writes them small: `<name>-<seed>.jsonl.gz` beside this file.

    record.py BINARY [--out DIR] [--seeds 700 1300] [--only NAME …]

Every run is measured every four steps (the slow ones every twenty): fewer measurements are taken from the same recording,
since measuring changes nothing in the training. A small recording is an ordinary run file without texts and without what
the detector does not read. Seed 700 is the one that thresholds were looked at on; the others are for the report. Python's
standard library is all this needs; a run takes about a minute of one core.
"""
import argparse
import gzip
import json
import subprocess
import tempfile
from pathlib import Path

EVERY = 4
PAIRS = 32
SFT, DPO = "stages[SFT]", "stages[DPO]"

# Name of the recording, experiment, stages, further settings.
RUNS = [
    ("dpo", "dpo_offpolicy", ["SFT", "DPO"], []),
    ("ipo", "ipo", ["SFT", "IPO"], []),
    ("hinge", "hinge", ["SFT", "hinge"], []),
    ("simpo", "simpo", ["SFT", "SimPO"], []),
    ("sppo", "sppo", ["SFT", "SPPO"], []),
    ("gate_dpo", "gate_dpo", ["SFT", "Gate-DPO"], []),
    ("dpo_shift", "dpo_shift", ["SFT", "DPO-Shift"], []),
    ("dpo_nll", "dpo_nll", ["SFT", "DPO+NLL"], []),
    ("robust", "dpo_offpolicy", ["SFT", "DPO"], ["stages[DPO].objective=robust(beta: 0.1, label_smoothing: 0.1)"]),
    ("slic", "dpo_offpolicy", ["SFT", "DPO"], ["stages[DPO].objective=slic(delta: 10.0, nll: 0.0)"]),
    ("dpop", "dpo_offpolicy", ["SFT", "DPO"], ["stages[DPO].objective=dpop(beta: 0.1, lambda: 1.0)"]),
    ("spin", "spin", ["SFT", "SPIN 1", "SPIN 2", "SPIN 3"], []),
    ("onpolicy", "dpo_onpolicy", ["SFT", "DPO"], []),
    ("after_long_sft", "dpo_after_long_sft", ["SFT", "DPO"], []),
    ("after_extended_sft", "dpo_after_extended_sft", ["SFT", "DPO"], []),
    ("same_lists", "dpo_offpolicy", ["SFT", "DPO"], ["data.rejected_exponent=1.4"]),
    ("sft", "sft", ["SFT"], []),
    ("sft_extended", "sft_extended", ["SFT"], []),
]
# A fifth of the learning rate, five times the steps.
SLOW = [
    ("slow_dpo", "dpo_offpolicy", ["SFT", "DPO"], [f"{DPO}.steps=1440", f"{DPO}.learning_rate=6e-6"]),
    ("slow_onpolicy", "dpo_onpolicy", ["SFT", "DPO"], [f"{DPO}.steps=960", f"{DPO}.learning_rate=6e-6"]),
]
FLOW = ("since", "star_gain", "gain", "star", "label", "bystanders", "entropy")


def record(binary, folder, experiment, seed, stages, every, settings):
    """Trains without a screen and returns the events."""
    sets = [f"probes.prompts={PAIRS}", "probes.greedy=0", "probes.held_out=0", "probes.kinds=[chosen, rejected]"]
    sets += [f"stages[{stage}].evaluate_every={every if stage != 'SFT' else EVERY}" for stage in stages] + settings
    command = [binary, "run", experiment, "--headless", "--seed", str(seed), "--out", folder, "--backend", "flex"]
    subprocess.run(command + [word for s in sets for word in ("--set", s)], check=True, capture_output=True)
    (events,) = Path(folder).glob("*/events.jsonl")
    return [json.loads(line) for line in events.read_text().splitlines()]


def rounded(value, digits):
    """Numbers with so many digits behind the point, also in lists."""
    if isinstance(value, list):
        return [rounded(x, digits) for x in value]
    return round(value, digits) if isinstance(value, float) else value


def small(event):
    """What the detector reads of an event; nothing of a training step."""
    if event["event"] == "run_started":
        for number, probe in enumerate(event["probes"]):
            responses = {kind: {"text": "", "tokens": r["tokens"]} for kind, r in probe["responses"].items()}
            probe.clear()
            probe.update(prompt=f"prompt {number + 1}", responses=responses)
        return event
    if event["event"] == "stage_started":
        return event
    if event["event"] != "evaluation":
        return None
    chosen = {key: [] for key in event["chosen"]} | {"argmax_logps": rounded(event["chosen"]["argmax_logps"], 3)}
    kept = {key: event[key] for key in ("event", "step", "stage")}
    kept |= {"logps": {k: rounded(v, 3) for k, v in event["logps"].items()}, "chosen": chosen}
    if flow := event.get("stage_flow"):
        kept["stage_flow"] = {key: rounded(flow[key], 4) for key in FLOW} | {"gained": [], "lost": []}
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seeds", type=int, nargs="+", default=[700, 1300])
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    for seed in options.seeds:
        for name, experiment, stages, settings in RUNS + SLOW:
            path = options.out / f"{name}-{seed}.jsonl.gz"
            if path.exists() or (options.only and name not in options.only):
                continue
            every = 5 * EVERY if name.startswith("slow") else EVERY
            with tempfile.TemporaryDirectory() as folder:
                events = record(options.binary, folder, experiment, seed, stages, every, settings)
            lines = [json.dumps(e, separators=(",", ":")) + "\n" for e in map(small, events) if e]
            path.write_bytes(gzip.compress("".join(lines).encode(), 9, mtime=0))
            print(path.name, path.stat().st_size, flush=True)


if __name__ == "__main__":
    main()
