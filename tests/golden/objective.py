#!/usr/bin/env python3
"""Golden values of the objectives, by PyTorch's autograd. Writes tests/golden/objective.json.

    python tests/golden/objective.py

Everything is computed in float64 from inputs that are exact in float32, so that an f32 implementation can be held to
1e-5 relative. Conventions: log-probs in nats, sums over completion tokens; w_chosen = -dL/d logp_chosen and
w_rejected = dL/d logp_rejected, both per pair, of one pair's own loss. An objective is spelled as in an experiment file.
"""

import json
import pathlib
import platform

import torch
import torch.nn.functional as F

SEED = 20240710
PAIRS = 32

torch.manual_seed(SEED)


def single(x):
    """Rounds to float32, keeps float64."""
    return x.to(torch.float32).to(torch.float64)


def listed(x):
    return x.detach().tolist()


class Pairs:
    """Log-probs of pairs under policy (c, r) and reference (ref_c, ref_r), and the lengths (n_c, n_r) of the answers."""

    def __init__(self, c, r, ref_c, ref_r, n_c, n_r):
        self.c, self.r, self.ref_c, self.ref_r, self.n_c, self.n_r = c, r, ref_c, ref_r, n_c, n_r

    @property
    def up(self):
        return self.c - self.ref_c

    @property
    def down(self):
        return self.r - self.ref_r

    @property
    def h(self):
        return self.up - self.down


def pairs():
    """Sums of log-probs of 32 pairs; the last six have extreme margins."""
    chosen_tokens = torch.randint(1, 64, (PAIRS,))
    rejected_tokens = torch.randint(1, 64, (PAIRS,))
    ref_chosen = -1.3 * chosen_tokens * (0.5 + torch.rand(PAIRS))
    ref_rejected = -1.7 * rejected_tokens * (0.5 + torch.rand(PAIRS))
    chosen = ref_chosen + 6 * torch.randn(PAIRS)
    rejected = ref_rejected + 6 * torch.randn(PAIRS)
    ref_chosen, ref_rejected = single(ref_chosen), single(ref_rejected)
    chosen, rejected = single(chosen), single(rejected)
    for i, margin in enumerate([50.0, -50.0, 1000.0, -1000.0, 0.0, 1e-3]):
        at = PAIRS - 6 + i
        ref_chosen[at], ref_rejected[at] = -2048.0, -2048.0
        chosen[at], rejected[at] = -2048.0 + margin / 2, -2048.0 - margin / 2
    chosen, rejected = single(chosen), single(rejected)
    return Pairs(chosen, rejected, ref_chosen, ref_rejected, chosen_tokens, rejected_tokens)


# One loss a pair, from the papers' equations; TRL's code agrees where it has the objective (see src/objective).


def sigmoid(p, beta, label_smoothing=0.0, nll=0.0):
    x = beta * p.h
    return -(1 - label_smoothing) * F.logsigmoid(x) - label_smoothing * F.logsigmoid(-x) - nll * p.c


def robust(p, beta, label_smoothing):
    x = beta * p.h
    kept, flipped = -F.logsigmoid(x), -F.logsigmoid(-x)
    return ((1 - label_smoothing) * kept - label_smoothing * flipped) / (1 - 2 * label_smoothing)


def ipo(p, beta, length_normalised):
    h = p.up / p.n_c - p.down / p.n_r if length_normalised else p.h
    return (h - 1 / (2 * beta)) ** 2


def hinge(p, beta, nll=0.0):
    return torch.relu(1 - beta * p.h) - nll * p.c


def slic(p, delta, nll):
    return torch.relu(delta - p.c + p.r) - nll * p.c


def simpo(p, beta, gamma):
    return -F.logsigmoid(beta * (p.c / p.n_c - p.r / p.n_r - gamma / beta))


def sppo_hard(p, beta):
    return (p.up - 0.5 / beta) ** 2 + (p.down + 0.5 / beta) ** 2


def dpop(p, beta, **kwargs):
    return -F.logsigmoid(beta * (p.h - kwargs["lambda"] * torch.relu(p.ref_c - p.c)))


def gate_dpo(p, beta, threshold, sharpness):
    """The value of DPO; of the rejected log-prob only the share `gate` has a gradient."""
    gate = torch.sigmoid(sharpness * (p.r / p.n_r - threshold)).detach()
    r = gate * p.r + (1 - gate) * p.r.detach()
    return -F.logsigmoid(beta * (p.up - (r - p.ref_r)))


def dpo_shift(p, beta, shift):
    return -F.logsigmoid(beta * (p.up - shift * p.down))


