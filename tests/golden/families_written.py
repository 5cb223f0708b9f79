#!/usr/bin/env python3
"""Opens checkpoints that the program has written in transformers, and compares log-probs.

    LDYN_KEEP_WRITTEN=/tmp/written cargo test --lib model::family::tests::what_is_written
    python tests/golden/families_written.py /tmp/written [--smollm2 reference.json]

The folders are named as in families/; `smollm2`, where it is there, is compared with the reference of
`smollm2_scores_and_answers_as_in_transformers`. Exit status 1 if any log-prob differs by more than 1e-4 nats (1e-3 for
smollm2).
"""

import argparse
import json
import pathlib
import sys

import torch
import transformers

FOLDER = pathlib.Path(__file__).parent / "families"


def logps(model, prompt, answer):
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer]), use_cache=False).logits[0]
    predicted = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
    return predicted.gather(1, torch.tensor(answer).unsqueeze(1)).squeeze(1)


def open_written(folder):
    # An unknown or a missing tensor is an error here, not a warning.
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, torch_dtype=torch.float32, output_loading_info=True
    )
    if any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")):
        sys.exit(f"{folder}: {info}")
    transformers.AutoTokenizer.from_pretrained(folder)
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("written", type=pathlib.Path)
    parser.add_argument("--smollm2", type=pathlib.Path, help="its reference.json")
    args = parser.parse_args()
    failed = False
    for folder in sorted(args.written.iterdir()):
        rows, allowed = [], 1e-4
        if folder.name == "smollm2":
            if args.smollm2 is None:
                continue
            allowed = 1e-3
            for item in json.loads(args.smollm2.read_text())["items"]:
                rows += [(item["prompt_ids"], r["ids"], r["logp"]) for r in item["responses"].values()]
        else:
            for pair in json.loads((FOLDER / f"{folder.name}.json").read_text())["pairs"]:
                rows += [(pair["prompt_ids"], pair[f"{k}_ids"], pair[f"{k}_logps"]) for k in ("chosen", "rejected")]
        model = open_written(folder)
        worst = max((logps(model, p, a) - torch.tensor(expected)).abs().max().item() for p, a, expected in rows)
        print(f"{folder.name}: {len(rows)} rows, largest difference {worst:.2e} nats")
        failed |= not worst <= allowed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
