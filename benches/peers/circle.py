"""The circle: TRL's DPOTrainer trains `assets/base` on what `ldyn-tui data` writes, watched by the callback, and this program
trains the same; the curves of both should be one.

    python benches/peers/circle.py --program target/release/ldyn-tui [--steps 50] [--every 10] [--keep DIR]

Both take the same pairs in the same order, with the same optimiser, schedule and clipping; TRL gets the schedule of the
program, whose warm-up begins with its first share where transformers' begins with zero. Both measure the same probes at the
same steps. Prints, for every evaluation, the largest difference of a sum of log-probs over all prompts and kinds and of the
means over prompts, in nats, and what `ldyn-tui attach --once` says of either run. Exit status 1 where a mean differs by more
than 1e-3 nats at or before step 50, or the states differ. Needs torch, transformers, datasets and trl (checked with 1.16).
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

# This folder has a file with the name of the package that is used: it must not come first.
sys.path.append(sys.path.pop(0))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))

import torch
from datasets import Dataset
from ldyn_tui import LdynCallback
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

EXPERIMENT = """(
    name: "circle",
    seed: {seed},
    data: world((train: 256, held_out: 128, chosen_exponent: 1.4, rejected_exponent: 0.8, overlap: 0.2)),
    probes: (prompts: {prompts}, greedy: 0, max_new_tokens: 64),
    stages: [(
        name: "DPO",
        objective: sigmoid(beta: 0.1),
        steps: {steps},
        batch_size: 8,
        optimizer: adamw(beta_1: 0.9, beta_2: 0.95, weight_decay: 0.0),
        learning_rate: {rate},
        warmup_steps: 10,
        max_grad_norm: 10.0,
        evaluate_every: {every},
    )],
)
"""


class InOrder(DPOTrainer):
    """Takes the rows as they come."""

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def tokenizer_of(folder):
    config = json.loads((folder / "config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(config["eos_token_id"])
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config["pad_token_id"])
    return tokenizer


def theirs(args, folder):
    """TRL's run; returns its events and its directory."""
    pairs, order = lines(folder / "data/train.jsonl"), lines(folder / "data/order.jsonl")
    dataset = Dataset.from_list([pairs[row] for step in order for row in step["rows"]])
    # `assets/base` keeps half precision; both train in single.
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 10, 1.0))
    config = DPOConfig(
        output_dir=str(folder / "out"), beta=0.1, max_steps=args.steps, learning_rate=args.rate, seed=args.seed,
        per_device_train_batch_size=8, max_grad_norm=10.0, use_cpu=True, bf16=False, gradient_checkpointing=False,
        logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, max_length=256,
        precompute_ref_log_probs=False)
    callback = LdynCallback(folder / "data/probes.jsonl", every=args.every, prompts=args.prompts,
                            out=folder / "trl", derive=False, budget=math.inf)
    trainer = InOrder(model=model, args=config, train_dataset=dataset, processing_class=tokenizer_of(args.model),
                      optimizers=(optimizer, schedule), callbacks=[callback])
    trainer.train()
    share = callback.recorder.share
    print(f"the callback took {share.overhead():.2%} of the training's time beyond its forward passes, which took "
          f"{share.forward_share():.2%} at {args.prompts} prompts every {args.every} steps")
    return lines(folder / "trl/events.jsonl"), folder / "trl"


def state(args, run):
    """What `attach --once` says."""
    told = subprocess.run([args.program, "attach", str(run), "--once"], capture_output=True, text=True)
    if told.returncode not in (0, 1):
        sys.exit(told.stderr)
    return json.loads(told.stdout)


def states(args, run):
    """Every change of state, from the exported events."""
    told = state(args, run)
    return {key: told[key] for key in ("state", "since", "step", "stage", "displaced", "squeezed")}


def compare(a, b):
    """Largest difference over prompts and kinds, and of means over prompts."""
    worst, of_means, kind_of_worst = 0.0, 0.0, ""
    columns = {**a["logps"], "argmax_chosen": a["chosen"]["argmax_logps"], "argmax_rejected": a["rejected"]["argmax_logps"]}
    others = {**b["logps"], "argmax_chosen": b["chosen"]["argmax_logps"], "argmax_rejected": b["rejected"]["argmax_logps"]}
    assert columns.keys() == others.keys(), (columns.keys(), others.keys())
    for kind, values in columns.items():
        pairs = [(x, y) for x, y in zip(values, others[kind]) if x is not None]
        apart = [abs(x - y) for x, y in pairs]
        if max(apart) > worst:
            worst, kind_of_worst = max(apart), kind
        of_means = max(of_means, abs(math.fsum(x - y for x, y in pairs)) / len(pairs))
    return worst, kind_of_worst, of_means


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path("assets/base"))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--seed", type=int, default=9777)
    parser.add_argument("--rate", type=float, default=3e-5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=pathlib.Path, help="folder for both runs; a temporary one if absent")
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        experiment = folder / "circle.ron"
        experiment.write_text(EXPERIMENT.format(**vars(args)))
        run = lambda *of: subprocess.run([args.program, *map(str, of)], check=True, capture_output=True)
        run("data", experiment, "--out", folder / "data")
        run("run", experiment, "--headless", "--backend", "flex", "--out", folder / "ours")
        (ours,) = (folder / "ours").glob("*/events.jsonl")
        run("check", ours)
        watched, directory = theirs(args, folder)
        run("check", directory)
        of = lambda events: {e["step"]: e for e in events if e["event"] == "evaluation"}
        a, b = of(lines(ours)), of(watched)
        assert a.keys() == b.keys(), (sorted(a), sorted(b))
        close = True
        for step in sorted(a):
            worst, kind, means = compare(a[step], b[step])
            close &= step > 50 or means <= 1e-3
            print(f"step {step:4}: largest difference {worst:.2e} nats ({kind}), of means over prompts {means:.2e}")
        told = states(args, ours.parent), states(args, directory)
        print(f"ours {told[0]}\nTRL  {told[1]}")
        alike = all(told[0][key] == told[1][key] for key in ("state", "since", "step"))
        print(f"log-probs {'agree' if close else 'DIFFER'}, states {'agree' if alike else 'DIFFER'}")
        sys.exit(0 if close and alike else 1)


if __name__ == "__main__":
    main()
