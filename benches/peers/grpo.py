"""Records a GRPO run of TRL on the shipped world with a reward that can be checked: `experiments/grpo_world.jsonl.gz`.

    python benches/peers/grpo.py --program target/release/ldyn-tui [--steps 120] [--out experiments/grpo_world.jsonl.gz]

The program writes the world's questions with their pairs (`data`); TRL's GRPOTrainer trains `assets/base` on the questions.
The reward is the share of 19 facts of an answer that are right in the world (`world.py`, held against the program's own
judge by a test). `LdynCallback` watches: of 32 questions the pairs' answers, which GRPO never sees, and by `watch` the
sampled answers. A recording is the run file, without the texts of argmaxes, packed by gzip. Needs torch, transformers,
datasets and trl (made with 1.16); takes some minutes of two cores.
"""

import argparse
import gzip
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

# This folder has a file with the name of the package that is used: it must not come first.
sys.path.append(sys.path.pop(0))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))

import torch
from datasets import Dataset
from ldyn_tui import LdynCallback
from transformers import AutoModelForCausalLM
from trl import GRPOConfig, GRPOTrainer

sys.path.append(str(pathlib.Path(__file__).parent))
from circle import EXPERIMENT, lines, tokenizer_of
from world import Judge

DESCRIPTION = ("GRPO by TRL on the shipped world: 8 samples a question, rewarded by the share of 19 facts that are right. "
               "y+ and y- are answers of the world that GRPO never sees.")


def data(args, folder):
    """The world's pairs, written by the program, or what it wrote before."""
    if args.data:
        return args.data
    experiment = folder / "grpo.ron"
    experiment.write_text(EXPERIMENT.format(seed=args.seed, prompts=args.prompts, steps=10, rate=3e-5, every=10))
    subprocess.run([os.path.abspath(args.program), "data", experiment, "--out", folder / "data"], check=True,
                   capture_output=True)
    return folder / "data"


def train(args, folder):
    """Trains; returns the run file."""
    judge = Judge()
    source = data(args, folder)
    pairs, probes = lines(source / "train.jsonl"), lines(source / "probes.jsonl")
    kinds = ("prompt", "chosen", "rejected", "irr_train", "random_permute", "chosen_gptsemantic")
    probes = [{kind: row[kind] for kind in kinds if kind in row} for row in probes[: args.prompts]]

    def facts(prompts, completions, **_):
        return [judge.reward(prompt, completion) for prompt, completion in zip(prompts, completions)]

    config = GRPOConfig(
        output_dir=str(folder / "out"), max_steps=args.steps, learning_rate=args.rate, seed=args.seed, beta=args.beta,
        per_device_train_batch_size=args.batch, num_generations=8, max_completion_length=64, temperature=1.0,
        lr_scheduler_type="constant_with_warmup", warmup_steps=5, use_cpu=True, bf16=False, gradient_checkpointing=False,
        logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True)
    # What it costs is a clock's matter: it must not decide what is recorded.
    callback = LdynCallback(probes, every=args.every, prompts=args.prompts, out=folder / "grpo_world", derive=False,
                            description=DESCRIPTION, budget=math.inf)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    trainer = GRPOTrainer(model=model, reward_funcs=callback.watch(facts), args=config,
                          train_dataset=Dataset.from_list([{"prompt": pair["prompt"]} for pair in pairs]),
                          processing_class=tokenizer_of(args.model), callbacks=[callback])
    trainer.train()
    return folder / "grpo_world" / "events.jsonl"


def pack(events, out):
    """Packs a run file, without what a small recording need not have; nothing of this machine is in it."""
    with open(out, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        for event in lines(events):
            if event["event"] == "step":
                event["metrics"] = {name: value for name, value in event["metrics"].items()
                                    if name not in ("step_time",) and not name.startswith(("ldyn/", "profiling/"))}
            packed.write((json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n").encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/release/ldyn-tui")
    parser.add_argument("--data", type=pathlib.Path, help="what `ldyn-tui data` wrote before")
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path("assets/base"))
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64, help="samples a step: eight to a question")
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--beta", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=4242)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("experiments/grpo_world.jsonl.gz"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        began = time.perf_counter()
        events = train(args, pathlib.Path(temporary))
        pack(events, args.out)
        told = [event["metrics"] for event in lines(events) if event["event"] == "step"]
    print(f"{time.perf_counter() - began:.0f} s, {args.out}: {args.out.stat().st_size / 1024:.0f} KiB")
    for name in ("reward", "frac_reward_zero_std", "entropy", "sampled/logps_correct", "sampled/logps_incorrect",
                 "earlier/logps", "earlier/fell"):
        values = [step[name] for step in told if name in step]
        if values:
            fifth = max(len(values) // 5, 1)
            ends = (sum(some) / len(some) for some in (values[:fifth], values[-fifth:]))
            print(f"{name}: {' to '.join(f'{mean:.3f}' for mean in ends)} (means of the first and the last fifth)")


if __name__ == "__main__":
    main()
