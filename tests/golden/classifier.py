#!/usr/bin/env python3
"""Golden values of the classifiers, by PyTorch's autograd. Writes tests/golden/classifier.json.

    python tests/golden/classifier.py

Weights and pictures follow a formula, rounded to float32, so that none of them need be stored: number i of the tensor
numbered t is scale * (2 * fraction - 1), the fraction being that of 43758.5453 * sin(12.9898 * (i + 1) + 78.233 * (t + 1)),
which scatters like chance. A dense weight is [in, out]. Everything is computed in
float64. The gradients are those of the cross entropy of the first picture with label 4; K is
(d logits of the first / d weights) (d logits of the second / d weights)^T, by ten backward passes each.
"""

import json
import pathlib
import platform

import torch
import torch.nn.functional as F

LABEL = 4


def formula(t, shape, scale):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    scattered = 43758.5453 * torch.sin(12.9898 * (i + 1) + 78.233 * (t + 1))
    numbers = scale * (2 * (scattered - scattered.floor()) - 1)
    return numbers.to(torch.float32).to(torch.float64).reshape(shape)


def weights(shapes):
    """Scaled so that pre-activations stay of order one; biases at a tenth."""
    made = []
    for t, shape in enumerate(shapes):
        inputs = torch.Size(shape[1:]).numel() if len(shape) == 4 else shape[0]
        scale = 0.1 if len(shape) == 1 else (6.0 / inputs) ** 0.5
        made.append(formula(t, shape, scale).requires_grad_())
    return made


def pictures():
    """Two pictures of ink between 0 and 1."""
    return (formula(100, (2, 784), 0.5) + 0.5).to(torch.float32).to(torch.float64)


def mlp(w, x):
    for i in range(0, len(w) - 2, 2):
        x = torch.relu(x @ w[i] + w[i + 1])
    return x @ w[-2] + w[-1]


def lenet(w, x):
    x = x.reshape(-1, 1, 28, 28)
    x = F.max_pool2d(torch.relu(F.conv2d(x, w[0], w[1], padding=2)), 2)
    x = F.max_pool2d(torch.relu(F.conv2d(x, w[2], w[3])), 2)
    return mlp(w[4:], x.flatten(1))


MODELS = {
    "mlp": (mlp, [(784, 12), (12,), (12, 7), (7,), (7, 10), (10,)]),
    "lenet": (
        lenet,
        [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (400, 120), (120,), (120, 84), (84,), (84, 10), (10,)],
    ),
}


def jacobian(logits, w):
    rows = [torch.autograd.grad(z, w, retain_graph=True) for z in logits]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


def case(forward, shapes):
    w, x = weights(shapes), pictures()
    logits = forward(w, x)
    loss = F.cross_entropy(logits[:1], torch.tensor([LABEL]))
    gradients = torch.autograd.grad(loss, w, retain_graph=True)
    first, second = jacobian(logits[0], w), jacobian(logits[1], w)
    return {
        "logits": logits.flatten().tolist(),
        "loss": loss.item(),
        # Of every weight and bias: its norm, and its first numbers.
        "gradient_norms": [g.norm().item() for g in gradients],
        "gradient_heads": [g.flatten()[:6].tolist() for g in gradients],
        "kernel": (first @ second.T).flatten().tolist(),
        "kernel_self": (first @ first.T).flatten().tolist(),
    }


def main():
    made = {"made_by": "python tests/golden/classifier.py", "torch": torch.__version__}
    made |= {"python": platform.python_version(), "label": LABEL}
    made |= {name: case(*model) for name, model in MODELS.items()}
    out = pathlib.Path(__file__).with_suffix(".json")
    out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
