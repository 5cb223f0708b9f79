#!/usr/bin/env python3
"""Writes families/<name>/ (a tiny checkpoint of random weights) and families/<name>.json (what `transformers` computes
of it) for every model family, and families/<name>.gguf for those that have one.

    pip install torch==2.6.0 transformers==4.51.3 gguf==0.19.0 && python tests/golden/families.py

Weights are drawn wide (standard deviation 0.15, biases too, norms around one), so that a forgotten bias, a transposed
matrix or a misplaced head changes every number. They are rounded to what the file holds before anything is computed; all
of it in float32 on the CPU.

The JSON holds, for two preference pairs: log-probs of every token of the answers, and the loss and gradient of one step
of DPO (sigmoid, beta 0.5) against given log-probs of a reference, as two numbers for every tensor of the file: its norm and
its product with cos(1), cos(2), … in row-major order.

The GGUF files lie as llama.cpp's converter lays them out: names from the `gguf` package's own table; query and key of
Llama interleaved, the heads of GPT-NeoX taken apart, the matrices of GPT-2 transposed.
"""

import json
import pathlib
import shutil

import gguf
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPTNeoXConfig, LlamaConfig, Qwen2Config, Qwen3Config

FOLDER = pathlib.Path(__file__).parent / "families"
BETA = 0.5
VOCAB = 290
MERGES = [("Ġ", "a"), ("b", "c"), ("Ġa", "bc")]
# Prompt, chosen, rejected.
PAIRS = [
    ([7, 8, 9, 250], [20, 21, 22, 23, 24, 0], [30, 31, 0]),
    ([100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111], [40, 41, 0], [50, 51, 52, 53, 54, 55, 56, 0]),
]
# How far the reference's sums of log-probs are from the policy's: chosen, rejected.
REFERENCE = [(-0.7, 0.4), (0.3, 1.1)]

SIZES = dict(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)
TOKENS = dict(bos_token_id=None, eos_token_id=0, pad_token_id=1)
ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
CASES = {
    "llama_gqa_rope": (
        LlamaConfig(**SIZES, **TOKENS, intermediate_size=48, num_key_value_heads=2, rope_scaling=ROPE, rope_theta=1e3),
        torch.float16,
    ),
    "llama_tied_linear": (
        LlamaConfig(
            **SIZES, **TOKENS, intermediate_size=48, num_key_value_heads=4, tie_word_embeddings=True, attention_bias=True,
            mlp_bias=True, rope_scaling={"type": "linear", "factor": 4.0},
        ),
        torch.float32,
    ),
    "gpt_neox_parallel": (
        GPTNeoXConfig(**SIZES, **TOKENS, intermediate_size=64, rotary_pct=0.25, use_parallel_residual=True),
        torch.float16,
    ),
    "gpt_neox_sequential": (
        GPTNeoXConfig(**SIZES, **TOKENS, intermediate_size=64, rotary_pct=0.5, use_parallel_residual=False),
        torch.bfloat16,
    ),
    "qwen2": (
        Qwen2Config(**SIZES, **TOKENS, intermediate_size=48, num_key_value_heads=2, tie_word_embeddings=True),
        torch.float16,
    ),
    "qwen3": (
        Qwen3Config(
            **SIZES, **TOKENS, intermediate_size=48, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True
        ),
        torch.float16,
    ),
    "gpt2": (
        GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, n_inner=64, **TOKENS),
        torch.float16,
    ),
}
# Files of at most this size: only one case is large enough to be sharded.
SHARDS = {"qwen2": "40KB"}
GGUF = {
    "llama_gqa_rope": ("llama", gguf.MODEL_ARCH.LLAMA),
    "gpt_neox_parallel": ("gptneox", gguf.MODEL_ARCH.GPTNEOX),
    "qwen2": ("qwen2", gguf.MODEL_ARCH.QWEN2),
    "qwen3": ("qwen3", gguf.MODEL_ARCH.QWEN3),
    "gpt2": ("gpt2", gguf.MODEL_ARCH.GPT2),
}


