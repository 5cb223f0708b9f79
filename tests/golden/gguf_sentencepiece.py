#!/usr/bin/env python3
"""Writes gguf_sentencepiece.gguf, a small SentencePiece BPE with byte fallback as llama.cpp's converter keeps one, without
any weights, and gguf_sentencepiece.json, what SentencePiece itself makes of some texts.

    pip install sentencepiece==0.2.3 gguf==0.19.0 && python tests/golden/gguf_sentencepiece.py

The settings are Llama 2's: text as it is, spaces kept, one before the first word, digits apart.
"""

import io
import json
import pathlib

import gguf
import sentencepiece

TEACHER = [
    f"{who} {does} the {what} {where}, {when}."
    for who in ("The student", "A teacher", "Nobody", "The model", "My sister", "Ångström")
    for does in ("reads", "measures", "squeezes", "forgets", "writes down", "believes")
    for what in ("probability", "answer", "question", "gradient", "learning rate", "lesson")
    for where in ("in the library", "at home", "near the river", "under a tree")
    for when in ("before breakfast", "in 1984", "every day", "at 10:30")
]
TEXTS = [
    "The student measures the gradient at home, every day.",
    "  two spaces before,   three between, one after ",
    "a\nnew line\tand a tab",
    "1984 + 16 = 2000",
    "Ångström, naïve, 北京, 🦀",
    "squeezed unsqueezable measurements",
    "▁ is how a space is spelled",
    " ",
    "x",
    "",
]


def main():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEACHER), model_writer=model, model_type="bpe", vocab_size=420, byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        minloglevel=2,
    )
    of = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = range(of.get_piece_size())

    def kind(i):
        return 2 if of.is_unknown(i) else 3 if of.is_control(i) else 6 if of.is_byte(i) else 1

    path = pathlib.Path(__file__)
    writer = gguf.GGUFWriter(path.with_suffix(".gguf"), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([of.id_to_piece(i) for i in ids])
    writer.add_token_scores([of.get_score(i) for i in ids])
    writer.add_token_types([kind(i) for i in ids])
    writer.add_bos_token_id(of.bos_id())
    writer.add_eos_token_id(of.eos_id())
    writer.add_unk_token_id(of.unk_id())
    writer.add_chat_template("{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    cases = [dict(text=text, ids=of.encode(text), decoded=of.decode(of.encode(text))) for text in TEXTS]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path.with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
