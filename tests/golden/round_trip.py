#!/usr/bin/env python3
"""Writes round_trip.json: random rows as transformers tokenises them and TRL parts them, with the files of the tokenizers.

    pip install transformers==4.51.3 tokenizers==0.21.4 jinja2==3.1.6 && python tests/golden/round_trip.py > tests/golden/round_trip.json

Seed 11. Six tokenizers: that of the families' checkpoints (byte-level), one with further tokens whose flags stand in
tokenizer_config.json, one whose further tokens stand in added_tokens.json and special_tokens_map.json, one that puts a
space before every text, one of SentencePiece with byte fallback and its beginning, one of SentencePiece's newer form.
Plain rows and conversations (system prompts, several turns, tools, chat_template_kwargs, content in parts) in four
templates. A row is parted as TRL 1.16's DPOTrainer parts it: `parted` below is its `tokenize_fn`, with two differences that
the program makes too: a text that a post-processor ends gets one end token, and so does a turn of a chat template that
ends with no special token.
"""

import json
import pathlib
import random
import sys
import tempfile

import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SEED = 11
ROWS = 24
FAMILY = pathlib.Path(__file__).parent / "families" / "llama_gqa_rope" / "tokenizer.json"
CORPUS = ["The sky is blue and the model learns what it is told. What is it? It is the day of the model, and the sky."] * 4
FLAGS = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)

TEMPLATES = {
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}\r\n{{ m.content }}<|im_end|>\r\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\r\n{% endif %}",
    "ends": "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'].strip().removeprefix('The ') }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    "tools": "{% if tools is not none %}{{ tools|tojson }}{% for t in tools %}{{ '%s: %d' % (t.function.name, loop.index) }}\n"
    "{% endfor %}{% endif %}{% if documents is none %}[none]{% endif %}{%- for m in messages %}[{{ m.role }}]"
    "{% generation %}{{ m.content.rsplit(' ', 1)[-1] if m.role == 'system' else m.content }}{% endgeneration %}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% if enable_thinking is defined and not enable_thinking %}"
    "<think></think>{% endif %}{% endif %}",
    "json": "{% for m in messages %}{% if m.content is sequence and m.content is string %}"
    "{{ m|tojson(separators=(',', ':'), sort_keys=true, ensure_ascii=not loop.first) }}{% endif %}{{ eos_token }}"
    "{% if loop.last %}{% continue %}{% endif %} {{ loop.index0 % 2 }}{% endfor %}",
}
# What templates ask of Python and Jinja2, with what they see.
EXPRESSIONS = [
    "{{ tools is none }} {{ tools is defined }} {{ documents is none }} {{ nothing is defined }} {{ none }} {{ true }}",
    "{{ 'a %s b %d %5.2f %r %%' % ('x', 3, 2.5, 'q') }}|{{ '%s' % messages[0].role }}|{{ '%(a)s' % {'a': 1} }}|{{ 7 % 3 }}|{{ -7 % 3 }}|{{ 2 * 7 % 4 }}",
    "{{ 'a b c'.rsplit(' ', 1) }}{{ 'a  b c'.rsplit() }}{{ 'abcb'.index('b') }}{{ 'abcb'.rindex('b') }}{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('bc') }}",
    "{{ 'aBc'.swapcase() }}{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}{{ 'ab'.center(5, '*') }}{{ 'ab'.ljust(4) }}|{{ 'ab'.rjust(4) }}|{{ '-5'.zfill(4) }}",
    "{{ 'one two, three'|wordcount }} {{ 'ab'|center(5) }}| {{ nothing|length }} {{ 'Hello wide world'|truncate(9, leeway=0) }} {{ 'x'|upper|lower|capitalize|title }}",
    "{{ 'abc' is sequence }} {{ [1] is sequence }} {{ {'a': 1} is sequence }} {{ 3 is sequence }} {{ 'a' is iterable }} {{ {} is mapping }} {{ true is number }}",
    "{{ messages|tojson }} {{ messages[0]|tojson(indent=2) }} {{ {'b': 1, 'a': [1.5, 1e-7, 1e16, 3.0, none, true]}|tojson(sort_keys=true) }}",
    "{{ {'é': 'ü🎉<&>\\u007f'}|tojson }} {{ {'é': 'ü🎉'}|tojson(ensure_ascii=true) }} {{ [1, {'a': []}]|tojson(separators=(',', ':')) }} {{ [1, {}]|tojson(indent=1, separators=(';', '=')) }}",
    "{{ [1, 2.0, 'a\\'b', none, true, {'k': 'v'}] }} {{ messages[0] }} {{ 1e16 }} {{ 3 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ 2 ** 3 }}",
    "{{ 'x' ~ none ~ true ~ 1.0 ~ [1] }} {{ [none, true, 'a']|join('-') }} {{ 'a,b'.split(',') }} {{ 'abc'[::-1] }} {{ [1, 2, 3][-2:] }}",
    "{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}{{ m.role }}{% if loop.last %}{% break %}{% endif %}{% endfor %}",
    "  {% if true %}\n  x\n  {% endif %}\ny  {#- note -#}  z\n{%- set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}\n",
    "{% macro f(x, y='d') %}<{{ x }}{{ y }}>{% endmacro %}{{ f('a') }}{{ f('b', y='c') }}{% set t %}in{% endset %}{{ t }}{% raw %}{{ x % y }}{% endraw %}",
    "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token is defined }}{{ additional_special_tokens }}{% generation %}g{% endgeneration %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{{ {'a': 1}.get('b', 'c') }}{{ messages|map(attribute='role')|list }}{{ messages|selectattr('role', 'equalto', 'user')|list|length }}",
    "{{ 'a\\nb'|indent(2) }} {{ 'x' if nothing }} {{ nothing|default('d') }} {{ ''|default('e', true) }} {{ '5'|int + 1 }} {{ 'x' in 'xyz' }} {{ 'role' in messages[0] }} {{ [3, 1, 2]|sort }}",
]
WORDS = ["The", "the", "sky", "is", "blue", "model", "it", "a", "abc", "bc", "é", "漢字", "🎉", "x1", "2024", "don't", "I'm", "-", ",", ".", "?"]
GAPS = [" ", " ", " ", " ", "  ", "\n", "\n\n", "\t", ""]


