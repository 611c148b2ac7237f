#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/gguf: a GGUF file by the gguf package with every number format that is read, and what the package itself makes of the
values. tests/weights compares. usage: make_gguf.py OUTDIR"""
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

FIRST = "model.diffusion_model.input_blocks.0.0.weight"


def main():
    out = Path(sys.argv[1], "gguf")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    random = np.random.default_rng(3)
    expected = {}
    writer = gguf.GGUFWriter(out / "formats.gguf", "sd1")
    writer.add_custom_alignment(64)
    writer.add_array("some.list", ["a", "b"])
    for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
        kind = gguf.GGMLQuantizationType[name]
        values = (random.standard_normal((5, 96)) * random.uniform(0.01, 4.0, (5, 1))).astype(np.float32)
        packed = gguf.quants.quantize(values, kind)
        writer.add_tensor(f"quant.{name.lower()}", packed, raw_dtype=kind)
        expected[f"quant.{name.lower()}"] = np.ascontiguousarray(gguf.quants.dequantize(packed, kind), dtype=np.float32).reshape(5, 96)
    conv = random.standard_normal((8, 4, 3, 3)).astype(np.float32)
    writer.add_tensor(FIRST, conv)
    expected[FIRST] = conv
    # as ComfyUI's converter does it: flattened to whole blocks, the shape it had noted under a key
    flat = random.standard_normal((3, 64)).astype(np.float32)
    packed = gguf.quants.quantize(flat, gguf.GGMLQuantizationType.Q8_0)
    writer.add_array("comfy.gguf.orig_shape.flat", [4, 2, 8, 3])
    writer.add_tensor("flat", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    expected["flat"] = np.ascontiguousarray(gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q8_0), dtype=np.float32).reshape(4, 2, 8, 3)
    blocks = random.integers(0, 256, (2, 144), dtype=np.uint8)
    writer.add_tensor("quant.q4_k", blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, out / "expected.safetensors", metadata={"gguf": "0.19", "numpy": np.__version__})


if __name__ == "__main__":
    main()
