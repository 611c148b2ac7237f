#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""methods-page.py ENGINE PAGE [--cost COMPUTED TIMED] [--check]

Writes what the engine itself says into the page of the methods: under each heading "## id" the method's sentence and its parameters, and
with --cost the table of costs: two files that "pentimento-engine bench --methods all --json" printed, one with --computed at full size, one timed
at a small size with one thread, whose seconds are the processor's own. Everything else on the page is written by hand
and stays. With --check nothing is written; exit status 1 and a sentence when the page is not what it should be.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

BEGIN, END = "<!-- from the engine -->", "<!-- end -->"


def value(p):
    if p["type"] in ("string", "choice"):
        return f"`{p['default']}`" if p.get("default") else ""
    return f"{p['default']:g}" if not isinstance(p["default"], bool) else str(p["default"]).lower()


def bounds(p):
    if p["type"] == "choice":
        return ", ".join(f"`{c['id']}`" for c in p["choices"])
    return f"{p['min']:g} to {p['max']:g}" if p["type"] in ("int", "double") else ""


def described(method):
    lines = [BEGIN, "", f"**{method['label']}.** {method['summary']}", ""]
    if method["params"]:
        lines += ["| parameter | default | takes | |", "|---|---|---|---|"]
        lines += [f"| `{p['id']}` | {value(p)} | {bounds(p)} | {p['help']} |" for p in method["params"]]
        lines += [""]
    return "\n".join([*lines, END])


def cost(computed, timed):
    where = lambda b: f"{b['width']} × {b['height']}, {b['steps']} steps"
    lines = [BEGIN, "", f"Random weights of the size of {computed['model'].removeprefix('random:')}, guidance 7.5, products in {computed['precision']}. Work and memory are computed "
             f"in advance, at {where(computed)}; time is measured at {where(timed)} with {timed['threads']} thread of an {timed['cpu']}.", "",
             "| method | work of plain sampling | time of it | weights and activations |", "|---|---|---|---|"]
    for name, row in computed["methods"].items():
        if "refused" in row:
            continue
        time = timed["methods"].get(name, {}).get("time_of_plain")
        lines.append(f"| {name} | {row['work_of_plain']:.1f} × | {f'{time:.1f} ×' if time else ''} | {(row['weight_bytes'] + row['activation_bytes']) / 1e9:.1f} GB |")
    return "\n".join([*lines, "", END])


def put(text, heading, made):
    """The text with the part between the marks under a heading replaced."""
    pattern = re.compile(rf"(^## {re.escape(heading)}\n.*?){re.escape(BEGIN)}.*?{re.escape(END)}", re.S | re.M)
    new, n = pattern.subn(lambda m: m.group(1) + made, text, count=1)
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.S | re.M)
    if not n or not section or BEGIN not in section.group(1):
        raise SystemExit(f"methods-page: the page has no section '## {heading}' with the marks '{BEGIN}' and '{END}' in it; write one")
    return new


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    check, with_cost = "--check" in sys.argv, "--cost" in sys.argv
    if len(args) != 2 + 2 * with_cost:
        raise SystemExit("usage: methods-page.py ENGINE PAGE [--cost COMPUTED TIMED] [--check]")
    listed = json.loads(subprocess.run([args[0], "methods", "--json"], capture_output=True, check=True).stdout)["methods"]
    page = Path(args[1])
    old = text = page.read_text(encoding="utf-8")
    for method in listed:
        text = put(text, method["id"], described(method))
        section = re.search(rf"^## {method['id']}$(.*?)(?=^## |\Z)", text, re.S | re.M).group(1)
        for word in ("For:", "Not for:", "From:"):
            if f"\n{word}" not in section:
                raise SystemExit(f"methods-page: the section of {method['id']} does not say '{word}'; write that line")
    known = {m["id"] for m in listed} | {"What they cost"}
    for heading in re.findall(r"^## (.*)$", text, re.M):
        if heading not in known:
            raise SystemExit(f"methods-page: the page has a section '{heading}' and there is no such method; take it out")
    if with_cost:
        text = put(text, "What they cost", cost(*(json.loads(Path(a).read_text(encoding="utf-8")) for a in args[2:])))
    if check and text != old:
        raise SystemExit(f"methods-page: {page} is not what the engine says now; run build-aux/methods-page.py pentimento-engine {page}")
    if not check:
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
