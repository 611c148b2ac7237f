# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the tree that a program can check. Each check takes a Tree and returns sentences, none when all is well.

CHECKS lists them; each entry also names a tiny tree that breaks the rule and one that keeps it, so that every check
is shown to be able to fail.
"""

import re
from pathlib import Path

HEAD = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"
SIZE_LIMIT = 40 * 1024
FUNCTION_LIMIT = 120

# Who may include whom. A room sees itself and the rooms of lower tiers; image needs base only.
TIERS = {"base": 0, "kernels": 1, "tensor": 2, "image": 2, "ops": 3, "optim": 3, "weights": 3, "text": 3,
         "nets": 4, "sample": 5, "methods": 6, "learn": 6, "job": 7, "serve": 8, "cli": 9}
ONLY = {"image": {"image", "base"}}
PUBLIC = "engine/include/pentimento/"
PROTOCOL = PUBLIC + "protocol.h"
# A library that one file alone may call.
CALLERS = {"cblas.h": "engine/kernels/blas.c", "oneapi/dnnl/dnnl.h": "engine/kernels/ceiling_dnnl.c",
           "libsoup/soup.h": "plugin/download.c"}


def room_of(name):
    parts = name.split("/")
    if parts[0] == "engine" and len(parts) > 2:
        return "public" if parts[1] == "include" else parts[1]
    return parts[0]


def resolved(tree, target):
    """An include's path from the root, for the two spellings of a public header."""
    if target.startswith("pentimento/"):
        return "engine/include/" + target
    return target


def may_include(room, target):
    other = room_of(target)
    if room == "tests":
        return True
    if room in TIERS:
        if room in ONLY:
            return other in ONLY[room] or target.startswith(PUBLIC)
        return target.startswith(PUBLIC) or other == room or (other in TIERS and TIERS[other] < TIERS[room])
    if room == "public":
        return target.startswith(PUBLIC)
    if room == "ui":
        return other == "ui"
    if room == "plugin":
        return other in ("plugin", "ui") or target == PROTOCOL
    return False


def includes(tree):
    generated = " ".join(tree.text(name) for name in tree.names if Path(name).name == "meson.build")
    known = set(tree.names)
    for name in tree.names:
        if Path(name).suffix not in (".c", ".h"):
            continue
        room = room_of(name)
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not found:
                continue
            quote, target = found.groups()
            where = f"{name}:{number}"
            if target in CALLERS and name != CALLERS[target]:
                yield f"{where} includes {target}, which is for {CALLERS[target]} alone"
            if quote == "<" and not target.startswith("pentimento/"):
                yield from foreign(room, where, target)
                continue
            path = resolved(tree, target)
            if path not in known:
                if f"'{Path(target).name}'" not in generated:
                    yield f"{where} includes \"{target}\", which is no path from the root of the tree"
            elif not may_include(room, path):
                yield f"{where} includes {path}, which its room may not see"


def foreign(room, where, target):
    """Libraries: GTK and libgimp stay out of the engine, libgimp out of the widgets."""
    gimp = target.startswith(("libgimp", "gegl", "babl"))
    gtk = target.startswith(("gtk/", "gdk/"))
    if gimp and room != "plugin" and room != "tests" or gtk and (room in TIERS or room == "public"):
        yield f"{where} includes <{target}>, which its room may not see"


def sizes(tree):
    for name in tree.code():
        if tree.size(name) > SIZE_LIMIT:
            yield f"{name} has {tree.size(name)} bytes, more than {SIZE_LIMIT}: split it"


def functions(tree):
    """Length of C functions, by the habit that their braces stand in the first column."""
    for name in tree.names:
        if Path(name).suffix != ".c":
            continue
        start = None
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start - 1 > FUNCTION_LIMIT:
                    yield f"{name}:{start} a function of {number - start - 1} lines, more than {FUNCTION_LIMIT}: split it"
                start = None


def licences(tree):
    for name in tree.written():
        if "SPDX-License-Identifier: GPL-3.0-or-later" not in "\n".join(tree.text(name).splitlines()[:3]):
            yield f"{name} does not say SPDX-License-Identifier: GPL-3.0-or-later in its first three lines"


# Joined from halves, so that this file keeps its own rule.
MACHINE = ["/wo" + "rk/", "/ro" + "ot/", "/home/" + r"[a-z]", "de" + "b.debian.org", "security.de" + "bian.org", "py" + "pi.org",
           "python" + "hosted.org", "registry.n" + "pmjs.org", "proxy.go" + "lang.org", "download.py" + "torch.org"]


