#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""help.py SHOTS: F1 in each dialog opens its page in the browser. TAP.

The browser is a script that writes down what it is to show. Runs inside tests/plugin/gimp-env.sh --gui.
"""

import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "plugin"))

from dialogs import DIALOGS, close_dialog, open_dialog  # noqa: E402
from fill import IMAGE, picture                        # noqa: E402
from gui import Gimp, wait_for            # noqa: E402
from tap import Tap                       # noqa: E402


def browser(folder):
    """Makes a script the user's web browser; returns the file of addresses it was given."""
    shown = folder / "shown"
    script = folder / "bin" / "pmt-browser"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{shown}"\n', encoding="utf-8")
    script.chmod(0o755)
    applications = Path(os.environ["XDG_DATA_HOME"]) / "applications"
    applications.mkdir(parents=True, exist_ok=True)
    types = ("text/html", "x-scheme-handler/http", "x-scheme-handler/https", "x-scheme-handler/file")
    (applications / "pmt-browser.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nName=Browser\nExec={script} %u\nMimeType={';'.join(types)};\n", encoding="utf-8")
    config = Path(os.environ["XDG_CONFIG_HOME"])
    config.mkdir(parents=True, exist_ok=True)
    (config / "mimeapps.list").write_text("[Default Applications]\n" + "".join(f"{kind}=pmt-browser.desktop\n" for kind in types), encoding="utf-8")
    return shown


def page_of(address):
    """The page's file name if the address is a file that exists."""
    path = Path(unquote(urlparse(address).path))
    return path.name if path.is_file() and "Pentimento" in path.read_text(encoding="utf-8") else None


def case_dialog(gimp, shown, name, tap):
    dialog = DIALOGS[name]
    window = open_dialog(gimp, name)
    before = shown.read_text().count("\n") if shown.exists() else 0
    gimp.keys(window, "F1")
    wait_for("page", lambda: shown.exists() and shown.read_text().count("\n") > before, 40)
    address = shown.read_text().splitlines()[-1]
    tap.check(f"F1 in {name} opens {dialog.page}", page_of(address) == dialog.page, address)
    close_dialog(gimp, window)


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    fake = folder / "fake"
    fake.mkdir()
    shown = browser(folder)
    with Gimp(picture(folder), sys.argv[1], PENTIMENTO_ENGINE=str(HERE.parent / "plugin" / "fake-engine.py"), PMT_FAKE_FOLDER=str(fake)) as gimp:
        gimp.scheme("(gimp-image-select-ellipse " + IMAGE + " CHANNEL-OP-REPLACE 100 80 120 90)")
        for name in DIALOGS:
            tap.run(case_dialog, gimp, shown, name)
    tap.end()


if __name__ == "__main__":
    main()
