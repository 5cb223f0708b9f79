"""One DPO stage in eager PyTorch: the same weights, pairs, sequences, optimiser and precision as the program's own trainer.

    python dpo.py --model FOLDER --data ROWS.jsonl --steps N [--optimizer rmsprop] [--logits predicting]

Every row of the data is in every batch, so that the order of the rows cannot matter. Prints a JSON line a step:
{"step", "seconds", "cpu_seconds", "loss", "tokens"}, then {"peak_bytes"}. Needs torch and transformers (checked with 2.6.0 and 4.51.3).
"""

import argparse
import json
import resource
import time

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM


def sequences(folder, data, max_length, max_prompt_length):
    """Token ids and prompt lengths, first of the chosen, then of the rejected answers: prompt and answer tokenised apart,
    the end-of-text token after an answer that was not cut, a prompt cut from its beginning."""
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    eos = json.load(open(f"{folder}/config.json"))["eos_token_id"]
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    rows = [json.loads(line) for line in open(data)]
    out = []
    for kind in ("chosen", "rejected"):
        for row in rows:
            prompt = encode(row["prompt"])[-max_prompt_length:]
            answer = (encode(row[kind]) + [eos])[: max_length - len(prompt)]
            out.append((prompt + answer, len(prompt)))
    return out


def batch(rows, pad):
    """Right-padded ids without each row's last one, and where in the flattened rows a token of an answer is predicted."""
    width = max(len(ids) for ids, _ in rows) - 1
    tokens = torch.full((len(rows), width), pad)
    predicting, labels, owner = [], [], []
    for row, (ids, prompt) in enumerate(rows):
        tokens[row, : len(ids) - 1] = torch.tensor(ids[:-1])
        for t in range(prompt - 1, len(ids) - 1):
            predicting.append(row * width + t)
            labels.append(ids[t + 1])
            owner.append(row)
    return tokens, torch.tensor(predicting), torch.tensor(labels), torch.tensor(owner)


def logps(model, batch, rows, everywhere):
    """Sums of the answers' log-probs. Logits are made where an answer's token is predicted, or `everywhere` as TRL does."""
    tokens, predicting, labels, owner = batch
    # Rows are padded on the right, so that the causal mask alone is enough.
    hidden = model.model(tokens).last_hidden_state.flatten(0, 1)
    logits = model.lm_head(hidden)[predicting] if everywhere else model.lm_head(hidden[predicting])
    per_token = torch.gather(logits, 1, labels[:, None])[:, 0] - torch.logsumexp(logits, 1)
    return torch.zeros(rows).index_add(0, owner, per_token)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--optimizer", choices=["rmsprop", "adamw", "sgd"], default="rmsprop")
    parser.add_argument("--learning-rate", type=float, default=5e-7)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--max-grad-norm", type=float, default=10.0)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--max-prompt-length", type=int, default=256)
    parser.add_argument("--logits", choices=["predicting", "all"], default="predicting")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32).train()
    model.config.use_cache = False
    optimizer = {
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=args.learning_rate, alpha=0.99, eps=1e-8),
        "adamw": lambda p: torch.optim.AdamW(p, lr=args.learning_rate, betas=(0.9, 0.999), weight_decay=0.0),
        "sgd": lambda p: torch.optim.SGD(p, lr=args.learning_rate),
    }[args.optimizer](model.parameters())
    rows = sequences(args.model, args.data, args.max_length, args.max_prompt_length)
    tokens = sum(len(ids) for ids, _ in rows)
    data = batch(rows, 0)
    everywhere = args.logits == "all"
    with torch.no_grad():
        reference = logps(model, data, len(rows), everywhere)
    for step in range(1, args.steps + 1):
        began, cpu_began = time.perf_counter(), time.process_time()
        ratio = logps(model, data, len(rows), everywhere) - reference
        chosen, rejected = ratio.chunk(2)
        loss = -F.logsigmoid(args.beta * (chosen - rejected)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm)
        optimizer.step()
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        print(json.dumps({"step": step, "seconds": seconds, "cpu_seconds": cpu_seconds, "loss": loss.item(), "tokens": tokens}),
              flush=True)
    print(json.dumps({"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
