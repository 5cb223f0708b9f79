#!/usr/bin/env python3
"""Writes gguf_blocks.json: two blocks of random bytes of every element type, and the numbers that they stand for.

    pip install gguf==0.19.0 && python tests/golden/gguf_blocks.py

The numbers are those of `gguf.quants.dequantize` (numpy), which shares no code with this program. Scales are drawn as
finite half-precision numbers; everything else is any byte.
"""

import json
import pathlib

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

# Offsets of half-precision scales in a block.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def main():
    rng = np.random.default_rng(7)
    cases = []
    for name in ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]:
        numbers, size = GGML_QUANT_SIZES[T[name]]
        if name == "F32":
            block = rng.standard_normal(8).astype("<f4").view(np.uint8)
        elif name == "F16":
            block = rng.standard_normal(8).astype("<f2").view(np.uint8)
        elif name == "BF16":
            block = (rng.standard_normal(8).astype("<f4").view("<u4") >> 16).astype("<u2").view(np.uint8)
        else:
            blocks = rng.integers(0, 256, (2, size), dtype=np.uint8)
            for offset in SCALES[name]:
                blocks[:, offset : offset + 2] = rng.uniform(-0.1, 0.1, (2, 1)).astype("<f2").view(np.uint8)
            block = blocks.reshape(-1)
        values = dequantize(block.reshape(1, -1), T[name]).reshape(-1)
        cases.append({"type": name, "bytes": block.tolist(), "values": [float(f"{x:.9g}") for x in values.tolist()]})
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
