#!/usr/bin/env python3
"""Golden values of pull and push, by PyTorch's autograd. Writes tests/golden/forces.json.

    python tests/golden/forces.py

The shipped model (assets/base) learns the pairs of tests/golden/pairs.jsonl by DPO (beta 0.1), both in every batch, for
eight steps under each optimiser. The window is that of the steps 5 to 8. The gradients of the chosen and of the rejected
answers are made apart; so are the first moments, with the second moment of their sum. A force is the integral of
<gradient of log pi(y), D> along the straight path of the window, by Gauss-Legendre quadrature with six nodes and exact
gradients. Everything is computed in float64 but for what transformers itself computes in float32 (norms, rotations).
Nothing is random.
"""

import json
import pathlib
import platform

import numpy
import tokenizers
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
BASE = HERE.parent.parent / "assets" / "base"
BETA, STEPS, WINDOW, NODES, CLIP, EPSILON = 0.1, 8, 4, 6, 10.0, 1e-8
OPTIMIZERS = {
    "adamw": {"rate": 1e-4, "beta_1": 0.9, "beta_2": 0.95, "decay": 0.05},
    "rmsprop": {"rate": 3e-5, "alpha": 0.99},
    "sgd": {"rate": 3e-3},
}


def sequences():
    tokenizer = tokenizers.Tokenizer.from_file(str(BASE / "tokenizer.json"))
    eos = json.loads((BASE / "config.json").read_text())["eos_token_id"]
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    rows = [json.loads(line) for line in (HERE / "pairs.jsonl").read_text().splitlines()]
    return [[(encode(r["prompt"]), encode(r[kind]) + [eos]) for r in rows] for kind in ("chosen", "rejected")]


def logp(model, prompt, completion):
    logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1].double()
    return logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None]).sum()


def add(a, b, scale=1.0):
    return [x + scale * y for x, y in zip(a, b)]


def put(parameters, values):
    with torch.no_grad():
        for p, v in zip(parameters, values):
            p.copy_(v)


class Optimizer:
    """First moments of the two halves, the second moment of their sum."""

    def __init__(self, settings, parameters):
        self.settings, self.time = settings, 0
        self.pull, self.push, self.square = ([torch.zeros_like(p) for p in parameters] for _ in range(3))

    def step(self, parameters, pull, push):
        """Takes a step; returns its parts: what each half and what weight decay did."""
        s, self.time = self.settings, self.time + 1
        beta_1, beta_2 = s.get("beta_1", 0.0), s.get("beta_2", s.get("alpha"))
        whole = add(pull, push)
        self.pull = [beta_1 * m + (1 - beta_1) * g for m, g in zip(self.pull, pull)]
        self.push = [beta_1 * m + (1 - beta_1) * g for m, g in zip(self.push, push)]
        if beta_2 is None:
            scale = [torch.full_like(g, s["rate"]) for g in whole]
        else:
            self.square = [beta_2 * v + (1 - beta_2) * g * g for v, g in zip(self.square, whole)]
            second = 1 - beta_2**self.time if "beta_2" in s else 1.0
            first = 1 - beta_1**self.time
            scale = [s["rate"] / first / ((v / second).sqrt() + EPSILON) for v in self.square]
        parts = [
            [-q * m for q, m in zip(scale, self.pull)],
            [-q * m for q, m in zip(scale, self.push)],
            [-s["rate"] * s.get("decay", 0.0) * p.detach() for p in parameters],
        ]
        put(parameters, add(add(add(parameters, parts[0]), parts[1]), parts[2]))
        return parts


def window(settings, dtype):
    """Measured changes and forces of every answer, chosen ones first, over the last steps."""
    model = transformers.LlamaForCausalLM.from_pretrained(BASE, torch_dtype=dtype, attn_implementation="eager")
    parameters = list(model.parameters())
    chosen, rejected = sequences()
    answers = chosen + rejected
    measure = lambda: [logp(model, *a).item() for a in answers]
    reference = measure()
    optimizer = Optimizer(settings, parameters)
    for step in range(STEPS):
        if step == STEPS - WINDOW:
            start, before = [p.detach().clone() for p in parameters], measure()
            moved = [[torch.zeros_like(p) for p in parameters] for _ in range(3)]
        now, pairs = measure(), len(chosen)
        margins = [now[i] - now[pairs + i] - reference[i] + reference[pairs + i] for i in range(pairs)]
        weights = [BETA / (1 + numpy.exp(BETA * h)) / pairs for h in margins]
        pull = torch.autograd.grad(-sum(w * logp(model, *a) for w, a in zip(weights, chosen)), parameters)
        push = torch.autograd.grad(sum(w * logp(model, *a) for w, a in zip(weights, rejected)), parameters)
        norm = sum((g.double() ** 2).sum() for g in add(pull, push)).sqrt().item()
        clipped = min(1.0, CLIP / norm)
        parts = optimizer.step(parameters, [clipped * g for g in pull], [clipped * g for g in push])
        moved = [add(m, p) for m, p in zip(moved, parts)] if step >= STEPS - WINDOW else None
    after = measure()
    way = add(add(moved[0], moved[1]), moved[2])
    forces = numpy.zeros((3, len(answers)))
    for x, weight in zip(*numpy.polynomial.legendre.leggauss(NODES)):
        put(parameters, add(start, way, (x + 1) / 2))
        for i, answer in enumerate(answers):
            gradient = torch.autograd.grad(logp(model, *answer), parameters)
            for part in range(3):
                slope = sum((g.double() * d.double()).sum() for g, d in zip(gradient, moved[part])).item()
                forces[part, i] += weight / 2 * slope
    measured = [b - a for a, b in zip(before, after)]
    return {"measured": measured, **{name: forces[i].tolist() for i, name in enumerate(("pull", "push", "decay"))}}


def main():
    windows = {}
    for name, settings in OPTIMIZERS.items():
        windows[name] = window(settings, torch.float64)
        single = window(settings, torch.float32)
        w = windows[name]
        left = [m - a - b - c for m, a, b, c in zip(w["measured"], w["pull"], w["push"], w["decay"])]
        off = max(abs(single[k][i] / w[k][i] - 1) for k in ("pull", "push") for i in range(len(left)))
        print(f"{name}: {w}\n  residual {max(map(abs, left)):.1e} nats; in float32 pull and push differ by {off:.1e}")
    made = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    answers = "chosen of each pair, then rejected of each pair"
    golden = {"made_with": made, "answers": answers, "window": [STEPS - WINDOW, STEPS], **windows}
    (HERE / "forces.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
