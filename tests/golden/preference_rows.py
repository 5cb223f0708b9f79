#!/usr/bin/env python3
"""Writes conversations.parquet and texts.parquet: four rows each, as the Hugging Face hub serves preference data.

    python tests/golden/preference_rows.py

Two row groups, one compressed with Snappy and one file with Zstandard; a column that is not read; a null in a column of
probes; messages with a null beside role and content. Made with pyarrow 26.0.1.
"""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.list_(pa.string()))])


def turns(*messages):
    return [{"role": role, "content": content, "tool_calls": None} for role, content in messages]


def main():
    questions = ["What colour is the sky?", "Who milks the cow?", "Wo steht die Mühle? 漢字", "2 + 2?"]
    answers = ["Blue.", "The farmer does.", "Am Bach — dort.", "4"]
    texts = pa.table({
        "prompt": [f"\n\nHuman: {q}\n\nAssistant:" for q in questions],
        "chosen": [f" {a}" for a in answers],
        "rejected": [" I do not know."] * 4,
        "irr_hum": [None, " The cat sat.", None, " A dog ran."],
        "score": [0.5, 1.0, None, 2.0],
    })
    pq.write_table(texts, HERE / "texts.parquet", compression="zstd", row_group_size=2)
    conversations = pa.table({
        "prompt": questions,
        "chosen": pa.array([turns(("user", q), ("assistant", a)) for q, a in zip(questions, answers)],
                           pa.list_(MESSAGE)),
        "rejected": pa.array([turns(("user", q), ("assistant", "No.")) for q in questions], pa.list_(MESSAGE)),
        "messages": pa.array([turns(("user", "never read"))] * 4, pa.list_(MESSAGE)),
    })
    pq.write_table(conversations, HERE / "conversations.parquet", compression="snappy", row_group_size=2)


if __name__ == "__main__":
    main()
