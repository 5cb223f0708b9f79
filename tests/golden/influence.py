#!/usr/bin/env python3
"""Golden values of influence by example, by PyTorch's autograd. Writes tests/golden/influence.json.

    python tests/golden/influence.py

What is trained is what tests/golden/forces.py trains, at a tenth of its learning rates: two pairs, both in every batch,
eight steps under each optimiser. The observed answer is the y+ of the first pair, the window that of the steps 5 to 8. Every example's own gradients are made.
With G the integral of <gradient of log pi, .> along the straight path of the window (Gauss-Legendre, six nodes) and q the
distance that an update goes for each unit of its average of gradients, an example with gradient g in step s has the share
(1 - beta_1) sum over t >= s of beta_1^(t - s) <q_t G, g>: the sum is written out, not made by recursion. Everything is in
float64 but for what transformers itself computes in float32. Nothing is random.
"""

import json
import platform

import numpy
import torch
import transformers
from forces import BASE, BETA, CLIP, EPSILON, HERE, NODES, OPTIMIZERS, STEPS, WINDOW, add, logp, put, sequences

OBSERVED = 0
# Of the rates of forces.py: the way is then so short that nobody has reason to cut it into stretches.
RATE = 0.1


def dot(a, b):
    return sum((x.double() * y.double()).sum() for x, y in zip(a, b)).item()


def influence(settings):
    model = transformers.LlamaForCausalLM.from_pretrained(BASE, torch_dtype=torch.float64, attn_implementation="eager")
    parameters = list(model.parameters())
    chosen, rejected = sequences()
    answers, pairs = chosen + rejected, len(chosen)
    gradient = lambda answer: torch.autograd.grad(logp(model, *answer), parameters)
    measure = lambda: [logp(model, *a).item() for a in answers]
    reference = measure()
    rate, decay = RATE * settings["rate"], settings.get("decay", 0.0)
    beta_1, beta_2 = settings.get("beta_1", 0.0), settings.get("beta_2", settings.get("alpha"))
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    steps = []
    for step in range(STEPS):
        if step == STEPS - WINDOW:
            start, before, level = [p.detach().clone() for p in parameters], [m.clone() for m in first], measure()[OBSERVED]
        now = measure()
        margins = [now[i] - now[pairs + i] - reference[i] + reference[pairs + i] for i in range(pairs)]
        weights = [BETA / (1 + numpy.exp(BETA * h)) / pairs for h in margins]
        signed = [-w for w in weights] + weights
        each = [[w * g for g in gradient(answer)] for w, answer in zip(signed, answers)]
        whole = [sum(parts) for parts in zip(*each)]
        clipped = min(1.0, CLIP / dot(whole, whole) ** 0.5)
        each = [[clipped * g for g in parts] for parts in each]
        whole = [clipped * g for g in whole]
        first = [beta_1 * m + (1 - beta_1) * g for m, g in zip(first, whole)]
        if beta_2 is None:
            reach = [torch.full_like(g, -rate) for g in whole]
        else:
            second = [beta_2 * v + (1 - beta_2) * g * g for v, g in zip(second, whole)]
            unbias = 1 - beta_2 ** (step + 1) if "beta_2" in settings else 1.0
            reach = [-rate / (1 - beta_1 ** (step + 1)) / ((v / unbias).sqrt() + EPSILON) for v in second]
        if step >= STEPS - WINDOW:
            steps.append((each, reach, [-rate * decay * p.detach() for p in parameters]))
        put(parameters, [p.detach() * (1 - rate * decay) + q * m for p, q, m in zip(parameters, reach, first)])
    end, measured = [p.detach().clone() for p in parameters], measure()[OBSERVED] - level
    way = add(end, start, -1.0)
    integral = [torch.zeros_like(p) for p in parameters]
    for x, weight in zip(*numpy.polynomial.legendre.leggauss(NODES)):
        put(parameters, add(start, way, (x + 1) / 2))
        integral = add(integral, gradient(answers[OBSERVED]), weight / 2)
    shares = numpy.zeros(len(answers))
    for s, (each, _, _) in enumerate(steps):
        for t in range(s, len(steps)):
            scaled = [(1 - beta_1) * beta_1 ** (t - s) * q * g for q, g in zip(steps[t][1], integral)]
            shares += [dot(scaled, g) for g in each]
    carried = sum(
        dot([beta_1 ** (t + 1) * q * g for q, g in zip(reach, integral)], before) for t, (_, reach, _) in enumerate(steps)
    )
    decayed = sum(dot(integral, by) for _, _, by in steps)
    left = measured - shares.sum() - carried - decayed
    print(f"measured {measured:.6f}, shares {shares}, carried {carried:.6f}, decay {decayed:.6f}, left {left:.1e}")
    parts = {"pull": shares[:pairs].tolist(), "push": shares[pairs:].tolist()}
    return {"measured": measured, **parts, "carried": carried, "decay": decayed}


def main():
    made = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    golden = {"made_with": made, "observed": "chosen of the first pair", "window": [STEPS - WINDOW, STEPS]}
    golden |= {name: influence(settings) for name, settings in OPTIMIZERS.items()}
    (HERE / "influence.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
