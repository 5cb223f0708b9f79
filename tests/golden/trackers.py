"""Writes what trackers keep of a short run beside this file: `golden.wandb` (Weights & Biases, offline), `trackio.db` and
`verl.jsonl` (verl's file logger).

    python tests/golden/trackers.py [--only wandb trackio verl]

Each is written by the tool itself, which is given the same scalars under the names that its trainer uses. Made with
wandb 0.31.0, trackio 0.43.0, verl 0.9.1 on Python 3.11. Of verl only the logger is loaded: the file `verl/utils/tracking.py`
of its package, installed without what it depends on.

`prime_rl/` beside it was NOT written by prime-rl, which installs from its repository alone: `prime_rl()` below follows the
fields of its `trainer/rl/token_export.py`, schema version 1.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def steps():
    """The scalars of eight logged steps of a DPO run, one of them without a number."""
    for at in range(1, 9):
        loss = float("nan") if at == 5 else 0.7 - 0.03 * at
        yield 2 * at, {
            "loss": loss, "grad_norm": 1.0 + at / 7, "learning_rate": 1e-4, "logps/chosen": -40.0 - at / 3,
            "logps/rejected": -42.0 - at, "rewards/margins": 0.01 * at, "epoch": at / 8}


def wandb(folder):
    """As transformers' callback does it: names under `train/`, the trainer's step beside the tracker's own."""
    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=str(folder), WANDB_HOST="golden",
                      WANDB_USERNAME="golden", WANDB_DISABLE_GIT="true", WANDB_DISABLE_CODE="true", WANDB_CONSOLE="off")
    import wandb as tool

    settings = tool.Settings(x_disable_stats=True, x_disable_meta=True, x_save_requirements=False)
    run = tool.init(project="golden", settings=settings)
    run.define_metric("train/global_step")
    run.define_metric("*", step_metric="train/global_step", step_sync=True)
    for step, scalars in steps():
        run.log({**{f"train/{name}": value for name, value in scalars.items()}, "train/global_step": step})
    # A record that does not fit a block is written in parts.
    run.log({"long": "x" * 36_000, "train/global_step": 16})
    run.finish()
    (written,) = folder.rglob("run-*.wandb")
    shutil.copy(written, HERE / "golden.wandb")


def trackio(folder):
    """Two runs in one file."""
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio as tool

    for name, until in (("first", 4), ("second", 16)):
        tool.init(project="golden", name=name)
        for step, scalars in steps():
            if step <= until:
                tool.log({f"train/{name}": value for name, value in scalars.items()}, step=step)
        tool.finish()
    (written,) = folder.rglob("golden.db")
    shutil.copy(written, HERE / "trackio.db")


def verl(folder):
    """Lines of a GRPO run, as `trainer.logger=[file]` writes them."""
    place = importlib.util.find_spec("verl").submodule_search_locations[0]
    of = importlib.util.spec_from_file_location("tracking", f"{place}/utils/tracking.py")
    tool = importlib.util.module_from_spec(of)
    of.loader.exec_module(tool)
    os.environ["VERL_FILE_LOGGER_PATH"] = str(folder / "verl.jsonl")
    logger = tool.FileLogger("golden", "golden")
    for step, scalars in steps():
        logger.log({"actor/pg_loss": scalars["loss"], "actor/entropy": 2.0 - step / 20, "actor/grad_norm": 1.0,
                    "actor/lr": 1e-6, "critic/rewards/mean": step / 16, "response_length/mean": 30.0 + step}, step)
    logger.finish()
    shutil.copy(folder / "verl.jsonl", HERE / "verl.jsonl")


def prime_rl(_folder):
    """Two steps of two ranks, four samples each, in the form of prime-rl's exports; not written by it."""
    for step in (3, 12):
        for rank in (0, 1):
            lines = []
            for sequence in range(4):
                good = (sequence + rank) % 2 == 0
                n, advantage = 5, 0.5 if good else -0.5
                if sequence == 3:
                    advantage = 0.0
                trained = [False, False, True, True, True]
                of = lambda value: [value if kept else 0.0 for kept in trained]  # noqa: E731
                lines.append(json.dumps({
                    "schema_version": 1, "step": step, "export_step": step, "rank": rank, "micro_step": 0,
                    "micro_sequence_idx": sequence, "export_sequence_idx": sequence, "run_id": None, "env_name": "golden",
                    "token_ids": list(range(n)), "position_ids": list(range(n)), "loss_mask": trained,
                    "advantages": [advantage] * n, "losses": [{} for _ in range(n)],
                    "rewards": [1.0 if good else 0.0] * n, "inference_logprobs": of(-1.0),
                    "trainer_logprobs": of(-1.0 - step / 10 - (0 if good else 1)), "entropy": of(1.5),
                    "mismatch_kl": [None] * n, "log_importance_ratio": of(0.0), "importance_ratio": of(1.0),
                    "prob_delta": of(0.0), "is_masked": [False] * n, "is_masked_high": [False] * n,
                    "is_masked_low": [False] * n}, separators=(",", ":"), allow_nan=False))
            path = HERE / "prime_rl" / "token_exports" / f"step_{step}" / f"rank_{rank}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")


def main():
    tools = {"wandb": wandb, "trackio": trackio, "verl": verl, "prime_rl": prime_rl}
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", choices=list(tools), default=list(tools))
    for name in parser.parse_args().only:
        with tempfile.TemporaryDirectory() as folder:
            tools[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