def machine(tree):
    pattern = re.compile("|".join(part if "[" in part else re.escape(part) for part in MACHINE))
    # a path needs a start: "frame/work/" is none
    for name in tree.all_text():
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = pattern.search(line)
            if found and not (found.group().startswith("/") and found.start() and re.match(r"[\w.$}~-]", line[found.start() - 1])):
                yield f"{name}:{number} names a folder or a host of one machine: {found.group()}"


UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|for n" + r"ow)\b")


def unfinished(tree):
    for name in tree.all_text():
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            if UNFINISHED.search(line):
                yield f"{name}:{number} leaves something for later: {line.strip()[:80]}"


def potfiles(tree):
    """Every C file with a string to translate is in po/POTFILES.in or in the engine, and everything listed there exists."""
    listed = set()
    if "po/POTFILES.in" in tree.names:
        listed = {line.split("#")[0].strip() for line in tree.text("po/POTFILES.in").splitlines()} - {""}
    marked = re.compile(r'(?<!\w)(?:N_|_|C_|ngettext|g_dngettext) ?\(\s*"')
    for name in tree.names:
        if Path(name).suffix in (".c", ".h") and not name.startswith(("tests/", "engine/")):
            if marked.search(re.sub(r"/\*.*?\*/", "", tree.text(name), flags=re.S)) and name not in listed:
                yield f"{name} has strings to translate and is not in po/POTFILES.in"
    for name in sorted(listed - set(tree.names)):
        yield f"po/POTFILES.in lists {name}, which does not exist"


MESON = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
# name: (check, a tree that breaks the rule, a tree that keeps it)
CHECKS = {
    "includes": (includes, [
        {"engine/base/a.c": '#include "engine/ops/op.h"\n', "engine/ops/op.h": ""},
        {"engine/nets/a.c": '#include "engine/sample/run.h"\n', "engine/sample/run.h": ""},
        {"engine/image/a.c": '#include "engine/tensor/tensor.h"\n', "engine/tensor/tensor.h": ""},
        {"engine/ops/a.c": "#include <cblas.h>\n"},
        {"engine/ops/a.c": '#include "op.h"\n', "engine/ops/op.h": ""},
        {"engine/serve/a.c": "#include <gtk/gtk.h>\n"},
        {"ui/a.c": "#include <libgimp/gimp.h>\n"},
        {"ui/a.c": '#include "engine/include/pentimento/protocol.h"\n', PROTOCOL: ""},
        {"plugin/a.c": '#include "engine/base/error.h"\n', "engine/base/error.h": ""},
        {"plugin/a.c": "#include <pentimento/other.h>\n", PUBLIC + "other.h": ""},
    ], {
        "engine/base/a.c": '#include "engine/base/error.h"\n#include <glib.h>\n', "engine/base/error.h": "",
        "engine/ops/a.c": '#include "engine/base/error.h"\n', "tests/ops/a.c": '#include "engine/base/error.h"\n',
        "engine/kernels/blas.c": "#include <cblas.h>\n", PROTOCOL: "",
        "plugin/a.c": '#include "pentimento/protocol.h"\n#include "ui/w.h"\n#include <libgimp/gimp.h>\n', "ui/w.h": "",
    }),
    "sizes": (sizes, [{"engine/base/a.c": "x" * (SIZE_LIMIT + 1)}, {"dev": "x" * (SIZE_LIMIT + 1)}], {"engine/base/a.c": "x" * SIZE_LIMIT}),
    "functions": (functions, [{"a.c": "void f (void)\n{\n" + "  f ();\n" * 121 + "}\n"}], {"a.c": "void f (void)\n{\n" + "  f ();\n" * 120 + "}\n"}),
    "licences": (licences, [{"a.c": "int a;\n"}, {"meson.build": "project('x')\n"}, {"dev": "#!/bin/sh\n"}],
                 {"a.c": HEAD + "int a;\n", "meson.build": MESON, "data/a.json": "{}"}),
    "machine": (machine, [{"a.c": HEAD + '"' + "/ro" + 'ot/x"\n'}, {"README.md": "get it from " + "py" + "pi.org\n"}, {"a.sh": "cd " + "/wo" + "rk/x\n"}],
                {"a.c": HEAD + '"$HOME/.cache"\n', "README.md": "frame/wo" + "rk/x\n"}),
    "unfinished": (unfinished, [{"a.c": "/* TO" + "DO */\n"}, {"README.md": "for n" + "ow this\n"}], {"a.c": "/* for nowhere */\n"}),
    "potfiles": (potfiles, [{"ui/a.c": 'x = _("Fill");\n'}, {"plugin/a.c": 'x = N_ ("Fill");\n', "po/POTFILES.in": "\n"}, {"po/POTFILES.in": "gone.c\n"}],
                 {"ui/a.c": 'x = _("Fill");\n', "po/POTFILES.in": "# files\nui/a.c\n", "engine/methods/a.c": 'x = N_("A");\n'}),
}
