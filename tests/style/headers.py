#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""headers.py ROOT CC: each header of the engine, the widgets and the plug-in compiles as the only line of a file."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tree import Tap, Tree, made

MODULES = {"engine": ["glib-2.0", "gio-2.0", "json-glib-1.0", "gdk-pixbuf-2.0"], "ui": ["gtk+-3.0", "json-glib-1.0"],
           "plugin": ["gimp-3.0", "gimpui-3.0", "json-glib-1.0"]}


def flags_of(room):
    found = subprocess.run(["pkg-config", "--cflags", *MODULES[room]], capture_output=True, text=True, check=True)
    # as system headers: their warnings are not ours
    return found.stdout.replace("-I/", "-isystem/").split()


def complaint(root, compiler, name, flags):
    command = [compiler, "-std=gnu11", "-fsyntax-only", "-fopenmp", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-D_GNU_SOURCE",
               '-DGETTEXT_PACKAGE="pentimento"', f"-I{root}", f"-I{root}/engine/include", *flags, "-xc", "-"]
    # unused static inlines and constants of a header are its users' business
    command += ["-Wno-unused"]
    ran = subprocess.run(command, input=f'#include "{name}"\n', capture_output=True, text=True)
    if ran.returncode == 0:
        return None
    return f"{name}: " + next((line for line in ran.stderr.splitlines() if "error:" in line), ran.stderr.strip())


def main():
    tree, compiler, tap = Tree(sys.argv[1]), sys.argv[2], Tap()
    flags = {}
    for room in MODULES:
        headers = [n for n in tree.names if n.startswith(room + "/") and Path(n).suffix == ".h"]
        if not headers:
            continue
        flags[room] = flags_of(room)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            complaints = [c for c in pool.map(lambda n: complaint(tree.root, compiler, n, flags[room]), headers) if c]
        tap.line(not complaints, f"/style/headers/{room}", complaints)
    bad = made({"engine/base/a.h": "void f (gsize n);\n"})
    good = made({"engine/base/a.h": "#include <glib.h>\nvoid f (gsize n);\n"})
    seen = complaint(bad.root, compiler, "engine/base/a.h", flags_of("engine"))
    clean = complaint(good.root, compiler, "engine/base/a.h", flags_of("engine"))
    tap.line(bool(seen) and not clean, "/style/headers/can-fail", [clean] if clean else [])
    tap.end()


if __name__ == "__main__":
    main()
