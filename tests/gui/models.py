#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""models.py SHOTS: the dialog of models in a real GIMP, with the real engine, folders of other programs and a web server of its own. TAP;
screenshots go to the folder SHOTS.

Runs inside tests/plugin/gimp-env.sh --gui.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in ("plugin", "cli", "download"):
    sys.path.insert(0, str(HERE.parent / folder))

import lists  # noqa: E402
from fill import picture  # noqa: E402
from gui import Gimp, run, wait_for  # noqa: E402
from server import Site  # noqa: E402
from tap import Tap  # noqa: E402

TITLE = "^Models$"
HOME = Path(os.environ["HOME"])
OWN = HOME / ".local/share/pentimento/models"
ROWS = lists.read()
FILES = {"ComfyUI/models/checkpoints/dreamscape_v2.safetensors": "sd1-checkpoint",
         "ComfyUI/models/checkpoints/landscape-inpainting.safetensors": "sd1-inpaint",
         "ComfyUI/models/loras/watercolour.safetensors": "lora-kohya-sd1",
         "ComfyUI/models/controlnet/canny-union.safetensors": "controlnet-union",
         "stable-diffusion-webui/models/Stable-diffusion/sd_xl_base.safetensors": "sdxl-checkpoint",
         "stable-diffusion-webui/models/Lora/felt toys.safetensors": "lora-kohya-sdxl",
         "stable-diffusion-webui/models/VAE/kl-f8.safetensors": "vae-ldm",
         ".local/share/pentimento/models/controlnet/control_v11p_sd15_canny.safetensors": "controlnet-sd1"}


def put_files():
    for name, rows in FILES.items():
        path = HOME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lists.write(path, ROWS[rows])
    (HOME / "stable-diffusion-webui/models/Stable-diffusion/old-model.ckpt").write_bytes(b"\x80\x02}q\x01(X\x05\x00\x00\x00stateq\x02K\x01u.")


def put_catalogue(site, data):
    """In place of the shipped one: entries that this machine's server has."""
    path = Path(os.environ["PMT_PLUGIN_STAGE"]) / "pentimento/data/catalogue.json"
    shipped = json.loads(path.read_text())
    mine = []
    for number, (title, sha) in enumerate((("A LoRA of the test", hashlib.sha256(data).hexdigest()), ("Another of the test", None))):
        entry = dict(shipped["models"][0], id=f"test{number}", title=title, kind="lora", purpose="Follows edges", folder="loras", file=f"test{number}.safetensors",
                     url=site.put(f"/{number}", data, ("slow", 5_000)), bytes=len(data), sha256=sha)
        mine.append(entry)
    path.unlink()
    path.write_text(json.dumps({"version": 1, "models": mine + shipped["models"]}))


class Models:
    def __init__(self, gimp, site):
        self.gimp, self.site = gimp, site

    def open(self):
        self.gimp.act("plug-in-pentimento-models")
        return self.gimp.ready(self.gimp.window(TITLE))

    def close(self, dialog):
        self.gimp.keys(dialog, "Escape")  # empties the search, if the focus is there
        time.sleep(0.5)
        if self.gimp.windows(TITLE):
            self.gimp.keys(dialog, "Escape")
        self.gimp.gone(TITLE)


def cached():
    """Names of the files that the last search has seen; the search writes them at its end."""
    path = Path(os.environ["XDG_CACHE_HOME"]) / "pentimento/models.json"
    return set(json.loads(path.read_text())["files"]) if path.exists() else set()


def case_list(s, tap):
    dialog = s.open()
    wait_for("end of the search", lambda: len(cached()) == len(FILES) + 1, 30)
    time.sleep(0.7)
    s.gimp.shot("models", dialog)
    s.gimp.keys(dialog, "alt+s")
    s.gimp.type(dialog, "lora xl")
    time.sleep(0.7)
    s.gimp.shot("models-search", dialog)
    s.gimp.keys(dialog, "ctrl+a", "BackSpace")
    s.gimp.type(dialog, "union")
    time.sleep(0.5)
    s.gimp.keys(dialog, "Tab", "Tab", "Down", "Up", "space")
    time.sleep(0.5)
    s.gimp.shot("models-problem", dialog)
    tap.check("the dialog is there and the search has seen every file", bool(s.gimp.windows(TITLE)))
    s.close(dialog)
    warnings = [line for line in s.gimp.log.read_text(errors="replace").splitlines() if "nemonic" in line or "CRITICAL" in line]
    tap.check("no warning of the toolkit", not warnings, warnings)


