"""Writes `trainer_state.json` and `events.out.tfevents.golden` beside this file: what transformers and TensorBoard keep of a
short DPO run by TRL on a model of a few weights.

    python tests/golden/trainer_state.py

Made with torch 2.15.0, transformers 5.24.0, trl 1.16.0, tensorboard 2.21.0 on a CPU.
"""

import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "python"), str(HERE.parents[1] / "python" / "tests")]

import test_trainers as t  # noqa: E402

with tempfile.TemporaryDirectory() as temporary:
    # What is written names no folder of this machine.
    os.chdir(temporary)
    folder = pathlib.Path(".")
    t.dpo(folder, [], max_steps=8, save_strategy="steps", save_steps=8, logging_steps=2, seed=7,
          report_to=["tensorboard"]).train()
    (events,) = folder.rglob("events.out.tfevents.*")
    shutil.copy(events, HERE / "events.out.tfevents.golden")
    shutil.copy(folder / "out" / "checkpoint-8" / "trainer_state.json", HERE / "trainer_state.json")
