#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""catalogues.py ROOT: what people read is marked for translation, and every language in po/LINGUAS is complete. TAP.

Each check is also shown to be able to fail. What it asks of a catalogue: msgfmt has nothing against it; it has every string of the
sources, none empty or fuzzy; formats, mnemonics, ellipses and full stops agree; a label's mnemonic stays one character.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tree import Tap, Tree
from words import unmarked

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build-aux"))
import pot as template  # noqa: E402

# Rooms of the engine that speak to programs and to the command line, which is English.
ENGLISH = ("engine/cli/", "engine/serve/", "engine/kernels/", "engine/base/cpu.c")
# A file format of another program's, which is English as well.
FORMATS = {"plugin/recipe-text.c"}
PUNCTUATION = {"…": ("…", "……"), ".": (".", "。"), ":": (":", "：", " :", "\u00a0:", "\u202f:"), "?": ("?", "？")}
MNEMONIC = re.compile(r"_(?=[^\W_])")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def sources(tree):
    for name in tree.names:
        if Path(name).suffix != ".c" or name.startswith("tests/"):
            continue
        if name.startswith(("plugin/", "ui/")) and name not in FORMATS:
            for line, text in unmarked(tree.text(name)):
                yield f"{name}:{line} has no _() around “{text}”"
        elif name.startswith("engine/") and not name.startswith(ENGLISH):
            for line, text in unmarked(tree.text(name), {"g_set_error", "g_set_error_literal"}):
                # a fault of our own, which the user is asked to report as it stands
                if "report this" in text:
                    continue
                if "PMT_ERROR_INTERNAL" not in "\n".join(tree.text(name).splitlines()[max(0, line - 3):line]):
                    yield f"{name}:{line} has no _() around “{text}”"


def entries(path):
    """{(context, id): (flags, [translations])} of a catalogue, without its header and what is obsolete."""
    found, flags, fields, field = {}, set(), {}, None

    def done():
        if fields.get("msgid"):
            texts = [text for name, text in sorted(fields.items()) if name.startswith("msgstr")]
            found[fields.get("msgctxt"), fields["msgid"]] = (set(flags), texts)
        flags.clear()
        fields.clear()

    for line in Path(path).read_text(encoding="utf-8").splitlines() + [""]:
        if line.startswith("#,"):
            flags.update(word.strip() for word in line[2:].split(","))
        elif line.startswith("msg"):
            field, rest = line.split(" ", 1)
            fields[field] = STRING.match(rest).group(1)
        elif line.startswith('"'):
            fields[field] += STRING.match(line).group(1)
        elif not line.strip():
            done()
    return found


def mnemonic_of(text):
    """The letters that follow a mnemonic's underscore."""
    return [text[found.end()].lower() for found in MNEMONIC.finditer(text)]


def disagreements(source, text):
    """Sentences on what a translation does otherwise than its source."""
    if not text:
        yield "is not translated"
        return
    end = source[-1]
    if end in PUNCTUATION and not text.endswith(PUNCTUATION[end]):
        yield f"does not end with “{end}”"
    if end not in PUNCTUATION and text[-1] in "….。:：":
        yield f"ends with “{text[-1]}” and the source does not"
    label = len(mnemonic_of(source)) == 1 and len(source) < 60 and not re.search(r"[\w%]_\w+_|://", source)
    if label and len(mnemonic_of(text)) != 1:
        yield f"has {len(mnemonic_of(text))} mnemonics in place of one"
    if not mnemonic_of(source) and mnemonic_of(text):
        yield "has a mnemonic and the source has none"
    if source != source.strip() and (source[:1].isspace(), source[-1:].isspace()) != (text[:1].isspace(), text[-1:].isspace()):
        yield "has other spaces at its ends"


def catalogue(path, wanted):
    checked = subprocess.run(["msgfmt", "--check", "--output-file", "/dev/null", str(path)], capture_output=True, text=True, check=False)
    if checked.returncode:
        yield from checked.stderr.strip().splitlines()
    have = entries(path)
    for key in wanted:
        if key not in have:
            yield f"“{key[1]}” is not in it: ./dev pot brings it up to the sources"
    for key, (flags, texts) in have.items():
        if key not in wanted:
            yield f"“{key[1]}” is in no source: ./dev pot takes it out"
        elif "fuzzy" in flags:
            yield f"“{key[1]}” is fuzzy"
        else:
            yield from (f"the translation of “{key[1]}” {what}" for text in texts for what in disagreements(key[1], text))


def languages(root):
    lines = (root / "po/LINGUAS").read_text(encoding="utf-8").splitlines()
    return [word for line in lines for word in line.split("#")[0].split()]


HEAD = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
WANTED = {(None, "_Fill…"): None, (None, "There are %d."): None}
GOOD = HEAD + 'msgid "_Fill…"\nmsgstr "_Füllen…"\n\n#, c-format\nmsgid "There are %d."\nmsgstr "Es sind %d."\n'
BAD = {"empty": ('"_Füllen…"', '""'), "fuzzy": ("#, c-format", "#, fuzzy, c-format"), "format": ('"Es sind %d."', '"Es sind %s."'),
       "stop": ('"Es sind %d."', '"Es sind %d"'), "ellipsis": ("_Füllen…", "_Füllen"), "mnemonic": ("_Füllen…", "Füllen…"),
       "missing": ('msgid "_Fill…"\nmsgstr "_Füllen…"\n', ""), "extra": ("#, c-format", 'msgid "x"\nmsgstr "y"\n\n#, c-format')}


def can_fail():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "de.po"
        path.write_text(GOOD, encoding="utf-8")
        yield from (f"said without reason: {what}" for what in catalogue(path, WANTED))
        for name, (old, new) in BAD.items():
            path.write_text(GOOD.replace(old, new), encoding="utf-8")
            if not list(catalogue(path, WANTED)):
                yield f"nothing said about a catalogue with the fault “{name}”"
    for source, bad in (('f (_("Fill the selection"));', False), ('f ("Fill the selection");', True), ('g_warning ("Fill the selection");', False),
                        ('f ("fill-selection");', False), ('f (cond ? _("Yes") : "No");', False), ('f ("_Fill");', True)):
        if bool(list(unmarked(source))) != bad:
            yield f"wrong about {source}"


def main():
    tree, tap = Tree(sys.argv[1]), Tap()
    complaints = list(sources(tree))
    tap.line(not complaints, "/style/catalogues/sources", complaints)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pentimento.pot"
        remarks = template.extract(tree.root, path)
        tap.line(not remarks, "/style/catalogues/template", remarks.splitlines())
        wanted = entries(path)
    tap.line(len(wanted) > 100, "/style/catalogues/strings", [f"{len(wanted)} strings"])
    for language in languages(tree.root):
        complaints = list(catalogue(tree.root / "po" / f"{language}.po", wanted))
        tap.line(not complaints, f"/style/catalogues/{language}", complaints)
    complaints = list(can_fail())
    tap.line(not complaints, "/style/catalogues/can-fail", complaints)
    tap.end()


if __name__ == "__main__":
    main()
