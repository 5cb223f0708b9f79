"""What the callback costs under TRL on `assets/base`: its work beyond the forward passes, and the forward passes themselves.

    python benches/peers/overhead.py --program target/release/ldyn-tui [--steps 200] [--every 50] [--prompts 64]

The program writes the shipped world's pairs and probes (`data`); TRL's DPOTrainer trains on them, watched by `LdynCallback`
with its defaults, by wall time and by the CPU time of all threads. Then the batches of one measurement are read forwards
in turn by the callback (logits from the prompts' ends on) and by a plain call of the model on the same padded tokens, as
often as --repeats says, and the ratio of the medians is printed. The first measurement, which reads the probes and warms up,
is not counted, as in the callback's own account. Times of a machine that does something else are worth little; ratios of one
run are worth more. `--data DIR` takes what the program wrote before. Needs torch, transformers, datasets and trl.
"""

import argparse
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# This folder has a file with the name of the package that is used: it must not come first.
sys.path.append(sys.path.pop(0))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))

import torch
from datasets import Dataset
from ldyn_tui import LdynCallback, plan, recorder, share, torch_reader
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer

sys.path.append(str(pathlib.Path(__file__).parent))
from circle import EXPERIMENT, lines, tokenizer_of


class Both:
    """Two accounts of the same work: by the wall's clock and by the time of all threads on a CPU."""

    def __init__(self):
        self.wall, self.cpu = share.Share(), share.Share(time.process_time)

    def __getattr__(self, name):
        return getattr(self.wall, name)

    def restart(self):
        self.wall.restart()
        self.cpu.restart()

    def ours(self):
        return Nested(self.wall.ours(), self.cpu.ours())

    def forwards(self):
        return Nested(self.wall.forwards(), self.cpu.forwards())


class Nested:
    def __init__(self, *contexts):
        self.contexts = contexts

    def __enter__(self):
        for context in self.contexts:
            context.__enter__()

    def __exit__(self, *of):
        for context in reversed(self.contexts):
            context.__exit__(*of)


def trained(args, folder):
    """Trains and prints the callback's share; returns trainer and callback."""
    recorder.Share = Both
    pairs = lines(folder / "train.jsonl")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    config = DPOConfig(
        output_dir=str(folder / "out"), beta=0.1, max_steps=args.steps, learning_rate=3e-5, seed=1,
        per_device_train_batch_size=8, use_cpu=True, bf16=False, gradient_checkpointing=False, logging_steps=10,
        save_strategy="no", report_to=[], disable_tqdm=True, max_length=256)
    with tempfile.TemporaryDirectory() as out:
        callback = LdynCallback(folder / args.probes, every=args.every, prompts=args.prompts, out=f"{out}/run",
                                budget=math.inf)
        trainer = DPOTrainer(model=model, args=config, train_dataset=Dataset.from_list(pairs),
                             processing_class=tokenizer_of(args.model), callbacks=[callback])
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    account = callback.recorder.share
    answers = len(callback.recorder._answers)
    print(f"{args.steps} steps in {seconds:.1f} s, {answers} answers to {args.prompts} prompts every {args.every} steps")
    for name, of in (("wall", account.wall), ("CPU", account.cpu)):
        print(f"by {name} time the callback took {of.overhead():.2%} of the training's beyond its forward passes, which "
              f"took {of.forward_share():.2%}")
    return trainer, callback


def plain(model, answers):
    """The same padded tokens through the model as anyone would call it; all logits."""
    width = max(len(answer) for answer in answers)
    rows = [[*a.prompt_ids, *a.completion_ids] for a in answers]
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def forwards(args, trainer, callback):
    """Reads the batches in turn by the callback's forward pass and by a plain one; prints the ratio."""
    of, model = callback.recorder, trainer.model.eval()
    batches = plan.batches(of._answers, recorder.BATCH_TOKENS, recorder.BATCH_LOGITS, model.config.vocab_size)
    batches = [[of._answers[index] for index in batch] for batch in batches]
    times = {"wall": ([], []), "CPU": ([], [])}
    with torch.no_grad():
        for repeat in range(args.repeats + 1):
            for side, call in enumerate((torch_reader.forward, plain)):
                began = time.perf_counter(), time.process_time()
                for batch in batches:
                    call(model, batch)
                if repeat:
                    for clock, begin, now in zip(times, began, (time.perf_counter(), time.process_time())):
                        times[clock][side].append(now - begin)
    for clock, (ours, theirs) in times.items():
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"by {clock} time the forward passes of a measurement took {ratio:.2f} of plain ones on the same "
              f"{len(batches)} batches ({statistics.median(ours):.3f} s, median of {args.repeats})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path("assets/base"))
    parser.add_argument("--probes", default="train.jsonl", help="which file of the data is observed; train.jsonl has the "
                        "two answers of a pair, to which the callback adds three, probes.jsonl all fourteen kinds")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.data or pathlib.Path(temporary) / "data"
        if not args.data:
            if not args.program:
                parser.error("give --program, or --data with what it wrote")
            experiment = pathlib.Path(temporary) / "overhead.ron"
            experiment.write_text(EXPERIMENT.format(seed=9777, prompts=args.prompts, steps=10, rate=3e-5, every=10))
            subprocess.run([os.path.abspath(args.program), "data", experiment, "--out", folder], check=True,
                           capture_output=True)
        forwards(args, *trained(args, folder))


if __name__ == "__main__":
    main()
