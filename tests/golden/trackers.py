"""Writes what trackers keep of a short run beside this file: `golden.wandb` (Weights & Biases, offline), `trackio.db`,
`verl.jsonl` (verl's file logger) and `prime_rl/token_exports`.

    python tests/golden/trackers.py [--only wandb trackio verl prime_rl]

Each is written by the tool itself, which is given the same scalars under the names that its trainer uses. Made with
wandb 0.31.0, trackio 0.43.0, verl 0.9.1 on Python 3.11. Of verl only the logger is loaded: the file `verl/utils/tracking.py`
of its package, installed without what it depends on.

`prime_rl/token_exports` is written by `trainer/rl/token_export.py` of prime-rl, schema version 1, which is in no package:
the folder `src` of a checkout goes into PYTHONPATH, and only that file of it is loaded. Two modules that it imports have
stand-ins here, since they bring the whole trainer: a configuration, of which this run uses no field, and the ratio of
two log-probs with its KL estimate.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import sys
import tempfile
import types

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


def prime_rl(folder):
    """Two steps of two ranks: four samples each in one padded batch, and a sequence of which nothing is trained on."""
    import torch

    tool = token_export()
    for rank in (0, 1):
        exporter = tool.TokenExporter(folder, rank)
        for step in (3, 12):
            good = [(sequence + rank) % 2 == 0 for sequence in range(5)]
            trained = [at >= 2 and sequence < 4 for sequence in range(5) for at in range(5)] + [False] * 2
            advantage = [0.0 if sequence == 3 else 0.5 if good[sequence] else -0.5 for sequence in range(5)]

            def row(of_sequence, padding=0.0):
                return torch.tensor([[of_sequence(at // 5) for at in range(25)] + [padding] * 2])

            def kept(values):
                return torch.where(torch.tensor([trained]), values, 0.0)

            batch = {
                "input_ids": row(lambda at: at, 0), "position_ids": torch.tensor([[*range(5)] * 5 + [0, 1]]),
                "advantages": [{"loss": "rl", "values": row(lambda at: advantage[at]), "mask": torch.tensor([trained])}],
                "rewards": row(lambda at: 1.0 if good[at] else 0.0), "inference_logprobs": kept(row(lambda _: -1.0)),
                "env_names": ["golden"] * 25 + [""] * 2}
            output = {
                "logprobs": kept(row(lambda at: -1.0 - step / 10 - (0 if good[at] else 1))),
                "entropy": kept(row(lambda _: 1.5))}
            exporter.export(step, 0, batch, output, [5, 5, 5, 5, 7], None)
        exporter.mark_stable()
    shutil.rmtree(HERE / "prime_rl", ignore_errors=True)
    shutil.copytree(folder / "token_exports", HERE / "prime_rl" / "token_exports")


def token_export():
    """prime-rl's module that writes the exports."""
    def ratio(trainer, inference):
        log_ratio = trainer - inference
        return log_ratio, log_ratio.exp(), log_ratio.exp() - log_ratio - 1

    config, loss = types.ModuleType("prime_rl.configs.trainer"), types.ModuleType("prime_rl.trainer.rl.loss")
    config.DefaultLossConfig, config.TrainerConfig = type("DefaultLossConfig", (), {}), type("TrainerConfig", (), {})
    loss.compute_importance_ratio_and_mismatch_kl = ratio
    sys.modules.update({config.__name__: config, loss.__name__: loss})
    # The folder of what it writes, beside this file, has the package's name.
    paths = (pathlib.Path(place) / "prime_rl" / "trainer" / "rl" / "token_export.py" for place in sys.path)
    spec = importlib.util.spec_from_file_location("token_export", next(path for path in paths if path.exists()))
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def main():
    tools = {"wandb": wandb, "trackio": trackio, "verl": verl, "prime_rl": prime_rl}
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", choices=list(tools), default=list(tools))
    for name in parser.parse_args().only:
        with tempfile.TemporaryDirectory() as folder:
            tools[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
