#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""style.py ROOT: the checks of checks.py as TAP, two lines each: the tree keeps the rule; the check can fail."""

import sys

from checks import CHECKS
from tree import Tap, Tree, made


def main():
    tree, tap = Tree(sys.argv[1]), Tap()
    for name, (check, breaking, keeping) in CHECKS.items():
        complaints = list(check(tree))
        tap.line(not complaints, f"/style/{name}/kept", complaints)
        blind = [f"nothing said about {sorted(files)}" for files in breaking if not list(check(made(files)))]
        strict = [f"said without reason: {sentence}" for sentence in check(made(keeping))]
        tap.line(not blind and not strict, f"/style/{name}/can-fail", blind + strict)
    tap.end()


if __name__ == "__main__":
    main()
