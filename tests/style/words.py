# SPDX-License-Identifier: GPL-3.0-or-later
"""Strings in C that people read: which are marked for translation, and which look as if they should be."""

import re

LITERAL = r'"(?:[^"\\\n]|\\.)*"'
TOKEN = re.compile(rf'/\*.*?\*/|(?P<text>{LITERAL})|(?P<word>[A-Za-z_]\w*)|(?P<sign>[()])|\'(?:\\.|[^\'\\])\'', re.S)
# The same in every language: a program's name, and what is said to a model, which reads English.
NAMES = {"Forge", "background scenery"}
MARKS = {"_", "N_", "C_", "NC_", "ngettext", "g_dngettext"}
# Where English stays English: for programs, for the log of whoever looks into it, for the history of an error, in a report to the makers.
QUIET = re.compile(r"g_(debug|info|message|warning|critical|log|error|printerr|print|assert\w*|return\w*|test\w*|once\w*)$|^soup_|^(printf|fprintf|include|strcmp"
                   r"|gimp_procedure_set_attribution|g_getenv|g_str_equal|g_strcmp0)$|^report_")


def readable(text):
    """A label (“Fill”, “_Prompt”) or words with a space between, and no id, list of ids, path, format or markup alone."""
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*( [a-z0-9]+(-[a-z0-9]+)*)*", text) and "-" in text or text.startswith("<span") or text in NAMES:
        return False
    plain = re.sub(r"%[-+ #0-9.*]*(?:l{0,2}|z|h)[a-zA-Z%]|<[^>]*>|\\.", " ", text)
    if re.search(r"[a-zà-ÿ]{2,} +[A-Za-z(]?[a-z]{2,}", plain):
        return True
    return bool(re.fullmatch(r"\s*_?[A-Z][a-z]*_?[a-z]{2,}[.…:]?\s*", plain))


def unmarked(source, only=None):
    """(line, text) of the strings in C source that look like something to read and have no mark around them; `only`: names of functions,
    and then the first string that they get is looked at."""
    calls = []  # the name before each parenthesis that is open
    last = ""
    source = re.sub(r"^[ \t]*#.*$", "", source, flags=re.M)
    for found in TOKEN.finditer(source):
        if found.group("word"):
            last = found.group("word")
        elif found.group("sign") == "(":
            calls.append(last)
            last = ""
        elif found.group("sign") == ")":
            if calls:
                calls.pop()
            last = ""
        elif found.group("text"):
            text = found.group("text")[1:-1]
            if only:
                if len(calls) > 1 and calls[-1] in MARKS and calls[-2] in only:
                    calls[-2] = ""
                if not calls or calls[-1] not in only:
                    continue
                calls[-1] = ""
                if readable(text):
                    yield source.count("\n", 0, found.start()) + 1, text
                continue
            if readable(text) and not any(name in MARKS or QUIET.search(name) for name in calls):
                yield source.count("\n", 0, found.start()) + 1, text
