#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""language.py: menu entries and the engine's own sentences come in GIMP's language, from the catalogue beside the program. TAP.

The catalogue is a small one made here, with words that are in no other. Runs inside tests/plugin/gimp-env.sh; the linked plug-in gives
way to a copy, put together as ./dev install does.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from tap import Tap  # noqa: E402

STAGE = Path(os.environ["PMT_PLUGIN_STAGE"])
BUILD = os.environ["PMT_BUILD_ROOT"]
HEAD = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
WORDS = {"_Fill Selection…": "Auswahl ausfüllen (Probe)…"}
# What the engine says of a model that is not there, found in the sources by its beginning.
SENTENCE = "There is no model at '%s'"

SCRIPT = """
from gi.repository import Gimp
image = Gimp.Image.new(64, 64, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "a", 64, 64, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
image.insert_layer(layer, None, 0)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 8, 8, 32, 32)
fill = Gimp.get_pdb().lookup_procedure("plug-in-pentimento-fill")
config = fill.create_config()
config.set_property("image", image)
config.set_core_object_array("drawables", [layer])
config.set_property("model", "/nowhere/at/all.safetensors")
config.set_property("prompt", "a")
fill.run(config)
print("menu:", fill.get_menu_label())
print("error:", Gimp.get_pdb().get_last_error())
"""


def source_of(beginning):
    """The engine's sentences as the sources have them."""
    root = HERE.parents[1]
    subprocess.run([sys.executable, str(root / "build-aux/pot.py"), "--template", str(root), str(STAGE.parent / "all.pot")], check=True)
    lines = (STAGE.parent / "all.pot").read_text(encoding="utf-8").splitlines()
    return [line[len('msgid "'):-1] for line in lines if line.startswith(f'msgid "{beginning}')]


def catalogue(words):
    path = STAGE.parent / "de.po"
    path.write_text(HEAD + "".join(f'msgid "{source}"\nmsgstr "{text}"\n\n' for source, text in words.items()), encoding="utf-8")
    target = STAGE / "pentimento" / "locale" / "de" / "LC_MESSAGES"
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["msgfmt", "-o", str(target / "pentimento.mo"), str(path)], check=True)


def gimp(locale):
    script = STAGE.parent / "language-script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(["gimp-batch", str(script)], env=dict(os.environ, LC_ALL=locale, PYTHONIOENCODING="utf-8"), capture_output=True,
                          text=True, encoding="utf-8", errors="replace", timeout=200, check=False)
    return done.stdout + done.stderr


def main():
    tap = Tap()
    shutil.rmtree(STAGE / "pentimento")
    subprocess.run([str(HERE.parents[1] / "build-aux/stage.sh"), "copy", BUILD, str(STAGE)], check=True)
    sentences = source_of(SENTENCE)
    tap.check("the engine has a sentence for a model that is not there", len(sentences) > 0, sentences)
    catalogue({**WORDS, **{text: "Probe: bei %s ist nichts." for text in sentences}})
    said = gimp("de_DE.UTF-8")
    tap.check("the menu entry is in the user's language", "menu: Auswahl ausfüllen (Probe)…" in said, said)
    tap.check("so is what the engine says", "error: Probe: bei /nowhere/at/all.safetensors ist nichts." in said, said)
    said = gimp("C.UTF-8")
    tap.check("another language beside it gets an engine of its own", "error: There is no" in said, said)
    tap.end()


if __name__ == "__main__":
    main()
