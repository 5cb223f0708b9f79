"""A DPO run on several ranks, started by `test_many.py`: `python -m torch.distributed.run ... ranks_trl.py OUT`."""

import pathlib
import sys

import test_trainers as t
import trl
from datasets import Dataset

from ldyn_tui import LdynCallback


def main(out):
    path = pathlib.Path(out)
    callback = LdynCallback(t.ROWS, every=2, prompts=3, out=path / "run")
    config = trl.DPOConfig(beta=0.3, max_length=32, **t.settings(path, max_steps=4))
    trainer = trl.DPOTrainer(
        model=t.llama(),
        ref_model=t.llama(),
        args=config,
        train_dataset=Dataset.from_list(t.ROWS),
        processing_class=t.tokenizer(),
        callbacks=[callback],
    )
    trainer.train()
    print("wrapped as", type(trainer.model_wrapped).__name__)


if __name__ == "__main__":
    main(sys.argv[1])
