"""Seconds that padded PyTorch takes to read the responses of a measurement: sums of log-probs, and argmaxes.

    python probes.py --model FOLDER --data RESPONSES.jsonl [--batch 32] [--threads 2]

`cargo bench --bench probes` writes the responses and calls this. A row is {"prompt", "responses": [{"text", "tokens",
"sum"}]}. Sequences are read whole, right-padded, in batches of like length; logits are made where a response's token is
predicted. Prints {"seconds", "responses", "tokens", "apart"}: the median of five passes over all responses, the first one
left out, and the largest difference of a sum from the row's own. Needs torch and transformers (checked with 2.6.0 and 4.51.3).
"""

import argparse
import json
import statistics
import time

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM


def sequences(folder, data, max_length, max_prompt_length):
    """Token ids, prompt length and expected sum of every response; prompt and response tokenised apart, the end-of-text
    token after a response that was not cut, a prompt cut from its beginning."""
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    eos = json.load(open(f"{folder}/config.json"))["eos_token_id"]
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    out = []
    for row in map(json.loads, open(data)):
        prompt = encode(row["prompt"])[-max_prompt_length:]
        for response in row["responses"]:
            ids = (encode(response["text"]) + [eos])[: max_length - len(prompt)]
            assert len(ids) == response["tokens"], f"{len(ids)} tokens, not {response['tokens']}: {response['text']!r}"
            out.append((prompt + ids, len(prompt), response["sum"]))
    return out


def read(model, rows, size):
    """Sums of log-probs and the argmaxes' sums, in the order of the rows."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    sums, largest = [0.0] * len(rows), [0.0] * len(rows)
    for start in range(0, len(rows), size):
        part = order[start : start + size]
        width = max(len(rows[i][0]) for i in part) - 1
        tokens = torch.zeros((len(part), width), dtype=torch.long)
        predicting, labels, owner = [], [], []
        for row, i in enumerate(part):
            ids, prompt, _ = rows[i]
            tokens[row, : len(ids) - 1] = torch.tensor(ids[:-1])
            for t in range(prompt - 1, len(ids) - 1):
                predicting.append(row * width + t)
                labels.append(ids[t + 1])
                owner.append(row)
        # Rows are padded on the right, so that the causal mask alone is enough.
        hidden = model.model(tokens).last_hidden_state.flatten(0, 1)
        logits = model.lm_head(hidden[torch.tensor(predicting)])
        normaliser = torch.logsumexp(logits, 1)
        label = logits.gather(1, torch.tensor(labels)[:, None])[:, 0] - normaliser
        most, _ = logits.max(1)
        owner = torch.tensor(owner)
        of_label = torch.zeros(len(part), dtype=torch.double).index_add(0, owner, label.double())
        of_most = torch.zeros(len(part), dtype=torch.double).index_add(0, owner, (most - normaliser).double())
        for row, i in enumerate(part):
            sums[i], largest[i] = of_label[row].item(), of_most[row].item()
    return sums, largest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--max-prompt-length", type=int, default=256)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32).eval()
    model.config.use_cache = False
    rows = sequences(args.model, args.data, args.max_length, args.max_prompt_length)
    seconds = []
    with torch.inference_mode():
        for _ in range(args.passes):
            began = time.perf_counter()
            sums, _ = read(model, rows, args.batch)
            seconds.append(time.perf_counter() - began)
    apart = max(abs(ours - theirs) for ours, (_, _, theirs) in zip(sums, rows))
    print(json.dumps({"seconds": statistics.median(seconds[1:]), "responses": len(rows),
                      "tokens": sum(len(ids) for ids, _, _ in rows), "apart": apart}))


if __name__ == "__main__":
    main()