def case_default(s, tap):
    """Use for Fill and Generate: both dialogs start with that model."""
    dialog = s.open()
    s.gimp.keys(dialog, "alt+s")
    s.gimp.type(dialog, "dreamscape")
    time.sleep(0.7)
    s.gimp.keys(dialog, "Tab", "Tab", "Down", "Up", "space")
    time.sleep(0.3)
    s.gimp.keys(dialog, "alt+u")
    kept = Path(os.environ["GIMP3_DIRECTORY"]) / "pentimento"
    wait_for("kept settings", lambda: (kept / "plug-in-pentimento-generate.last").exists(), 10)
    time.sleep(0.5)
    s.gimp.shot("models-default", dialog)
    texts = [(kept / f"plug-in-pentimento-{name}.last").read_text() for name in ("fill", "generate", "expand", "refine")]
    tap.check("Fill, its modes and Generate keep the chosen model", all("dreamscape_v2.safetensors" in text for text in texts), texts)
    tap.check("Edit does not", not (kept / "plug-in-pentimento-edit.last").exists())
    s.close(dialog)
    s.gimp.act("plug-in-pentimento-fill")
    fill = s.gimp.window("^Fill Selection$")
    time.sleep(1.5)
    s.gimp.shot("models-fill", fill)
    s.gimp.keys(fill, "Escape")
    s.gimp.gone("^Fill Selection$")


def case_folders(s, tap):
    """A folder is switched off by keyboard; the list of folders that the command line uses is the same."""
    dialog = s.open()
    s.gimp.keys(dialog, "alt+o")
    time.sleep(0.5)
    s.gimp.shot("models-folders", dialog)
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "pentimento/models.json"
    s.gimp.keys(dialog, "Tab", "Down", "Down", "space")
    time.sleep(0.3)
    if not config.exists():  # the box has its own cell
        s.gimp.keys(dialog, "Home", "Down", "Left", "space")
    wait_for("written list", config.exists, 10)
    time.sleep(1)
    s.gimp.shot("models-folder-off", dialog)
    off = [entry["path"] for entry in json.loads(config.read_text())["folders"] if not entry["use"]]
    engine = Path(os.environ["PMT_PLUGIN_STAGE"]) / "pentimento/pentimento-engine"
    told = subprocess.run([engine, "models", "--folders"], capture_output=True, text=True, check=True).stdout
    tap.check("one folder is off, on the command line too", len(off) == 1 and any("off" in line and off[0] in line for line in told.splitlines()), told)
    config.unlink()
    s.close(dialog)


def case_download(s, tap, data):
    """Nothing goes out until Download is pressed; Stop keeps what has come; the next press goes on; the file is on the list."""
    dialog = s.open()
    for page in ("alt+g", "alt+o", "alt+m", "alt+g"):
        s.gimp.keys(dialog, page)
        time.sleep(0.4)
    s.gimp.keys(dialog, "Tab", "Home", "space")
    time.sleep(1)
    s.gimp.shot("models-get", dialog)
    tap.check("all that was done so far, and looking at the catalogue, asks no server", s.site.seen == [], s.site.seen)
    s.gimp.keys(dialog, "alt+d")
    wait_for("request", lambda: s.site.seen, 10)
    time.sleep(1.5)
    s.gimp.shot("models-loading", dialog)
    part = OWN / "loras/test0.safetensors.part"
    tap.check("Download asks for it once, and it comes", len(s.site.seen) == 1 and part.exists() and part.stat().st_size > 0, s.site.seen)
    s.gimp.keys(dialog, "Escape")
    question = s.gimp.window("^Stop the download", 10)
    s.gimp.shot("models-close", question)
    s.gimp.keys(question, "Return")
    s.gimp.gone("^Stop the download")
    tap.check("closing in mid-download asks first, and Return stays", bool(s.gimp.windows(TITLE)))
    s.gimp.keys(dialog, "alt+t")
    time.sleep(0.7)
    s.gimp.shot("models-stopped", dialog)
    there = part.stat().st_size
    tap.check("Stop keeps what has come", 0 < there < len(data))
    s.gimp.keys(dialog, "alt+d")
    target = OWN / "loras/test0.safetensors"
    wait_for("file", target.exists, 30)
    time.sleep(1.5)
    s.gimp.shot("models-loaded", dialog)
    tap.check("Download goes on and checks", s.site.seen[-1][1].get("Range") == f"bytes={there}-" and target.read_bytes() == data, s.site.seen)
    s.gimp.keys(dialog, "alt+m")
    s.gimp.keys(dialog, "alt+s")
    s.gimp.type(dialog, "test0")
    time.sleep(0.7)
    s.gimp.shot("models-new", dialog)
    tap.check("the search has seen it", any(path.endswith("test0.safetensors") for path in cached()), cached())
    s.close(dialog)


def case_consent(s, tap):
    """Without a checksum, Download waits for the user's word."""
    dialog = s.open()
    s.gimp.keys(dialog, "alt+g")
    time.sleep(0.4)
    s.gimp.keys(dialog, "Tab", "Home", "Down", "space")
    time.sleep(0.5)
    before = len(s.site.seen)
    s.gimp.keys(dialog, "alt+d")
    time.sleep(1)
    s.gimp.shot("models-consent", dialog)
    tap.check("without consent nothing is asked", len(s.site.seen) == before, s.site.seen)
    s.gimp.keys(dialog, "alt+i", "alt+d")
    wait_for("file", (OWN / "loras/test1.safetensors").exists, 30)
    tap.check("with consent it comes", len(s.site.seen) == before + 1)
    time.sleep(1)
    s.close(dialog)


