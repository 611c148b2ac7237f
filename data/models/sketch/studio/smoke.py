# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m studio.smoke FOLDER [TARGET…]: every target for a few steps on a few scenes, stopped once and gone on with, then
exported. Proves that the recipe runs, says nothing of quality. A minute or two on a CPU."""
import sys
import time

import torch

from . import checks
from .export import ORDER, export
from .prepare import prepare
from .train import arguments, train


LEAN = ("--optimizer", "muon", "--attend", "0.05", "--name", "0.05", "--easy", "0.6", "--pairs", "0.5", "--close", "0.5", "--things", "2", "--grow", "0")  # the options of the plan for processors


def main():
    folder, only = sys.argv[1], sys.argv[2:]
    torch.set_num_threads(1)
    checks.main()
    prepare(folder + "/data", {"scenes": 96, "edits": 24, "judge": 48}, 1)
    for target in only or ORDER:
        start = time.time()
        for steps in (2, 4):  # the second call goes on from the first one's checkpoint
            train(arguments([target, folder + "/work", "--data", folder + "/data", "--model", folder + "/model", "--minutes", "60", "--steps", str(steps),
                             "--batch", "8", "--rows", "48", "--device", "cpu", *(LEAN if target in ("joint", "base") else ())]))
        export(folder + "/work", folder + "/model", target)
        print(f"{target}: {time.time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
