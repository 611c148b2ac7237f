# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that sends what it must not (hostile.py): each time a sentence or a proper layer, never a crash or a changed picture. Runs
inside GIMP with the fake engine. ATTACKS: how many random ones (default 20)."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hostile  # noqa: E402
from painters import PAINTERS  # noqa: E402
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])


def check_attack(tap, image, user, number, painter):
    (FAKE / "attack").write_text(str(number))
    image.clean_all()
    before = state(image)
    status, said = PAINTERS[painter](image, [user], 1)
    made, dirty = new_layers(image), image.is_dirty()
    if status == DONE:
        # what was sent was harmless: then all is as if nothing had been wrong
        good = len(made) == 1 and np.isfinite(read(made[0], None, SEEN)).all()
        for layer in made:
            image.remove_layer(layer)
    else:
        good = not made and not dirty and said.strip().endswith((".", "!")) and "\n" not in said
    tap.check(f"{painter}, {hostile.attack_of(number)[0]}", good and state(image) == before, (status, said, len(made), dirty))
    return status != DONE


def main():
    tap, refused = Tap(), 0
    image = new_image("u16")
    user = new_layer(image, "user's", 97, 71)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
    (FAKE / "mode").write_text("hostile")
    count = len(hostile.CRAFTED) + int(os.environ.get("ATTACKS", "20"))
    for number in range(count):
        if not os.environ.get("CASE") or os.environ["CASE"] in hostile.attack_of(number)[0]:
            # what a generated picture lacks (a region, a mask) is attacked in a fill
            crafted = number < len(hostile.CRAFTED)
            refused += check_attack(tap, image, user, number, "fill" if crafted or number % 2 else "generate")
    tap.check("most of them are refused", refused > count * 0.6 or os.environ.get("CASE"), (refused, count))
    (FAKE / "mode").write_text("paint")
    status, said = fill(image, [user], prompt="x")
    tap.check("after all that, a job works", status == DONE and len(new_layers(image)) == 1, said)
    image.delete()
    tap.end()


main()