def case_import(s, tap):
    """By the file chooser, as a link."""
    source = HOME / "downloads/ink.safetensors"
    source.parent.mkdir(exist_ok=True)
    lists.write(source, ROWS["lora-kohya-sd1"])
    dialog = s.open()
    s.gimp.keys(dialog, "alt+i")
    chooser = s.gimp.window("^Import Models$")
    time.sleep(1)
    s.gimp.type(chooser, "/")
    time.sleep(0.5)
    s.gimp.keys(chooser, "ctrl+a")
    s.gimp.type(chooser, str(source))
    time.sleep(0.7)
    s.gimp.keys(chooser, "Return")
    time.sleep(1.2)
    question = s.gimp.window("^Import Models$")
    s.gimp.shot("models-import", question)
    s.gimp.keys(question, "alt+l")
    wait_for("link", (OWN / "loras/ink.safetensors").is_symlink, 20)
    time.sleep(1.5)
    s.gimp.shot("models-imported")
    tap.check("the file is linked where LoRAs belong", (OWN / "loras/ink.safetensors").resolve() == source.resolve())
    s.close(dialog)


def drag(s, dialog, paths, shot):
    """From a window of another program onto the dialog, with the mouse; the question of whether to import is agreed to."""
    with subprocess.Popen([sys.executable, HERE / "drag-source.py", *paths], stdout=subprocess.PIPE, text=True) as other:
        try:
            other.stdout.readline()  # its window is there
            window = s.gimp.window("^Drag source$")
            time.sleep(0.7)
            run("xdotool", "windowmove", "--sync", window, "20", "20")
            run("xdotool", "windowmove", "--sync", dialog, "300", "200")
            time.sleep(0.5)
            run("xdotool", "mousemove", "60", "80", "mousedown", "1")
            for x, y in ((70, 90), (120, 120), (300, 300), (500, 400), (600, 420), (610, 430)):
                run("xdotool", "mousemove", str(x), str(y))
                time.sleep(0.15)
            s.gimp.shot(shot)
            run("xdotool", "mouseup", "1")
            question = s.gimp.window("^Import Models$")
            time.sleep(0.5)
            s.gimp.keys(question, "alt+o")
        finally:
            other.kill()


def case_drop(s, tap):
    """Files are dragged in from another program, with the mouse: a model is copied, a text refused with a sentence."""
    source = HOME / "downloads/pencil.safetensors"
    text = HOME / "downloads/notes.txt"
    lists.write(source, ROWS["lora-kohya-sd1"])
    text.write_text("no model")
    dialog = s.open()
    for path, name in ((source, "pencil"), (text, "notes")):
        drag(s, dialog, [path], f"models-drag-{name}")
        if path is source:
            wait_for("copy", (OWN / "loras/pencil.safetensors").exists, 20)
            time.sleep(1)
    tap.check("a model that is dropped is copied where it belongs", (OWN / "loras/pencil.safetensors").stat().st_size == source.stat().st_size)
    time.sleep(1)
    s.gimp.shot("models-dropped", dialog)
    tap.check("a text is not", not list(OWN.rglob("notes*")))
    s.close(dialog)


def case_drop_several(s, tap):
    """Of several files one is no model: the others are imported all the same, and a window says which was not."""
    source, text = HOME / "downloads/brush.safetensors", HOME / "downloads/recipe.txt"
    lists.write(source, ROWS["lora-kohya-sd1"])
    text.write_text("no model")
    dialog = s.open()
    drag(s, dialog, [text, source], "models-drag-several")
    wait_for("copy", (OWN / "loras/brush.safetensors").exists, 20)
    time.sleep(1.5)
    told = s.gimp.window("^Import Models$")
    s.gimp.shot("models-import-problems", told)
    tap.check("the others are imported", (OWN / "loras/brush.safetensors").stat().st_size == source.stat().st_size)
    tap.check("the one that is no model is not", not list(OWN.rglob("recipe*")))
    s.gimp.keys(told, "Escape")
    s.close(dialog)


def main():
    tap = Tap()
    folder = Path(os.environ["PMT_GIMP_TMP"])
    put_files()
    data = lora_bytes(folder)
    site = Site()
    put_catalogue(site, data)
    # a request to any other place would come to the server too, as its proxy
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "ftp_proxy"), site.url)
    with Gimp(picture(folder), sys.argv[1], no_proxy="127.0.0.1", **proxy) as gimp:
        session = Models(gimp, site)
        for case in (case_list, case_default, case_folders):
            tap.run(case, session)
        tap.run(lambda s, t: case_download(s, t, data), session)
        for case in (case_consent, case_import, case_drop, case_drop_several):
            tap.run(case, session)
    site.close()
    tap.end()


def lora_bytes(folder):
    """A megabyte of a LoRA: a few of its tensors."""
    rows = ROWS["lora-kohya-sd1"][:3]
    path = folder / "small.safetensors"
    lists.write(path, rows + [("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "F32", [400, 320, 1, 1]),
                              ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", "F32", [320, 400, 1, 1])])
    return path.read_bytes()


if __name__ == "__main__":
    main()
