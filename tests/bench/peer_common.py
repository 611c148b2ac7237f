# SPDX-License-Identifier: GPL-3.0-or-later
"""What the peers' scripts share: the job that everyone does, its clock, and how a script hands its figures back."""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from diffusers import DDIMScheduler
from transformers import CLIPTextModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "slow"))
from make_full import IDS  # noqa: E402

PROMPT = "a photo of an astronaut riding a horse on mars"
EMPTY = [IDS[0]] + [IDS[-1]] * (len(IDS) - 1)
GUIDANCE = 7.5
SEED = 7


def token_ids():
    """Of the empty prompt and of PROMPT, in the order that diffusers has them in a batch."""
    return torch.tensor([EMPTY, IDS])


def scheduler_of(folder):
    return DDIMScheduler.from_pretrained(folder / "scheduler", clip_sample=False)


def initial_noise(size):
    return torch.randn(1, 4, size // 8, size // 8, generator=torch.Generator().manual_seed(SEED))


def text_encoder_of(folder, dtype):
    return CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype).eval()


class Clock:
    """Marks moments of a picture: tick() in between, seconds between two marks by name."""

    def __init__(self):
        self.marks = [("begin", time.monotonic())]

    def tick(self, name):
        self.marks.append((name, time.monotonic()))

    def gaps(self, name):
        return [b[1] - a[1] for a, b in zip(self.marks, self.marks[1:]) if b[0] == name]

    def whole(self):
        return self.marks[-1][1] - self.marks[0][1]


def figures_of(clock):
    """`step` is the median of all steps but the first, of two rows each; `fastest` shows how much other work slowed the rest."""
    steps = sorted(clock.gaps("step")[1:] or clock.gaps("step"))
    return {"text": clock.gaps("text")[0], "step": steps[len(steps) // 2], "fastest": steps[0], "decode": clock.gaps("decode")[0],
            "picture": clock.whole()}


def report(**figures):
    """The last line of a peer's output."""
    picture = figures.pop("pixels")
    if not bool((picture == picture).all()):
        sys.exit("peers: the picture has values that are no numbers: these weights say nothing about speed.")
    figures["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(figures), flush=True)
