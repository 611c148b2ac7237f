# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which an engine can fail the plug-in: a sentence each time, the picture as it was, and the next job works. Runs
inside GIMP with the fake engine."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from painters import PAINTERS  # noqa: E402
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])
# mode of the fake engine: what the sentence must say
FAULTS = {
    "die": "stopped before it was done",
    "truncated": "stopped before it was done",
    "huge": "4294967296 bytes",
    "not-numbers": "does not fit",
    "misplaced": "does not fit its place",
    "error": "needs 9 GB",
    "nonsense": "no message",
    "early-done": "fewer pictures",
}
# these show when the engine is started, not when it gets a job
AT_START = {
    "version": "protocol 99",
    "quit": "no wish to serve",
}


def end_engine():
    pid = FAKE / "pid"
    if pid.exists():
        try:
            os.kill(int(pid.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            pass
        pid.unlink()
        time.sleep(0.2)


def check_fault(tap, image, user, mode, words, painter="fill"):
    (FAKE / "mode").write_text(mode)
    image.clean_all()
    before, flat = state(image), flattened(image)
    start = time.monotonic()
    status, said = PAINTERS[painter](image, [user], 1)
    same = state(image) == before and not new_layers(image) and (flattened(image) == flat).all() and not image.is_dirty()
    one_sentence = said.endswith((".", "!")) and "\n" not in said
    tap.check(f"{painter}, {mode}: a sentence, and the picture as it was", status != DONE and words in said and same and one_sentence, (said, same))
    return time.monotonic() - start


def main():
    tap = Tap()
    image = new_image("u8")
    user = new_layer(image, "user's", 97, 71)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    for mode, words in FAULTS.items():
        check_fault(tap, image, user, mode, words)
    for painter in ("edit", "generate", "modes"):
        for mode in ("die", "not-numbers", "error"):
            check_fault(tap, image, user, mode, FAULTS[mode], painter)
    for mode, words in AT_START.items():
        end_engine()
        check_fault(tap, image, user, mode, words)
    end_engine()
    (FAKE / "mode").write_text("paint")
    status, said = fill(image, [user], prompt="x")
    tap.check("after all that, a job works", status == DONE and len(new_layers(image)) == 1, said)
    image.delete()
    tap.end()


main()
