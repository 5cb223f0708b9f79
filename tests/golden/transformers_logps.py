#!/usr/bin/env python3
"""Compares `ldyn-tui score` with transformers, token by token.

    ldyn-tui score --model DIR --data rows.jsonl > scored.jsonl
    python tests/golden/transformers_logps.py --model DIR --scored scored.jsonl [--max-diff 1e-4]

Token ids are taken from the scored rows, so no tokenizer is involved. Computed in float32 on the CPU, one row at a time,
without padding. Exit status 1 if any log-prob, argmax log-prob or sum per token differs by more than --max-diff nats.
"""

import argparse
import json
import platform
import sys

import torch
import transformers


def logps(model, prompt_ids, ids):
    """log pi of each of `ids` after `prompt_ids`, and the largest log-prob at each of those positions."""
    sequence = torch.tensor([prompt_ids + ids])
    with torch.no_grad():
        logits = model(sequence, use_cache=False).logits[0].float()
    predicted = torch.log_softmax(logits[len(prompt_ids) - 1 : -1], -1)
    return predicted.gather(1, torch.tensor(ids).unsqueeze(1)).squeeze(1), predicted.max(-1).values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a Hugging Face folder")
    parser.add_argument("--scored", required=True, help="what `ldyn-tui score` printed")
    parser.add_argument("--max-diff", type=float, default=1e-4, help="nats")
    parser.add_argument("--print", action="store_true", help="print transformers' own rows")
    args = parser.parse_args()

    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32)
    model.eval()
    rows = [json.loads(line) for line in open(args.scored, encoding="utf-8") if line.strip()]
    if not rows:
        sys.exit("no scored row")
    worst, tokens = 0.0, 0
    for i, row in enumerate(rows):
        expected, argmax = logps(model, row["prompt_ids"], row["ids"])
        if args.print:
            print(json.dumps({**row, "logps": expected.tolist(), "argmax_logps": argmax.tolist()}))
        if len(row["logps"]) != len(row["ids"]) or len(row["argmax_logps"]) != len(row["ids"]):
            sys.exit(f"row {i + 1}: {len(row['ids'])} ids, {len(row['logps'])} log-probs")
        differences = [
            (torch.tensor(row["logps"]) - expected).abs().max().item(),
            (torch.tensor(row["argmax_logps"]) - argmax).abs().max().item(),
            abs(row["sum"] - expected.double().sum().item()) / len(row["ids"]),
        ]
        # `max` would let a NaN pass.
        if not max(differences) <= args.max_diff or any(d != d for d in differences):
            print(f"row {i + 1}: logps, argmax, sum per token differ by {differences}", file=sys.stderr)
            worst = float("inf")
        worst, tokens = max([worst, *differences]), tokens + len(row["ids"])
    print(
        f"{len(rows)} rows, {tokens} tokens: largest difference {worst:.3g} nats (allowed {args.max_diff:g}); "
        f"transformers {transformers.__version__}, torch {torch.__version__}, python {platform.python_version()}",
        file=sys.stderr,
    )
    sys.exit(0 if worst <= args.max_diff else 1)


if __name__ == "__main__":
    main()
