#!/usr/bin/env python3
"""Golden values of the objectives, by PyTorch's autograd. Writes tests/golden/objective.json.

    python tests/golden/objective.py

Everything is computed in float64 from inputs that are exact in float32, so that an f32 implementation can be held to
1e-5 relative. Conventions: log-probs in nats, sums over completion tokens; w_chosen = -dL/d logp_chosen and
w_rejected = dL/d logp_rejected, both per pair, for the mean of the loss over the batch multiplied by the batch size (that
is: the weights of one pair's own loss).
"""

import json
import pathlib
import platform

import torch
import torch.nn.functional as F

SEED = 20240710
PAIRS = 32
BETAS = [0.01, 0.1, 0.5, 1.0]

torch.manual_seed(SEED)


def single(x):
    """Rounds to float32, keeps float64."""
    return x.to(torch.float32).to(torch.float64)


def listed(x):
    return x.detach().tolist()


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
    return chosen_tokens, rejected_tokens, chosen, rejected, ref_chosen, ref_rejected


def sigmoid_losses(chosen, rejected, ref_chosen, ref_rejected, beta):
    """DPO, eq. 7 of arXiv 2305.18290; one loss a pair, and the two implicit rewards."""
    rewards_chosen = beta * (chosen - ref_chosen)
    rewards_rejected = beta * (rejected - ref_rejected)
    return -F.logsigmoid(rewards_chosen - rewards_rejected), rewards_chosen, rewards_rejected


def sigmoid_case(beta, inputs):
    _, _, chosen, rejected, ref_chosen, ref_rejected = inputs
    chosen = chosen.clone().requires_grad_()
    rejected = rejected.clone().requires_grad_()
    losses, rewards_chosen, rewards_rejected = sigmoid_losses(chosen, rejected, ref_chosen, ref_rejected, beta)
    losses.sum().backward()
    return {
        "beta": beta,
        "loss": losses.mean().item(),
        "losses": listed(losses),
        "rewards_chosen": listed(rewards_chosen),
        "rewards_rejected": listed(rewards_rejected),
        "w_chosen": listed(-chosen.grad),
        "w_rejected": listed(rejected.grad),
    }


def sft_case(inputs):
    """Cross entropy, mean over all completion tokens of the batch. A sum of log-probs is all it needs."""
    tokens, _, chosen, _, _, _ = inputs
    chosen = chosen.clone().requires_grad_()
    loss = -chosen.sum() / tokens.sum()
    loss.backward()
    return {"loss": loss.item(), "dloss_dlogp_chosen": listed(chosen.grad)}


def logits_case():
    """From logits to per-token log-probs to dL/dz, with a completion mask: row 0..B-1 chosen, B..2B-1 rejected."""
    batch, time, vocab, beta = 2, 5, 7, 0.1
    logits = single(2 * torch.randn(2 * batch, time, vocab))
    targets = torch.randint(0, vocab, (2 * batch, time))
    mask = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.float64)
    ref_sums = single(-4 - 3 * torch.rand(2 * batch))

    def per_token(z):
        return torch.gather(F.log_softmax(z, -1), 2, targets.unsqueeze(-1)).squeeze(-1) * mask

    sigmoid_z = logits.clone().requires_grad_()
    sums = per_token(sigmoid_z).sum(-1)
    losses, _, _ = sigmoid_losses(sums[:batch], sums[batch:], ref_sums[:batch], ref_sums[batch:], beta)
    losses.mean().backward()

    sft_z = logits.clone().requires_grad_()
    chosen = per_token(sft_z)[:batch]
    sft_loss = -chosen.sum() / mask[:batch].sum()
    sft_loss.backward()
    check = F.cross_entropy(logits[:batch][mask[:batch] > 0], targets[:batch][mask[:batch] > 0])
    assert abs(check.item() - sft_loss.item()) < 1e-12, "token-mean cross entropy"

    return {
        "shape": [2 * batch, time, vocab],
        "beta": beta,
        "logits": listed(logits.flatten()),
        "targets": listed(targets.flatten()),
        "completion_mask": listed(mask.flatten().to(torch.int64)),
        "ref_logp_sums": listed(ref_sums),
        "per_token_logps": listed(per_token(logits).flatten()),
        "logp_sums": listed(per_token(logits).sum(-1)),
        "sigmoid": {"loss": losses.mean().item(), "dloss_dlogits": listed(sigmoid_z.grad.flatten())},
        "sft": {"loss": sft_loss.item(), "dloss_dlogits": listed(sft_z.grad.flatten())},
    }


def main():
    inputs = pairs()
    names = ["chosen_tokens", "rejected_tokens", "logp_chosen", "logp_rejected", "ref_logp_chosen", "ref_logp_rejected"]
    golden = {
        "made_by": "python tests/golden/objective.py",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seed": SEED,
        "conventions": {
            "units": "nats; sums over completion tokens",
            "w": "w_chosen = -d losses[i] / d logp_chosen[i], w_rejected = d losses[i] / d logp_rejected[i]",
            "loss": "mean of losses over the pairs; sft: mean over all completion tokens of the chosen answers",
            "logits": "rows 0..B chosen, B..2B rejected, row-major [2B, T, V]; logits[t] predicts targets[t]",
        },
        "pairs": {name: listed(x) for name, x in zip(names, inputs)},
        "sigmoid": [sigmoid_case(beta, inputs) for beta in BETAS],
        "sft": sft_case(inputs),
        "logits": logits_case(),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    lines = (f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in golden.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
