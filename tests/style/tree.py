# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the style checks look at, and the TAP that they speak."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CODE = {".c", ".h", ".py", ".sh", ".scm"}
BUILD_FILES = {"meson.build", "meson_options.txt", "dev", "run"}


class Tree:
    """A checkout: the files that git tracks, or all files where there is no git (an unpacked release)."""

    def __init__(self, root):
        self.root = Path(root)
        self.names = self._tracked() or self._walked()

    def _tracked(self):
        if not (self.root / ".git").exists():
            return []
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(self.root), "ls-files", "-z"],
                                capture_output=True, text=True, check=True)
        return sorted(name for name in listed.stdout.split("\0") if name and (self.root / name).is_file())

    def _walked(self):
        names = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in (".git", "__pycache__") and not
                          (Path(folder) == self.root and (f == "build" or f.startswith("build-") and f != "build-aux"))]
            names += [str((Path(folder) / f).relative_to(self.root)) for f in files]
        return sorted(names)

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def size(self, name):
        return (self.root / name).stat().st_size

    def code(self):
        """Sources: C, Python, shell, Scheme."""
        return [name for name in self.names if Path(name).suffix in CODE or Path(name).name in ("dev", "run")]

    def written(self):
        """Sources and build files, which carry a licence line."""
        return [name for name in self.names if Path(name).suffix in CODE or Path(name).name in BUILD_FILES]

    def all_text(self):
        """Every file that people read, the licence apart."""
        kinds = CODE | {".md", ".build", ".txt", ".json", ".in", ".po", ".xml", ".css", ".ui", ".yml"}
        return [name for name in self.names if name != "LICENSE" and not name.startswith("tests/data/")
                and (Path(name).suffix in kinds or Path(name).name in BUILD_FILES)]


def made(files):
    """A throw-away tree with the given {name: text}, for showing that a check can fail."""
    folder = tempfile.TemporaryDirectory(prefix="pmt-style-")
    for name, text in files.items():
        path = Path(folder.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    tree = Tree(folder.name)
    tree.keep = folder
    return tree


class Tap:
    """Prints TAP; the program ends with status 1 when a line was not ok."""

    def __init__(self):
        self.count = self.bad = 0

    def line(self, good, name, complaints=()):
        self.count += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.count} {name}", flush=True)
        for complaint in complaints:
            print(f"# {complaint}", flush=True)

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.bad else 0)