OBJECTIVES = [
    (sigmoid, {"beta": 0.01}),
    (sigmoid, {"beta": 0.1}),
    (sigmoid, {"beta": 0.5}),
    (sigmoid, {"beta": 1.0}),
    (sigmoid, {"beta": 0.1, "label_smoothing": 0.2}),
    (sigmoid, {"beta": 0.1, "nll": 0.05}),
    (robust, {"beta": 0.1, "label_smoothing": 0.1}),
    (robust, {"beta": 0.5, "label_smoothing": 0.3}),
    (ipo, {"beta": 0.1, "length_normalised": False}),
    (ipo, {"beta": 0.5, "length_normalised": True}),
    (hinge, {"beta": 0.1}),
    (hinge, {"beta": 0.5, "nll": 0.1}),
    (slic, {"delta": 1.0, "nll": 0.01}),
    (slic, {"delta": 10.0, "nll": 0.0}),
    (simpo, {"beta": 2.0, "gamma": 0.5}),
    (simpo, {"beta": 10.0, "gamma": 1.0}),
    (sppo_hard, {"beta": 0.1}),
    (sppo_hard, {"beta": 0.01}),
    (dpop, {"beta": 0.1, "lambda": 5.0}),
    (dpop, {"beta": 0.3, "lambda": 50.0}),
    (gate_dpo, {"beta": 0.1, "threshold": -1.5, "sharpness": 8.0}),
    (gate_dpo, {"beta": 0.1, "threshold": -2.5, "sharpness": 1.0}),
    (dpo_shift, {"beta": 0.1, "shift": 0.75}),
    (dpo_shift, {"beta": 0.5, "shift": 0.95}),
]


def spelled(loss, settings):
    value = {True: "true", False: "false"}
    fields = ", ".join(f"{k}: {value.get(v, v) if isinstance(v, bool) else v}" for k, v in settings.items())
    return f"{loss.__name__}({fields})"


def case(loss, settings, p):
    c, r = p.c.clone().requires_grad_(), p.r.clone().requires_grad_()
    losses = loss(Pairs(c, r, p.ref_c, p.ref_r, p.n_c, p.n_r), **settings)
    losses.sum().backward()
    return {
        "objective": spelled(loss, settings),
        "loss": losses.mean().item(),
        "losses": listed(losses),
        "w_chosen": listed(-c.grad),
        "w_rejected": listed(r.grad),
    }


def cross_entropy_case(name, p):
    """Cross entropy, mean over all target tokens of the batch. Sums of log-probs are all it needs."""
    c, r = p.c.clone().requires_grad_(), p.r.clone().requires_grad_()
    both = name == "sft_extended"
    targets = c.sum() + (r.sum() if both else 0)
    loss = -targets / (p.n_c.sum() + (p.n_r.sum() if both else 0))
    loss.backward()
    gradient = r.grad if both else torch.zeros(PAIRS)
    return {
        "objective": name,
        "loss": loss.item(),
        "dloss_dlogp_chosen": listed(c.grad),
        "dloss_dlogp_rejected": listed(gradient),
    }


def logits_case():
    """From logits to per-token log-probs to dL/dz, with a completion mask: row 0..B-1 chosen, B..2B-1 rejected."""
    batch, time, vocab = 2, 5, 7
    logits = single(2 * torch.randn(2 * batch, time, vocab))
    targets = torch.randint(0, vocab, (2 * batch, time))
    mask = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.float64)
    ref_sums = single(-4 - 3 * torch.rand(2 * batch))
    lengths = mask.sum(-1)

    def per_token(z):
        return torch.gather(F.log_softmax(z, -1), 2, targets.unsqueeze(-1)).squeeze(-1) * mask

    cases = []

    def add(name, loss_of_sums):
        z = logits.clone().requires_grad_()
        loss = loss_of_sums(per_token(z).sum(-1))
        loss.backward()
        cases.append({"objective": name, "loss": loss.item(), "dloss_dlogits": listed(z.grad.flatten())})

    for loss, settings in OBJECTIVES:

        def mean_loss(sums, loss=loss, settings=settings):
            p = Pairs(
                sums[:batch], sums[batch:], ref_sums[:batch], ref_sums[batch:], lengths[:batch], lengths[batch:]
            )
            return loss(p, **settings).mean()

        add(spelled(loss, settings), mean_loss)
    add("sft", lambda sums: -sums[:batch].sum() / lengths[:batch].sum())
    add("sft_extended", lambda sums: -sums.sum() / lengths.sum())
    check = F.cross_entropy(logits[:batch][mask[:batch] > 0], targets[:batch][mask[:batch] > 0])
    assert abs(check.item() - cases[-2]["loss"]) < 1e-12, "token-mean cross entropy"

    return {
        "shape": [2 * batch, time, vocab],
        "logits": listed(logits.flatten()),
        "targets": listed(targets.flatten()),
        "completion_mask": listed(mask.flatten().to(torch.int64)),
        "ref_logp_sums": listed(ref_sums),
        "per_token_logps": listed(per_token(logits).flatten()),
        "cases": cases,
    }


def main():
    p = pairs()
    golden = {
        "made_by": "python tests/golden/objective.py",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seed": SEED,
        "conventions": {
            "units": "nats; sums over completion tokens",
            "w": "w_chosen = -d losses[i] / d logp_chosen[i], w_rejected = d losses[i] / d logp_rejected[i]",
            "loss": "mean of losses over the pairs; sft and sft_extended: mean over all target tokens",
            "logits": "rows 0..B chosen, B..2B rejected, row-major [2B, T, V]; logits[t] predicts targets[t]",
        },
        "pairs": {
            "chosen_tokens": listed(p.n_c),
            "rejected_tokens": listed(p.n_r),
            "logp_chosen": listed(p.c),
            "logp_rejected": listed(p.r),
            "ref_logp_chosen": listed(p.ref_c),
            "ref_logp_rejected": listed(p.ref_r),
        },
        "cross_entropy": [cross_entropy_case(name, p) for name in ["sft", "sft_extended"]],
        "cases": [case(loss, settings, p) for loss, settings in OBJECTIVES],
        "logits": logits_case(),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    lines = (f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in golden.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
