#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_install.py ROOT BUILD: ./dev install and uninstall in homes made for it; the Flatpak's manifest and the metainfo. TAP."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT, BUILD = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests/style"))
from tree import Tap  # noqa: E402

PROFILES = [".config/GIMP/3.0", ".config/GIMP/3.2", ".var/app/org.gimp.GIMP/config/GIMP/3.0", "snap/gimp/current/.config/GIMP/3.0"]
PARTS = ["pentimento", "pentimento-engine", "locale", "data/help/en/gimp-help.xml", "data/clip/merges.txt.gz",
         "data/models/sketch/unet_fill/config.json"]
MANIFEST = ROOT / "build-aux/flatpak/org.gimp.GIMP.Plugin.Pentimento.json"
METAINFO = BUILD / "data/org.gimp.GIMP.Plugin.Pentimento.metainfo.xml"


def job(home, *words):
    """A job of install.sh with the build as it is: (status, what it says)."""
    script = f'''set -eu
root={ROOT} build={BUILD} place=host
say() {{ echo "dev: $*" >&2; }}
die() {{ say "$*"; exit 1; }}
. "$root/build-aux/place.sh"
. "$root/build-aux/install.sh"
job_build() {{ :; }}
export PENTIMENTO_PLACE=host
"$@"'''
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    done = subprocess.run(["bash", "-c", script, "bash", *words], env=dict(env, HOME=str(home)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def report(tap, good, name, remarks):
    tap.line(good, name, [] if good else remarks)


def installed(home):
    return sorted(str(path.parent.parent.relative_to(home)) for path in home.glob("**/plug-ins/pentimento"))


def check_profiles(home, tap):
    for name in PROFILES:
        (home / name).mkdir(parents=True)
    (home / ".config/GIMP/2.10").mkdir()
    own = home / PROFILES[0] / "plug-ins" / "other" / "other"
    own.parent.mkdir(parents=True)
    own.write_text("the user's own")
    status, said = job(home, "job_install")
    report(tap, status == 0 and installed(home) == sorted(PROFILES), "/install/every-profile", [said, *installed(home)])
    folder = home / PROFILES[0] / "plug-ins" / "pentimento"
    missing = [part for part in PARTS if not (folder / part).exists()]
    report(tap, not missing and not any(path.is_symlink() for path in folder.rglob("*")), "/install/whole", missing)
    report(tap, all(name in said for name in PROFILES) and "flatpak GIMP 3.0" in said and "restart GIMP" in said, "/install/report", [said])
    status, again = job(home, "job_install")
    report(tap, status == 0 and not list(home.glob("**/.pentimento.new")), "/install/twice", [again])
    status, said = job(home, "job_uninstall")
    report(tap, status == 0 and not installed(home) and own.exists(), "/install/uninstall", [said, *installed(home)])
    status, said = job(home, "job_uninstall")
    report(tap, status == 0 and "nothing to take out" in said, "/install/uninstall-nothing", [said])


def check_first(home, tap):
    status, said = job(home, "job_install")
    found = installed(home)
    report(tap, status == 0 and len(found) == 1 and found[0].startswith(".config/GIMP/3."), "/install/no-profile-yet", [said, *found])
    plugins = home / found[0] / "plug-ins"
    shutil.rmtree(plugins)
    plugins.write_text("a file in the way")
    status, said = job(home, "job_install")
    report(tap, status == 1 and "could not be put into" in said, "/install/refused", [said])
    status, said = job(home, "job_install", "there")
    report(tap, status == 1 and "takes no arguments" in said, "/install/arguments", [said])


def check_flatpak(tap):
    shown = subprocess.run(["flatpak-builder", "--show-manifest", str(MANIFEST)], capture_output=True, text=True, check=False)
    report(tap, shown.returncode == 0, "/install/flatpak-builder", shown.stderr.splitlines())
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    prefix = "/app/extensions/Pentimento"
    wrong = [name for name, value in {"id": "org.gimp.GIMP.Plugin.Pentimento", "branch": "3", "runtime": "org.gimp.GIMP",
                                      "runtime-version": "stable", "build-extension": True}.items() if manifest.get(name) != value]
    if manifest["build-options"]["prefix"] != prefix:
        wrong.append("prefix")
    sources = [source for module in manifest["modules"] for source in module["sources"]]
    wrong += [f"{source.get('url')} has no checksum" for source in sources if source["type"] == "archive" and len(source.get("sha256", "")) != 64]
    wrong += [f"{source['path']} is not there" for source in sources if source["type"] == "dir" and not (MANIFEST.parent / source["path"]).is_dir()]
    options = (ROOT / "meson_options.txt").read_text(encoding="utf-8")
    for module in manifest["modules"]:
        for option in module.get("config-opts", []):
            name = option.removeprefix("-D").split("=")[0]
            if module["name"] == "pentimento" and f"'{name}'" not in options:
                wrong.append(f"meson has no option {name}")
    report(tap, not wrong, "/install/flatpak-extension", wrong)


def check_help(tap):
    """Every procedure that the plug-in's sources name has a page in every language, and no link leads nowhere."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugin").glob("*.[ch]"))
    named = set(re.findall(r'"(plug-in-pentimento-[a-z-]+)"', sources))
    wrong = []
    for index in (ROOT / "data/help").glob("*/gimp-help.xml"):
        pages = {item.get("id"): item.get("ref") for item in ElementTree.parse(index).getroot().iter("help-item")}
        wrong += [f"{index.parent.name} has no page for {name}" for name in sorted(named - set(pages))]
        wrong += [f"{index.parent.name} has a page for {name}, which is no procedure" for name in sorted(set(pages) - named)]
        targets = {(index, ref) for ref in pages.values()}
        for page in index.parent.glob("*.html"):
            targets |= {(page, target) for target in re.findall(r'(?:href|src)="([^":#]+)', page.read_text(encoding="utf-8"))}
        wrong += [f"{page.name} leads to {target}, which is not there" for page, target in sorted(targets) if not (page.parent / target).is_file()]
    report(tap, len(named) > 5 and not wrong, "/install/help", wrong)
    nameless = re.findall(r"gimp_procedure_set_documentation \(procedure, [^;]*?NULL\);", re.sub(r'"(?:[^"\\]|\\.)*"', '""', sources))
    report(tap, not nameless, "/install/help-ids", nameless)


def check_metainfo(tap):
    # No address of a home page is known; everything else has to be right.
    done = subprocess.run(["appstreamcli", "validate", "--no-net", "--override", "url-homepage-missing=info", str(METAINFO)],
                          capture_output=True, text=True, check=False)
    report(tap, done.returncode == 0, "/install/metainfo", (done.stdout + done.stderr).splitlines())


def main():
    tap = Tap()
    for check in (check_profiles, check_first):
        with tempfile.TemporaryDirectory() as home:
            check(Path(home), tap)
    check_help(tap)
    check_flatpak(tap)
    check_metainfo(tap)
    tap.end()


if __name__ == "__main__":
    main()
