"""Seconds that the whole demo takes here and in TRL: the same model, pairs, stages and steps, the probes measured as often.

    python trl.py --program target/release/ldyn-tui [--experiment experiments/sft.ron --pairs 256] [--repeats 3]

The program runs the experiment as it stands, without a screen, greedy answers and forces included. TRL's SFTTrainer and
DPOTrainer then train `assets/base` on the same pairs with the same optimiser, learning rates, batches and lengths of
stages; a callback reads the same responses (sums of log-probs and argmaxes, padded batches of 32, as `probes.py` does)
whenever the program measured. Python's imports and the model's loading are not counted for TRL; the program's start is.
Prints every repeat and the ratio of the medians, the program to TRL. Needs torch, transformers, datasets and trl (checked
with 1.16).
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# This file has the name of the package that it measures: its own folder must not come first.
sys.path.append(sys.path.pop(0))

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from probes import read, sequences


def program(args, folder, further=()):
    """Runs the experiment; returns its seconds and its events."""
    command = [os.path.abspath(args.program), "run", args.experiment, "--headless", "--seed", str(args.seed),
               "--backend", "flex", "--out", str(folder), *further]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - began
    (events,) = folder.glob("*/events.jsonl")
    return seconds, [json.loads(line) for line in events.read_text().splitlines()]


class Probes(TrainerCallback):
    """Reads all responses at the given steps."""

    def __init__(self, rows, steps):
        self.rows, self.steps, self.measured = rows, steps, 0

    def measure(self, model):
        model.eval()
        with torch.inference_mode():
            self.sums, _ = read(model, self.rows, 32)
        model.train()
        self.measured += 1

    def on_train_begin(self, _args, _state, _control, model, **_):
        if 0 in self.steps:
            self.measure(model)

    def on_step_end(self, _args, state, _control, model, **_):
        if state.global_step in self.steps:
            self.measure(model)


def shared(stage, folder, seed):
    """What both configurations say alike: the run's own stages, and what the shipped experiments have in common."""
    return dict(
        output_dir=str(folder), max_steps=stage["steps"], learning_rate=stage["learning_rate"], seed=seed,
        per_device_train_batch_size=8, lr_scheduler_type="constant_with_warmup", warmup_steps=10, max_grad_norm=10.0,
        optim="adamw_torch", adam_beta1=0.9, adam_beta2=0.95, weight_decay=0.0, use_cpu=True, bf16=False,
        gradient_checkpointing=False, logging_strategy="no", save_strategy="no", report_to=[], disable_tqdm=True)


def demo(args, folder, pairs, stages, rows, points):
    """Seconds of both stages in TRL, and how often the probes were read."""
    # The program's `assets/base` keeps half precision; it trains in single.
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    config = json.loads((pathlib.Path(args.model) / "config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{args.model}/tokenizer.json")
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(config["eos_token_id"])
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config["pad_token_id"])
    sft, dpo = stages[0], stages[1] if len(stages) > 1 else None
    completions = [{"prompt": pair["prompt"], "completion": pair["chosen"] + tokenizer.eos_token} for pair in pairs]
    began = time.perf_counter()
    first = Probes(rows, {step for step in points if step <= sft["steps"]})
    SFTTrainer(model=model, args=SFTConfig(completion_only_loss=True, **shared(sft, folder, args.seed)),
               train_dataset=Dataset.from_list(completions), processing_class=tokenizer, callbacks=[first]).train()
    if dpo is None:
        return time.perf_counter() - began, first.measured
    second = Probes(rows, {step - sft["steps"] for step in points if step > sft["steps"]})
    configuration = DPOConfig(beta=dpo["beta"], precompute_ref_log_probs=True, **shared(dpo, folder, args.seed))
    DPOTrainer(model=model, args=configuration, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer,
               callbacks=[second]).train()
    return time.perf_counter() - began, first.measured + second.measured


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--experiment", default="experiments/dpo_offpolicy.ron")
    parser.add_argument("--model", default="assets/base")
    parser.add_argument("--seed", type=int, default=9777)
    parser.add_argument("--pairs", type=int, default=256, help="training pairs of the experiment")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    times = []
    for repeat in range(1, args.repeats + 1):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            ours, events = program(args, folder / "run")
            started = events[0]
            evaluations = [event for event in events if event["event"] == "evaluation"]
            if repeat == 1:
                # All training pairs, as the probes of a run of no length.
                _, short = program(args, folder / "pairs", ["--steps", "1", "--set", f"probes.prompts={args.pairs}",
                                                            "--set", "probes.kinds=[chosen, rejected]"])
                probes = short[0]["probes"]
                pairs = [{"prompt": probe["prompt"], "chosen": probe["responses"]["chosen"]["text"],
                          "rejected": probe["responses"]["rejected"]["text"]} for probe in probes]
            data = folder / "responses.jsonl"
            with open(data, "w") as out:
                for i, probe in enumerate(started["probes"]):
                    responses = [{"text": response["text"], "tokens": response["tokens"],
                                  "sum": evaluations[-1]["logps"][kind][i]} for kind, response in probe["responses"].items()]
                    out.write(json.dumps({"prompt": probe["prompt"], "responses": responses}) + "\n")
            rows = sequences(args.model, data, 512, 256)
            points = [evaluation["step"] for evaluation in evaluations]
            theirs, measured = demo(args, folder / "trl", pairs, started["stages"], rows, points)
        times.append((ours, theirs))
        print(f"{repeat}: the program {ours:.1f} s, TRL {theirs:.1f} s ({measured} measurements of {len(rows)} responses, "
              f"{len(pairs)} pairs); ratio {ours / theirs:.3f}", flush=True)
    ours, theirs = (statistics.median(column) for column in zip(*times))
    print(f"program / TRL = {ours / theirs:.3f} (median of {args.repeats})")


if __name__ == "__main__":
    main()
