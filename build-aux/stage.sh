#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# stage.sh link|copy BUILD FOLDER: puts the built plug-in together as GIMP wants it, FOLDER/pentimento/pentimento
# with the engine, its data and the translations beside it. "link" follows the build folder (tests, ./dev gimp);
# "copy" stands by itself (./dev install).
set -eu

how=$1 build=$2 folder=$3/pentimento
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

find_built() {
  local path
  for path in "$build/plugin/$1" "$build/engine/cli/$1" "$build/engine/$1"; do
    [ -f "$path" ] && [ -x "$path" ] && { echo "$path"; return; }
  done
  echo "stage: $1 is not in $build: build it first with ./dev build" >&2
  return 1
}

place() {  # place FROM NAME
  rm -rf "${folder:?}/$2"
  if [ "$how" = link ]; then
    ln -s "$1" "$folder/$2"
  else
    cp -RL "$1" "$folder/$2"
  fi
}

plugin=$(find_built pentimento)
mkdir -p "$folder"
place "$plugin" pentimento
# a test may give the plug-in another engine
if [ "$how" = copy ] || [ -z "${PENTIMENTO_ENGINE:-}" ]; then
  engine=$(find_built pentimento-engine)
  place "$engine" pentimento-engine
fi

# What the engine and the plug-in read at run time: the repository's data without what only made it, and the files
# that the build generated from the engine's tables.
rm -rf "$folder/data"
mkdir -p "$folder/data"
for path in "$root"/data/*; do
  case $(basename "$path") in
    meson.build | demo | models | metainfo | man | screenshots) ;;
    *) place "$path" "data/$(basename "$path")" ;;
  esac
done
if [ -d "$root/data/models" ]; then
  for path in "$root"/data/models/*; do
    [ -d "$path" ] || { mkdir -p "$folder/data/models"; place "$path" "data/models/$(basename "$path")"; continue; }
    mkdir -p "$folder/data/models/$(basename "$path")"
    for part in "$path"/*; do
      # what made the model, and pictures of it
      case $(basename "$part") in train | studio | logs | __pycache__ | *.png) continue ;; esac
      place "$part" "data/models/$(basename "$path")/$(basename "$part")"
    done
  done
fi
for path in "$build"/data/*.json; do
  [ ! -f "$path" ] || place "$path" "data/$(basename "$path")"
done
# GIMP complains about a folder of translations that is not there, so there always is one.
if [ "$how" = link ] && [ -d "$build/po" ]; then
  place "$build/po" locale
else
  rm -rf "$folder/locale"
  mkdir -p "$folder/locale"
  for path in "$build"/po/*/LC_MESSAGES; do
    [ ! -d "$path" ] || { mkdir -p "$folder/locale/$(basename "$(dirname "$path")")"; cp -RL "$path" "$folder/locale/$(basename "$(dirname "$path")")/"; }
  done
fi
