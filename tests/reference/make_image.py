#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/image_resize.json: PIL's resampling of random floating-point pictures. usage: make_image.py OUTDIR"""
import json
import sys
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

FILTERS = {"box": Image.Resampling.BOX, "linear": Image.Resampling.BILINEAR, "cubic": Image.Resampling.BICUBIC,
           "lanczos": Image.Resampling.LANCZOS}
SIZES = [((7, 5), (13, 11)), ((17, 9), (5, 4)), ((8, 8), (8, 3)), ((12, 6), (24, 6)), ((19, 21), (10, 40)), ((3, 2), (31, 1))]


def main():
    rng = np.random.default_rng(12)
    cases = []
    for name, resample in FILTERS.items():
        for (width, height), (to_width, to_height) in SIZES:
            source = rng.random((height, width), dtype=np.float32)
            result = np.asarray(Image.fromarray(source, "F").resize((to_width, to_height), resample))
            cases.append({"filter": name, "width": width, "height": height, "to_width": to_width, "to_height": to_height,
                          "input": [round(float(v), 7) for v in source.ravel()],
                          "output": [round(float(v), 7) for v in result.ravel()]})
    data = {"made_with": {"pillow": PIL.__version__, "numpy": np.__version__}, "cases": cases}
    Path(sys.argv[1], "image_resize.json").write_text(json.dumps(data) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