def files(folder, tokenizer, config, **more):
    written = {"tokenizer.json": json.loads(tokenizer.to_str()), "tokenizer_config.json": config}
    written |= {name + ".json": value for name, value in more.items()}
    for name, value in written.items():
        (folder / name).write_text(json.dumps(value, ensure_ascii=False))
    return written


def byte_level(prefix=False):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def sentencepiece(newer):
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False))
    whole = json.loads(tokenizer.to_str())
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < 3]
    if newer:
        whole["normalizer"] = None
        whole["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


def begins(tokenizer, ends):
    single = "<s> $A </s>" if ends else "<s> $A"
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 1), ("</s>", 2)])
    return tokenizer


def tokenizers_of(folder):
    base = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    family = Tokenizer.from_str(FAMILY.read_text())
    yield "family", files(folder("family"), family, {**base, "eos_token": "<eos>", "bos_token": "<pad>"})
    decoder = {
        "302": {**FLAGS, "content": "<|im_end|>", "rstrip": True}, "301": {**FLAGS, "content": "<|im_start|>"},
        "303": {**FLAGS, "content": "sky", "single_word": True, "special": False}, "304": {**FLAGS, "content": "🎉", "lstrip": True},
        "305": {**FLAGS, "content": "Don", "normalized": True, "special": False},
    }
    config = {**base, "eos_token": "<|im_end|>", "bos_token": "<s>", "additional_special_tokens": ["<|im_start|>"], "added_tokens_decoder": decoder}
    yield "flags", files(folder("flags"), byte_level(), config)
    more = {"added_tokens": {"<|im_start|>": 300, "<|im_end|>": 301, "blue": 302}, "special_tokens_map": {"eos_token": "<|im_end|>", "bos_token": {"content": "<|im_start|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}}}
    yield "older", files(folder("older"), byte_level(), base, **more)
    yield "prefix", files(folder("prefix"), byte_level(), {**base, "eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "add_prefix_space": True})
    spelled = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    yield "llama", files(folder("llama"), sentencepiece(False), {**base, **spelled, "tokenizer_class": "LlamaTokenizer"})
    yield "newer", files(folder("newer"), begins(sentencepiece(True), True), {**base, **spelled})


def text(rng, longest=7):
    return "".join(rng.choice(WORDS) + rng.choice(GAPS) for _ in range(rng.randint(1, longest)))


def row(rng, number):
    if number % 2 == 0:
        prompt = text(rng).lstrip() + rng.choice(["", ":", "\n", " "])
        return None, {"prompt": prompt, **{key: rng.choice(["", " "]) + text(rng) + rng.choice([".", "!"]) for key in ("chosen", "rejected")}}
    turn = lambda role: {"role": role, "content": text(rng).strip()}
    prompt = [turn("system")] if rng.random() < 0.3 else []
    if rng.random() < 0.4:
        prompt += [turn("user"), turn("assistant")]
    prompt.append(turn("user"))
    written = {"prompt": prompt, "chosen": [turn("assistant")], "rejected": [turn("assistant")]}
    template = rng.choice(list(TEMPLATES))
    if template == "tools":
        if rng.random() < 0.5:
            written["tools"] = [{"type": "function", "function": {"name": "sky", "description": text(rng), "n": [1, 2.5, 1e-7, None, True]}}]
        if rng.random() < 0.5:
            written["chat_template_kwargs"] = {"enable_thinking": rng.random() < 0.5}
    return template, written


def common(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def parted(tokenizer, template, row):
    """TRL 1.16's `tokenize_fn` of DPOTrainer, after its `add_eos`."""
    if template is None:
        ended = lambda text: text if text.endswith(tokenizer.eos_token) else text + tokenizer.eos_token
        def encode(text, prompt=False):
            ids = tokenizer(text)["input_ids"]
            # One end, and none after a prompt.
            added = len(ids) > 1 and ids[-1] == tokenizer.eos_token_id and (prompt or ids[-2] == tokenizer.eos_token_id)
            return ids[:-1] if added else ids
        prompt = encode(row["prompt"], True)
        wholes = [encode(row["prompt"] + ended(row[key])) for key in ("chosen", "rejected")]
    else:
        named = dict(chat_template=TEMPLATES[template], tools=row.get("tools"), **row.get("chat_template_kwargs", {}))
        write = lambda messages, **more: tokenizer.apply_chat_template(messages, tokenize=True, **named, **more)
        prompt = write(row["prompt"], add_generation_prompt=True)
        wholes = [write(row["prompt"] + row[key]) for key in ("chosen", "rejected")]
        for whole in wholes:
            solid = [id for id in whole if tokenizer.decode([id]).strip()]
            if solid[-1] not in tokenizer.all_special_ids:
                whole.append(tokenizer.eos_token_id)
    length = min(common(prompt, whole) for whole in wholes)
    return length == len(prompt), {"prompt": prompt[:length], "chosen": wholes[0][length:], "rejected": wholes[1][length:]}


def main():
    rng = random.Random(SEED)
    out = {"transformers": transformers.__version__, "seed": SEED, "templates": TEMPLATES, "tokenizers": []}
    with tempfile.TemporaryDirectory() as root:
        def folder(name):
            path = pathlib.Path(root) / name
            path.mkdir()
            return path

        for name, written in tokenizers_of(folder):
            tokenizer = transformers.AutoTokenizer.from_pretrained(pathlib.Path(root) / name)
            cases = []
            while len(cases) < ROWS:
                template, made = row(rng, len(cases))
                whole, ids = parted(tokenizer, template, made)
                if ids["prompt"]:
                    cases.append({"template": template, "row": made, "merges": not whole, **ids})
            if name == "flags":
                talk = [{"role": "user", "content": "Hi é"}, {"role": "assistant", "content": "Yo"}, {"role": "user", "content": "3"}]
                write = lambda source: tokenizer.apply_chat_template(talk, chat_template=source, tokenize=False)
                out["talk"], out["expressions"] = talk, [[source, write(source)] for source in EXPRESSIONS]
            out["tokenizers"].append({"name": name, "files": {file: json.dumps(value, ensure_ascii=False) for file, value in written.items()}, "cases": cases})
    json.dump(out, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
