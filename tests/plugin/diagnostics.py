# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of plug-in-pentimento-diagnostics, with the fake engine. Runs inside GIMP."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403
from tap import Tap  # noqa: E402

FAKE = Path(os.environ["PMT_FAKE_FOLDER"])


def report(**arguments):
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-pentimento-diagnostics")
    config = procedure.create_config()
    for name, value in arguments.items():
        config.set_property(name, value)
    result = procedure.run(config)
    return result.index(1) if result.index(0) == DONE else f"failed: {result.index(1)}"


def case_report(tap):
    text = report()
    tap.check("without a job: versions, the engine's part, no log yet",
              text.startswith("Pentimento ") and f"GIMP {Gimp.version()}" in text and "engine: fake" in text and "(there is none)" in text, text)
    image = new_image("u8")
    user = new_layer(image, "user's", 97, 71)
    status, said = fill(image, [user], prompt="a very private fox", model="/media/anna/mix.safetensors", seed=4711)
    layer = new_layers(image)[0]
    text = report(layer=layer)
    tap.check("a layer's recipe without what is private", "4711" in text and "(18 characters)" in text and "fox" not in text and
              "anna" not in text and "/" not in text.split("What")[0].replace("and/or", "").split("GIMP", 1)[1], text)
    tap.check("the engine's last lines", "fake engine, mode paint" in text, text)
    whole = report(layer=layer, everything=True)
    tap.check("with it when it is asked for", "a very private fox" in whole and "/media/anna/mix.safetensors" in whole, whole)
    image.delete()


def main():
    tap = Tap()
    tap.run(case_report)
    tap.end()


main()
