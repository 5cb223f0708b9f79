"""Reading torch models: the same numbers as plain arithmetic, and the model left as it was. Needs torch and transformers."""

import json
import random
import subprocess
import sys
import textwrap

import pytest
import toy

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from ldyn_tui import Recorder, Stage, plan  # noqa: E402
from ldyn_tui.probes import prepare  # noqa: E402
from ldyn_tui.reading import RowReader  # noqa: E402
from ldyn_tui.share import Share  # noqa: E402
from ldyn_tui.tokens import part  # noqa: E402
from ldyn_tui.torch_reader import TorchReader, as_it_was  # noqa: E402

SIZE = 40


def llama(seed=0, **options):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=SIZE,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.5,
        **options,
    )
    return transformers.LlamaForCausalLM(config)


def rows_of(model):
    """The model as a function from tokens to rows of logits, without padding or batches."""

    def rows(ids):
        with torch.no_grad():
            return model.eval()(input_ids=torch.tensor([ids])).logits[0].double().tolist()

    return rows


def answers():
    tokenizer = toy.Words(SIZE)
    probes = prepare(toy.ROWS, tokenizer, 8, derive=True)
    return [a for i, probe in enumerate(probes) for a in part(probe, i, tokenizer)]


@pytest.mark.parametrize("logits", [1 << 26, 300])
def test_a_torch_model_is_read_as_by_plain_arithmetic(logits):
    some = answers()
    batches = plan.batches(some, 64, logits, SIZE)
    assert len(batches) > 1
    ours, plain = TorchReader(), RowReader(SIZE)
    timed = Share().forwards
    for seed in (0, 1):
        model = llama(seed)
        read, expected = ours.read(model, some, batches, timed), plain.read(rows_of(model), some, batches, timed)
        assert sorted(read.readings) == list(range(len(some)))
        for index, answer in enumerate(some):
            a, b = read.readings[index], expected.readings[index]
            assert a.logp == pytest.approx(b.logp, abs=1e-4)
            if answer.kind in ("chosen", "rejected"):
                assert a.argmax_ids == b.argmax_ids and a.argmax_logp >= a.logp
                for name in ("argmax_logp", "p_e", "energy", "a_frobenius", "entropy"):
                    assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-4), name
            assert (a.flow is None) == (b.flow is None) == (seed == 0 or answer.kind != "chosen")
            if a.flow is not None:
                for name in ("star_gain", "gain", "star", "label", "entropy"):
                    assert getattr(a.flow, name) == pytest.approx(getattr(b.flow, name), abs=1e-5), name
                assert [id for id, _ in a.flow.gained] == [id for id, _ in b.flow.gained]
        assert list(read.moved) == pytest.approx(list(expected.moved), abs=1e-5)


def test_a_model_without_logits_to_keep_is_read_the_same():
    some = answers()
    batches = plan.batches(some, 64, 1 << 26, SIZE)
    model = llama()
    timed = Share().forwards
    expected = TorchReader().read(model, some, batches, timed)

    class Bare(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model
            self.config = model.config

        def forward(self, input_ids, attention_mask):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask).logits

    read = TorchReader().read(Bare(), some, batches, timed)
    assert all(r.logp == pytest.approx(expected.readings[i].logp, abs=1e-5) for i, r in read.readings.items())


def test_the_model_and_the_random_numbers_are_left_as_they_were():
    model = llama(attention_dropout=0.5)
    model.train()
    model.model.layers[0].eval()
    modes = [m.training for m in model.modules()]
    some = answers()
    torch.manual_seed(3)
    random.seed(3)
    with as_it_was(model):
        torch.rand(5)
        random.random()
    TorchReader().read(model, some, plan.batches(some, 64, 1 << 26, SIZE), Share().forwards)
    drawn = torch.rand(3).tolist(), random.random()
    torch.manual_seed(3)
    random.seed(3)
    assert drawn == (torch.rand(3).tolist(), random.random())
    assert [m.training for m in model.modules()] == modes
    assert all(p.grad is None for p in model.parameters())


def test_weights_that_are_no_numbers_are_told_and_recorded_as_gaps(tmp_path):
    model = llama()
    recorder = Recorder(tmp_path / "run", toy.ROWS, toy.Words(SIZE), stages=[Stage("DPO", "sigmoid", True)])
    assert recorder.measure(model, 0) is not None
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    event = recorder.measure(model, 1)
    recorder.finish(1)
    assert event["logps"]["chosen"] == [None] * 4 and "stage_flow" not in event
    text = (recorder.directory / "events.jsonl").read_text()
    assert "no longer finite" in text


def test_distributions_that_do_not_fit_are_left_out():
    some = answers()
    reader = TorchReader(flow_bytes=100)
    batches = plan.batches(some, 64, 1 << 26, SIZE)
    for seed in (0, 1):
        read = reader.read(llama(seed), some, batches, Share().forwards)
        assert all(r.flow is None for r in read.readings.values())


RANKS = """
    import os, sys
    import torch, torch.distributed as dist
    sys.path[:0] = {path!r}
    import test_torch as t, toy
    from ldyn_tui import Recorder, Stage
    dist.init_process_group("gloo")
    model = t.llama()
    if {how!r} == "ddp":
        model = torch.nn.parallel.DistributedDataParallel(model)
    else:
        from torch.distributed.fsdp import fully_shard
        mesh = torch.distributed.init_device_mesh("cpu", (2,))
        for layer in model.model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        assert any(p.to_local().numel() < p.numel() for p in model.parameters()), "nothing is sharded"
    recorder = Recorder({out!r}, toy.ROWS, toy.Words(t.SIZE), stages=[Stage("DPO", "sigmoid", True)], batch_tokens=24)
    recorder.measure(model, 0)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1.1)
    recorder.measure(model, 1)
    if {how!r} == "fsdp" or dist.get_rank() == 1:
        # One rank fails: all fail alike, and none waits for ever. (Of a sharded model all must.)
        getattr(model, "module", model).lm_head.forward = None
    assert recorder.measure(model, 2) is None
    recorder.finish(2)
    dist.barrier()
    dist.destroy_process_group()
"""


@pytest.mark.parametrize(("how", "port"), [("ddp", 29611), ("fsdp", 29612)])
def test_two_ranks_share_the_work_and_fail_alike(tmp_path, how, port):
    script = tmp_path / "ranks.py"
    script.write_text(textwrap.dedent(RANKS).format(path=[*sys.path], out=str(tmp_path / "run"), how=how))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        f"--master-port={port}",
        str(script),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    written = [json.loads(text) for text in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    evaluations = [e for e in written if e["event"] == "evaluation"]
    assert [e["step"] for e in evaluations] == [0, 1]
    assert written[-2]["event"] == "note" and written[-2]["warning"]
    alone = Recorder(tmp_path / "alone", toy.ROWS, toy.Words(SIZE), stages=[Stage("DPO", "sigmoid", True)])
    model = llama()
    for step, event in enumerate(evaluations):
        if step:
            with torch.no_grad():
                for p in model.parameters():
                    p.mul_(1.1)
        expected = alone.measure(model, step)
        assert expected["logps"].keys() == event["logps"].keys()
        for kind, values in expected["logps"].items():
            for a, b in zip(values, event["logps"][kind]):
                assert (a is None and b is None) or a == pytest.approx(b, abs=1e-4)
        if step:
            assert expected["stage_flow"]["gain"] == pytest.approx(event["stage_flow"]["gain"], abs=1e-5)
            assert [t["token"] for t in expected["stage_flow"]["gained"]] == [
                t["token"] for t in event["stage_flow"]["gained"]
            ]
    alone.finish(1)
