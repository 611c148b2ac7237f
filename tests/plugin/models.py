# SPDX-License-Identifier: GPL-3.0-or-later
"""plug-in-pentimento-models without a window: the paths of what works; a broken list of folders is told. Runs inside GIMP."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import gi  # noqa: E402
import lists  # noqa: E402

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402
from tap import Tap  # noqa: E402


def ask():
    """Status, paths and what was said."""
    pdb = Gimp.get_pdb()
    procedure = pdb.lookup_procedure("plug-in-pentimento-models")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    result = procedure.run(config)
    status = result.index(0)
    return status, list(result.index(1)) if status == Gimp.PDBStatusType.SUCCESS else [], pdb.get_last_error()


def main():
    tap = Tap()
    rows = lists.read()
    home = Path(os.environ["HOME"])
    folder = home / "ComfyUI/models/loras"
    status, paths, said = ask()
    tap.check("no models, no picture: an empty list", status == Gimp.PDBStatusType.SUCCESS and paths == [], (status, paths, said))
    folder.mkdir(parents=True)
    good = lists.write(folder / "good.safetensors", rows["lora-kohya-sd1"])
    lists.write(folder / "cut.safetensors", rows["lora-kohya-sd1"], cut=100)
    status, paths, said = ask()
    tap.check("what works is returned, what does not is not", paths == [good], (status, paths, said))
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "pentimento/models.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("{")
    status, paths, said = ask()
    tap.check("a list of folders that cannot be read is told", status == Gimp.PDBStatusType.EXECUTION_ERROR and "models.json" in said, (status, said))
    tap.end()


main()
