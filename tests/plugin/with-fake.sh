#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# with-fake.sh SCRIPT.py [NAME=VALUE…]: runs a script in headless GIMP with the fake engine behind the plug-in.
# Called by gimp-env.sh.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export PENTIMENTO_ENGINE=$here/fake-engine.py PMT_FAKE_FOLDER=$PMT_GIMP_TMP/fake PYTHONDONTWRITEBYTECODE=1
mkdir -p "$PMT_FAKE_FOLDER"
exec gimp-batch "$@"
