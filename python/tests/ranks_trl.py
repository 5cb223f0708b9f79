"""A DPO run on several ranks, started by `test_many.py`: `python -m torch.distributed.run ... ranks_trl.py OUT [KIND]`.

KIND is how the model is spread: `ddp`, `fsdp2` or `zero3`.
"""

import os
import pathlib
import sys

import test_trainers as t
import trl
from accelerate import DistributedType, PartialState
from datasets import Dataset

from ldyn_tui import LdynCallback

ZERO3 = {
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "zero_allow_untested_optimizer": True,
    # Without a threshold, so small weights would stay whole on every rank.
    "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0},
}


def spread(path, kind):
    """The trainer's configuration, with Accelerate's state set up for several ranks of a CPU."""
    further = {"max_steps": 4, "optim": "adamw_torch"}
    if kind == "fsdp2":
        further |= {"use_cpu": False, "ddp_backend": "gloo", "fsdp": True}
        further["fsdp_config"] = {"version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]}
    if kind == "zero3":
        import deepspeed

        # Its collectives of its own, through shared memory, need a compiler; without them it takes gloo's.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
        # transformers does not hand its `ddp_backend` on to DeepSpeed: the state is made before.
        PartialState(backend="gloo")
        further |= {"use_cpu": False, "deepspeed": ZERO3, "accelerator_config": {"use_configured_state": True}}
    config = trl.DPOConfig(beta=0.3, max_length=32, **t.settings(path, **further))
    if kind == "fsdp2":
        # Accelerate shards where it sees an accelerator; on which device it shards depends on nothing else.
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    return config


def local(weight):
    """How much of a weight is on this rank."""
    if hasattr(weight, "ds_tensor"):
        return weight.ds_tensor.numel()
    return weight.to_local().numel() if hasattr(weight, "to_local") else weight.numel()


def main(out, kind="ddp"):
    path = pathlib.Path(out)
    callback = LdynCallback(t.ROWS, every=2, prompts=3, out=path / "run")
    trainer = trl.DPOTrainer(
        model=t.llama(),
        ref_model=t.llama(),
        args=spread(path, kind),
        train_dataset=Dataset.from_list(t.ROWS),
        processing_class=t.tokenizer(),
        callbacks=[callback],
    )
    trainer.train()
    here = sum(local(p) for p in trainer.model.parameters())
    of = sum(p.numel() for p in t.llama().parameters())
    # In one piece: the ranks write to one pipe.
    sys.stdout.write(f"wrapped as {type(trainer.model_wrapped).__name__}\nweights here {here} of {of}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
