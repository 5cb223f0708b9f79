"""The callback in real trainers, on a model of a few weights. Needs torch, transformers and TRL."""

import json
import logging
import os

import pytest
import toy

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
pytest.importorskip("datasets")

from datasets import Dataset  # noqa: E402
from test_torch import SIZE, llama  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast, TrainerCallback  # noqa: E402

from ldyn_tui import LdynCallback, RunFile  # noqa: E402

ROWS = [{k: v for k, v in row.items() if k != "my_judge"} for row in toy.ROWS if "rejected" in row] * 4


def tokenizer():
    words = {"<eos>": 0, "<pad>": 1}
    for row in ROWS:
        for word in " ".join(row.values()).split():
            words.setdefault(word, len(words))
    inner = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>", model_input_names=names
    )


def settings(tmp_path, **further):
    return {
        "output_dir": str(tmp_path / "out"),
        "max_steps": 6,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
        "gradient_checkpointing": False,
        **further,
    }


def dpo(tmp_path, callbacks, model=None, **further):
    config = trl.DPOConfig(beta=0.3, max_length=32, **settings(tmp_path, **further))
    return trl.DPOTrainer(
        model=model or llama(),
        ref_model=llama(),
        args=config,
        train_dataset=Dataset.from_list(ROWS),
        processing_class=tokenizer(),
        callbacks=callbacks,
    )


def events(directory):
    return [json.loads(text) for text in (directory / "events.jsonl").read_text().splitlines()]


def steps(written, kind="evaluation"):
    return [e["step"] for e in written if e["event"] == kind]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_dpo_is_watched_and_trains_as_without(tmp_path):
    plain = dpo(tmp_path, [])
    plain.train()
    callback = LdynCallback(ROWS, every=2, prompts=3, out=tmp_path / "run")
    trainer = dpo(tmp_path, [callback])
    trainer.train()
    assert torch.equal(weights(plain.model), weights(trainer.model)), "watching changes the training"
    written = events(tmp_path / "run")
    stage = written[0]["stages"][0]
    assert (stage["name"], stage["objective"], stage["has_rejected"]) == ("DPO", "sigmoid", True)
    assert (stage["steps"], stage["beta"]) == (6, 0.3)
    assert steps(written) == [0, 2, 4, 6] and steps(written, "step")[:6] == [1, 2, 3, 4, 5, 6]
    logged = [e["metrics"] for e in written if e["event"] == "step"]
    assert {"loss", "rewards/margins", "logps/chosen", "ldyn/overhead"} <= set(logged[-1])
    assert written[-1]["phase"] == "finished"
    last = [e for e in written if e["event"] == "evaluation"][-1]
    assert last["stage_flow"]["since"] == 0 and len(last["logps"]["chosen"]) == 3


def test_the_log_probs_are_the_trainers_own(tmp_path):
    callback = LdynCallback(ROWS, every=1, prompts=len(ROWS), out=tmp_path / "run")
    trainer = dpo(tmp_path, [callback], max_steps=1, per_device_train_batch_size=len(ROWS))
    trainer.train()
    written = events(tmp_path / "run")
    logged = next(e["metrics"] for e in written if e["event"] == "step")
    first = next(e for e in written if e["event"] == "evaluation")
    for kind in ("chosen", "rejected"):
        mean = sum(first["logps"][kind]) / len(ROWS)
        assert mean == pytest.approx(logged[f"logps/{kind}"], abs=1e-3), "before the first step both see one model"


def test_sft_is_watched(tmp_path):
    rows = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in ROWS]
    callback = LdynCallback(ROWS, every=3, out=tmp_path / "run")
    trainer = trl.SFTTrainer(
        model=llama(),
        args=trl.SFTConfig(**settings(tmp_path)),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer(),
        callbacks=[callback],
    )
    trainer.train()
    written = events(tmp_path / "run")
    assert (written[0]["stages"][0]["objective"], written[0]["stages"][0]["has_rejected"]) == ("sft", False)
    assert steps(written) == [0, 3, 6]


def test_grpo_is_watched(tmp_path):
    callback = LdynCallback(ROWS, every=2, out=tmp_path / "run")
    trainer = trl.GRPOTrainer(
        model=llama(),
        reward_funcs=lambda completions, **_: [float(len(set(c.split()))) for c in completions],
        args=trl.GRPOConfig(
            num_generations=2, max_completion_length=4, **settings(tmp_path, max_steps=2, per_device_train_batch_size=4)
        ),
        train_dataset=Dataset.from_list([{"prompt": row["prompt"]} for row in ROWS]),
        processing_class=tokenizer(),
        callbacks=[callback],
    )
    trainer.train()
    written = events(tmp_path / "run")
    assert (written[0]["stages"][0]["objective"], written[0]["stages"][0]["on_policy"]) == ("grpo", True)
    assert steps(written) == [0, 2]
    assert any("reward" in e["metrics"] for e in written if e["event"] == "step")


