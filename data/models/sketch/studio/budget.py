# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m studio.budget: parameters and f16 bytes of every part; status 1 above 64 MB."""
import sys

from . import lora, nets

LIMIT = 64e6
LCM_RANK, SAMPLE_RANK = 12, 8


def rows():
    out = [(nets.FILES[name][0], nets.count(name)) for name in nets.FILES]
    out.append(("loras/lcm.safetensors", lora.size(nets.make("base"), LCM_RANK, lora.ATTENTION + lora.RESNETS)))
    out.append(("loras/windmill.safetensors", lora.size(nets.make("base"), SAMPLE_RANK)))
    out.append(("embeddings/dusk-moth.safetensors", nets.CONTEXT))
    return out


def main():
    total = 0
    for name, n in rows():
        total += n
        print(f"{name:34s} {n:10,d}   {2 * n / 1e6:6.2f} MB")
    print(f"{'together':34s} {total:10,d}   {2 * total / 1e6:6.2f} MB of {LIMIT / 1e6:.0f}")
    fine = [n for n, _ in nets.make("base").named_modules() if n.endswith("attn2") and n.startswith(("down_blocks.0", "up_blocks.2"))]
    print(len(fine), "cross-attention sites on the 16x16 grid")
    return 1 if 2 * total > LIMIT or len(fine) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
