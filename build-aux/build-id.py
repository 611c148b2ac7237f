#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""build-id.py ROOT VERSION OUTPUT: writes the header that names this build.

The id is the version and a hash over the engine's sources. It stands in the name of the engine's socket, so an engine
that was built from other sources never answers a new plug-in. OUTPUT keeps its time when nothing changed.
"""

import hashlib
import sys
from pathlib import Path

HEADER = """/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Made by build-aux/build-id.py. */
#pragma once

#define PMT_BUILD_ID "{id}"
"""


def main():
    root, version, output = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    total = hashlib.sha256()
    for path in sorted((root / "engine").rglob("*")):
        if path.suffix in (".c", ".h") and path.is_file():
            total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    text = HEADER.format(id=f"{version}-{total.hexdigest()[:12]}")
    if not output.exists() or output.read_text() != text:
        output.write_text(text)


if __name__ == "__main__":
    main()