def draw(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = any(part in name for part in ("norm", "ln_")) and name.endswith("weight")
            parameter.normal_(1.0 if norm else 0.0, 0.15)


def sum_logps(model, prompt, answer):
    logits = model(torch.tensor([prompt + answer]), use_cache=False).logits[0]
    predicted = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
    return predicted.gather(1, torch.tensor(answer).unsqueeze(1)).squeeze(1)


def measure(model):
    rows, losses = [], []
    for (prompt, chosen, rejected), (ref_chosen, ref_rejected) in zip(PAIRS, REFERENCE):
        plus, minus = sum_logps(model, prompt, chosen), sum_logps(model, prompt, rejected)
        reference = [plus.sum().item() + ref_chosen, minus.sum().item() + ref_rejected]
        margin = (plus.sum() - reference[0]) - (minus.sum() - reference[1])
        losses.append(-torch.nn.functional.logsigmoid(BETA * margin))
        rows.append(
            dict(
                prompt_ids=prompt, chosen_ids=chosen, rejected_ids=rejected, chosen_logps=plus.tolist(),
                rejected_logps=minus.tolist(), ref_chosen_logps=reference[0], ref_rejected_logps=reference[1],
            )
        )
    loss = torch.stack(losses).mean()
    loss.backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        flat = parameter.grad.double().flatten()
        wave = torch.cos(torch.arange(1, len(flat) + 1, dtype=torch.float64))
        gradients[name] = [flat.norm().item(), (flat @ wave).item()]
    return dict(beta=BETA, pairs=rows, loss=loss.item(), gradients=gradients)


def tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<eos>", "<pad>", *alphabet, *("".join(merge) for merge in MERGES)]
    made = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<eos>", "<pad>"])
    return made


def interleave(weight, heads):
    """Halves of every head's rows, alternating."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def apart(weight, heads):
    """[head, qkv, row] to [qkv, head, row]."""
    return weight.reshape(heads, 3, weight.shape[0] // heads // 3, -1).swapaxes(0, 1).reshape(weight.shape)


def write_gguf(name, model, vocab):
    config = model.config
    architecture, kind = GGUF[name]
    writer = gguf.GGUFWriter(FOLDER / f"{name}.gguf", architecture)
    heads = config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", None) or config.n_inner)
    writer.add_head_count(heads)
    if architecture in ("llama", "qwen2", "qwen3"):
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_rope_freq_base(config.rope_theta)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        if architecture == "qwen3":
            writer.add_key_length(config.head_dim)
    elif architecture == "gptneox":
        writer.add_rope_dimension_count(int(config.rotary_pct * (config.hidden_size // heads)))
        writer.add_parallel_residual(config.use_parallel_residual)
        writer.add_layer_norm_eps(config.layer_norm_eps)
    else:
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    ids = sorted(vocab.get_vocab().items(), key=lambda item: item[1])
    tokens = [token for token, _ in ids] + [f"[PAD{i}]" for i in range(len(ids), VOCAB)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(ids) - 2) + [5] * (VOCAB - len(ids)))
    writer.add_token_merges([" ".join(merge) for merge in MERGES])
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(1)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    for hf_name, parameter in model.named_parameters():
        weight = parameter.detach().numpy()
        if architecture == "llama" and hf_name.endswith("q_proj.weight"):
            weight = interleave(weight, heads)
        elif architecture == "llama" and hf_name.endswith("k_proj.weight"):
            weight = interleave(weight, config.num_key_value_heads)
        elif "query_key_value" in hf_name:
            weight = apart(weight, heads)
        elif architecture == "gpt2" and ".h." in hf_name and weight.ndim == 2:
            weight = weight.T
        # ggml keeps vectors in single precision.
        kept = np.float32 if weight.ndim == 1 else np.float16
        gguf_name = names.get_name(hf_name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(gguf_name, np.ascontiguousarray(weight).astype(kept))
    if getattr(config, "rope_scaling", None):
        plain, _ = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["default"](config, "cpu")
        stretched, _ = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
        writer.add_tensor("rope_freqs.weight", (plain / stretched).numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for number, (name, (config, dtype)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        draw(model)
        folder = FOLDER / name
        model.to(dtype).save_pretrained(folder, max_shard_size=SHARDS.get(name, "1GB"))
        tokenizer().save(str(folder / "tokenizer.json"), pretty=False)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
        golden = measure(model)
        golden["made_by"] = f"transformers {transformers.__version__}, torch {torch.__version__}, seed {number}"
        (FOLDER / f"{name}.json").write_text(json.dumps(golden, indent=1) + "\n")
        if name in GGUF:
            write_gguf(name, model, tokenizer())


if __name__ == "__main__":
    main()
