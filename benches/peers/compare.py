"""Seconds per optimiser step of the program and of eager PyTorch on the same DPO batches, one after the other.

    python compare.py --program target/release/ldyn-tui --model MODEL.gguf|FOLDER --data ROWS.jsonl [--groups 3] [--repeats 2]

Each group is `--batch` rows of the data, all of which are in every batch. The program writes its own weights as a Hugging
Face folder first, so that both begin at the same numbers; that both do the same work shows in the losses, which are printed
side by side. A step's time is the median over the steps but the first; the ratio is the program's over PyTorch's. CPU
seconds (all threads) are printed beside those of the clock: on a machine that does other things, they are what to compare.
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

EXPERIMENT = """(
    name: "{name}",
    model: {model},
    data: preferences(train: "{data}", max_length: {max_length}, max_prompt_length: {max_prompt_length}),
    probes: (prompts: 1, greedy: 0, max_new_tokens: 1),
    stages: [(name: "DPO", objective: sigmoid(beta: 0.1), steps: {steps}, batch_size: {batch}, optimizer: {optimizer},
              learning_rate: {learning_rate}, max_grad_norm: 10.0, evaluate_every: 100000)],
    output: (directory: "runs", checkpoint_every: 0, save_model: {save_model}),
)"""


def cpu_seconds(process):
    """Seconds that all threads of a running process have computed (Linux)."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024


def program(args, folder, name, model, data, steps, learning_rate, save_model=False):
    """Runs the program without a screen; returns seconds, CPU seconds and loss of every step, and its peak memory in bytes."""
    text = EXPERIMENT.format(
        name=name, model=model, data=data, steps=steps, batch=args.batch, optimizer=args.optimizer, learning_rate=learning_rate,
        max_length=args.max_length, max_prompt_length=args.max_prompt_length, save_model=str(save_model).lower())
    (folder / "experiment.ron").write_text(text)
    command = [os.path.abspath(args.program), "run", "experiment.ron", "--headless", "--backend", args.backend]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    events = folder / "runs" / f"{name}-seed0" / "events.jsonl"
    steps, read, began, peak = [], 0, None, 0
    # To a file: a pipe that nobody empties would stop the run.
    with open(folder / "program.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        while process.poll() is None:
            # Until it is waited for, what an ended process used can still be read.
            now = time.perf_counter(), cpu_seconds(process)
            peak = max(peak, peak_bytes(process))
            lines = events.read_bytes().split(b"\n")[:-1] if events.exists() else []
            for event in map(json.loads, lines[read:]):
                if event["event"] == "step":
                    steps.append((now[0] - began[0], now[1] - began[1], event["metrics"]["loss"]))
                if event["event"] in ("step", "phase"):
                    began = now
            read = len(lines)
            time.sleep(0.02)
    if process.returncode:
        sys.exit(f"the program failed:\n{(folder / 'program.log').read_text()}")
    return steps, peak


def pytorch(args, model, data, steps):
    """The same of PyTorch, and the tokens of the batch."""
    command = [sys.executable, pathlib.Path(__file__).with_name("dpo.py"), "--model", model, "--data", data,
               "--steps", str(steps), "--optimizer", args.optimizer.split("(")[0], "--learning-rate", str(args.learning_rate),
               "--max-length", str(args.max_length), "--max-prompt-length", str(args.max_prompt_length),
               "--threads", str(args.threads), "--logits", args.logits]
    rows = [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()]
    steps = [(row["seconds"], row["cpu_seconds"], row["loss"]) for row in rows if "step" in row]
    return steps, rows[-1]["peak_bytes"], rows[0]["tokens"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--groups", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--optimizer", default="rmsprop()", help="as the experiment writes it")
    parser.add_argument("--learning-rate", type=float, default=5e-7)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--max-prompt-length", type=int, default=256)
    parser.add_argument("--backend", default="flex")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--logits", choices=["predicting", "all"], default="predicting")
    args = parser.parse_args()

    rows = [row for row in map(json.loads, open(args.data)) if all(row[kind].strip() for kind in ("chosen", "rejected"))]
    model = pathlib.Path(args.model).resolve()
    source = f'{"folder" if model.is_dir() else "file"}("{model}")'
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        groups = []
        for group in range(args.groups):
            path = folder / f"group{group}.jsonl"
            part = rows[group * args.batch : (group + 1) * args.batch]
            path.write_text("".join(json.dumps({k: row[k] for k in ("prompt", "chosen", "rejected")}) + "\n" for row in part))
            groups.append(path)
        # A step of no length leaves the weights as they are, and the run writes them as a folder.
        program(args, folder, "export", source, groups[0], 1, 1e-45, save_model=True)
        exported = folder / "runs" / "export-seed0" / "model"
        total = [[0.0, 0.0], [0.0, 0.0]]
        for repeat in range(args.repeats):
            for number, path in enumerate(groups):
                name = f"group{number}-{repeat}"
                steps, peak = program(args, folder, name, source, path, args.steps, args.learning_rate)
                peer_steps, peer_peak, tokens = pytorch(args, exported, path, args.steps)
                (wall, cpu), (peer_wall, peer_cpu) = both = typical(steps), typical(peer_steps)
                total = [[sum(x) for x in zip(*pair)] for pair in zip(total, both)]
                losses, peer_losses = [[loss for _, _, loss in of] for of in (steps, peer_steps)]
                apart = max(abs(a - b) for a, b in zip(losses, peer_losses))
                print(f"group {number} ({tokens} tokens): program {wall:.2f} s ({cpu:.2f} CPU s, peak {peak / 1e9:.2f} GB), "
                      f"PyTorch {peer_wall:.2f} s ({peer_cpu:.2f} CPU s, {peer_peak / 1e9:.2f} GB), "
                      f"ratio {wall / peer_wall:.2f} ({cpu / peer_cpu:.2f}); "
                      f"losses {losses[0]:.5f} → {losses[-1]:.5f} and {peer_losses[0]:.5f} → {peer_losses[-1]:.5f}, "
                      f"at most {apart:.1e} apart", flush=True)
        (wall, cpu), (peer_wall, peer_cpu) = ([x / args.repeats / args.groups for x in of] for of in total)
        print(f"mean: program {wall:.2f} s a step ({cpu:.2f} CPU s), PyTorch {peer_wall:.2f} s ({peer_cpu:.2f} CPU s), "
              f"ratio {wall / peer_wall:.2f} ({cpu / peer_cpu:.2f}); {args.optimizer}, logits {args.logits}, "
              f"{args.threads} threads")


def typical(steps):
    """Median seconds and CPU seconds of a step; the first one warms up."""
    return [statistics.median(step[i] for step in steps[1:]) for i in (0, 1)]


if __name__ == "__main__":
    main()
