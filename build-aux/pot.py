#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""pot.py ROOT [LANGUAGE…], pot.py --template ROOT FILE: the template of the strings to translate, po/pentimento.pot, and the catalogues brought up to it.

Every catalogue po/*.po is merged with the template: new strings are empty, changed ones fuzzy, gone ones dropped. A language that is
named and has no catalogue gets one. The last lines count what is left to do. A finished language's word goes into po/LINGUAS, from then
on it is built and tests keep it complete. --template writes the template alone, to FILE.
"""

import re
import subprocess
import sys
from pathlib import Path

# What marks a string. Functions of a single argument; "pass" lets a format's mark reach through.
XGETTEXT = ["--from-code=UTF-8", "--add-comments=Translators", "--add-location=file", "--no-wrap",
            "--package-name=pentimento", "--copyright-holder=The Pentimento authors", "--msgid-bugs-address=the Pentimento authors",
            "--keyword=_", "--keyword=N_", "--keyword=C_:1c,2", "--keyword=NC_:1c,2", "--keyword=g_dngettext:2,3",
            "--keyword=ngettext:1,2", "--flag=_:1:pass-c-format", "--flag=N_:1:pass-c-format", "--flag=ngettext:1:pass-c-format",
            "--flag=g_dngettext:2:pass-c-format", "--flag=g_strdup_printf:1:c-format", "--flag=g_set_error:4:c-format",
            "--flag=g_string_append_printf:2:c-format"]
METAINFO = "data/metainfo/org.gimp.GIMP.Plugin.Pentimento.metainfo.xml.in"


def tracked(root):
    """The files of the checkout; all files where there is no git."""
    if (root / ".git").exists():
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others",
                                 "--exclude-standard"], capture_output=True, text=True, check=True).stdout
        return sorted(name for name in listed.split("\0") if name and (root / name).is_file())
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def sources(root):
    """Files that strings are taken from: those of POTFILES.in, the engine as a whole without its command line, and the metainfo."""
    listed = [line.split("#")[0].strip() for line in (root / "po/POTFILES.in").read_text(encoding="utf-8").splitlines()]
    engine = [name for name in tracked(root) if re.fullmatch(r"engine/(?!cli/).*\.c", name)]
    return [name for name in listed if name] + engine + [METAINFO]


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"dev: {command[0]} failed: {done.stderr.strip()}")
    return done


def extract(root, pot):
    """Writes the template; returns xgettext's remarks."""
    names = sources(root)
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        sys.exit(f"dev: po/POTFILES.in lists {missing[0]}, which does not exist: take the line out.")
    remarks = run("xgettext", *XGETTEXT, "--directory", root, "--output", pot, *names).stderr
    # The time of the run would make a change of every run.
    text = re.sub(r'"POT-Creation-Date: .*?\\n"\n', "", pot.read_text(encoding="utf-8"))
    pot.write_text(text, encoding="utf-8")
    return remarks


def main():
    if sys.argv[1] == "--template":
        extract(Path(sys.argv[2]).resolve(), Path(sys.argv[3]))
        return
    root, languages = Path(sys.argv[1]).resolve(), sys.argv[2:]
    po = root / "po"
    pot = po / "pentimento.pot"
    print(extract(root, pot), end="", file=sys.stderr)
    for language in languages:
        if not re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", language):
            sys.exit(f"dev: a language is named as in de or zh_CN, not '{language}'.")
        if not (po / f"{language}.po").exists():
            run("msginit", "--no-translator", "--no-wrap", f"--locale={language}.UTF-8", "--input", pot, "--output", po / f"{language}.po")
    for catalogue in sorted(po.glob("*.po")):
        run("msgmerge", "--quiet", "--no-wrap", "--add-location=file", "--backup=none", "--update", catalogue, pot)
        run("msgattrib", "--no-obsolete", "--no-wrap", "--add-location=file", "--output", catalogue, catalogue)
        left = run("msgfmt", "--statistics", "--output", "/dev/null", catalogue).stderr.strip()
        print(f"{catalogue.name}: {left}")
    print(f"{pot.relative_to(root)}: {len(re.findall('^msgid ', pot.read_text(encoding='utf-8'), re.M)) - 1} strings from {len(sources(root))} files")


if __name__ == "__main__":
    main()
