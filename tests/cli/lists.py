# SPDX-License-Identifier: GPL-3.0-or-later
"""Safetensors files that are headers and holes: the names, types and shapes of published files (tests/data/lists), no values, so that a
checkpoint of many gigabytes takes a few blocks on disk."""

import gzip
import json
import os
import struct
from math import prod
from pathlib import Path

SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "U8": 1, "F8_E4M3": 1}


def read():
    """{list: [(name, dtype, shape)]}, in the file's order."""
    lists, path = {}, Path(os.environ["PMT_TEST_DATA"]) / "lists" / "lists.gz"
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if line.startswith("@ "):
            rows = lists.setdefault(line[2:], [])
        elif not line.startswith("#"):
            name, dtype, shape = line.split(" ")[:3]
            rows.append((name, dtype, [int(d) for d in shape.split(",")] if shape != "-" else []))
    return lists


def write(path, rows, metadata=None, cut=0):
    """`cut` bytes are missing at the end, as after a broken download."""
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, dtype, shape in rows:
        size = SIZES[dtype] * prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at - cut)
    return str(path)