def test_what_grpo_samples_is_watched(tmp_path):
    callback = LdynCallback(ROWS, every=1, out=tmp_path / "run")

    def early(completion_ids, **_):
        return [float(ids[0] < SIZE // 2) for ids in completion_ids]

    trainer = trl.GRPOTrainer(
        model=llama(),
        reward_funcs=callback.watch(early),
        args=trl.GRPOConfig(
            num_generations=8, max_completion_length=4, **settings(tmp_path, max_steps=3, per_device_train_batch_size=8)
        ),
        train_dataset=Dataset.from_list([{"prompt": row["prompt"]} for row in ROWS]),
        processing_class=tokenizer(),
        callbacks=[callback],
    )
    trainer.train()
    written = events(tmp_path / "run")
    told = [e["metrics"] for e in written if e["event"] == "step" and "sampled/correct" in e["metrics"]]
    assert len(told) == 3 and all(0 <= of["sampled/correct"] <= 1 for of in told)
    rewards = [e["metrics"]["reward"] for e in written if e["event"] == "step" and "reward" in e["metrics"]]
    # One group a step: where not all are alike, those above its mean are the ones rewarded.
    assert [of["sampled/correct"] for of in told] == pytest.approx([r if 0 < r < 1 else 0 for r in rewards])
    assert all(of["sampled/logps_correct"] < 0 for of in told if of["sampled/correct"])
    assert "earlier/logps" in told[-1]


def test_lora_is_watched(tmp_path):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    callback = LdynCallback(ROWS, every=3, out=tmp_path / "run")
    trainer = trl.DPOTrainer(
        model=llama(),
        args=trl.DPOConfig(**settings(tmp_path, max_steps=3)),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=tokenizer(),
        peft_config=config,
        callbacks=[callback],
    )
    trainer.train()
    evaluations = [e for e in events(tmp_path / "run") if e["event"] == "evaluation"]
    assert [e["step"] for e in evaluations] == [0, 3]
    assert evaluations[0]["logps"]["chosen"] != evaluations[1]["logps"]["chosen"]


def test_a_training_that_is_resumed_goes_on_in_its_file(tmp_path):
    saved = {"save_strategy": "steps", "save_steps": 2}

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 5:
                raise KeyboardInterrupt

    first = LdynCallback(ROWS, every=2, out=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        dpo(tmp_path, [first, Stop()], **saved).train()
    first.recorder._file.close()
    again = LdynCallback(ROWS, every=2, out=tmp_path / "run")
    dpo(tmp_path, [again], **saved).train(resume_from_checkpoint=True)
    written = events(tmp_path / "run")
    assert steps(written) == [0, 2, 4, 6] and sum(e["event"] == "run_started" for e in written) == 1
    assert not (tmp_path / "run-2").exists() and written[-1]["phase"] == "finished"


class Breaks(torch.nn.Module):
    """A layer that fails in evaluation mode once it is told to."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, *args, **kwargs):
        if not self.training:
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("the probe's forward fails")
        return self.inner(*args, **kwargs)


def test_a_forward_that_fails_leaves_the_training_running(tmp_path, caplog):
    model = llama()
    model.model.norm = Breaks(model.model.norm)
    callback = LdynCallback(ROWS, every=2, prompts=3, out=tmp_path / "run")
    with caplog.at_level(logging.WARNING, "ldyn_tui"):
        trainer = dpo(tmp_path, [callback], model=model, precompute_ref_log_probs=False)
        trainer.train()
    assert trainer.state.global_step == 6
    written = events(tmp_path / "run")
    assert any("fails" in e["text"] for e in written if e["event"] == "note")
    assert written[-1]["phase"] == "finished"
    assert len([m for m in caplog.messages if "the probe's forward fails" in m]) == 1


def test_a_loss_that_is_no_number_leaves_a_file_that_can_be_read(tmp_path):
    model = llama()
    callback = LdynCallback(ROWS, every=2, prompts=3, out=tmp_path / "run")

    class Poison(TrainerCallback):
        def on_step_begin(self, args, state, control, model=None, **kwargs):
            if state.global_step == 3:
                with torch.no_grad():
                    model.lm_head.weight.fill_(float("nan"))

    trainer = dpo(tmp_path, [callback, Poison()], model=model, logging_nan_inf_filter=False)
    trainer.train()
    assert trainer.state.global_step == 6
    written = events(tmp_path / "run")
    assert steps(written) == [0, 2, 4, 6]
    assert [e for e in written if e["event"] == "evaluation"][-1]["logps"]["chosen"] == [None] * 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is Linux's")
def test_a_full_disk_leaves_the_training_running(tmp_path, caplog):
    callback = LdynCallback(ROWS, every=2, prompts=3, out=tmp_path / "run")

    class Full(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 2:
                callback.recorder._file = RunFile("/dev/full")

    with caplog.at_level(logging.WARNING, "ldyn_tui"):
        trainer = dpo(tmp_path, [callback, Full()])
        trainer.train()
    assert trainer.state.global_step == 6 and caplog.text.count("No space left") == 1
    assert steps(events(tmp_path / "run")) == [0, 2]


def test_probes_that_cannot_be_read_cost_the_recording_alone(tmp_path, caplog):
    callback = LdynCallback(tmp_path / "none.jsonl", out=tmp_path / "run")
    with caplog.at_level(logging.WARNING, "ldyn_tui"):
        trainer = dpo(tmp_path, [callback], max_steps=2)
        trainer.train()
    assert trainer.state.global_step == 2 and "none.jsonl" in caplog.text and not (tmp_path / "run").exists()


def test_a_callback_that_costs_too_much_measures_less_often(tmp_path):
    callback = LdynCallback(ROWS, every=1, prompts=3, out=tmp_path / "run", budget=1e-9)
    dpo(tmp_path, [callback]).train()
    written = events(tmp_path / "run")
    assert callback.every > 1 and len(steps(written)) < 7
    assert any("from now on every" in e["text"] for e in written if e["event"] == "note")
