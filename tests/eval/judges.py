# SPDX-License-Identifier: GPL-3.0-or-later
"""Who looks at the pictures: the model's trained judge (judge/judge.npz), or the template matcher of data/models/sketch/train
for a model without one. look(picture) -> (sure findings with kind, colour and box; the place and so on, or None)."""
import importlib.util
import sys
from pathlib import Path

from questions import ROOT
from studio.judge import Judge
from studio.kinds import KINDS
from studio.words import COLOURS


class Trained:
    knows_renders = True   # of studio.render
    def __init__(self, path):
        self.name, self.judge = "trained judge", Judge(path)
        self.kinds, self.colours = set(KINDS), set(COLOURS)

    def look(self, picture):
        found, world = self.judge.look(picture)
        return [f for f in found if f.sure()], world


class Templates:
    knows_renders = False  # it has shapes of its own model's scenes
    def __init__(self):
        folder = ROOT / "data" / "models" / "sketch" / "train"
        sys.path.insert(0, str(folder))
        spec = importlib.util.spec_from_file_location("eval_matcher", folder / "matcher.py")
        self.matcher = importlib.util.module_from_spec(spec)
        sys.modules["eval_matcher"] = self.matcher
        spec.loader.exec_module(self.matcher)
        sys.path.remove(str(folder))
        self.name, self.kinds, self.colours = "template matcher", set(self.matcher.KINDS), set(self.matcher.COLOURS)

    def look(self, picture):
        return [f for f in self.matcher.look(picture) if f.sure()], None


def choose(model):
    path = Path(model) / "judge" / "judge.npz"
    return Trained(path) if path.exists() else Templates()
