# SPDX-License-Identifier: GPL-3.0-or-later
# The Python that the reference outputs come from: torch, diffusers and transformers in the versions that
# tests/reference/requirements.txt pins, in an environment in the cache folder. Sourced by test.sh.
#
#   reference_ensure       makes or updates it; sets PMT_REFERENCE_PYTHON
#   reference_ensure FILE FOLDER WHAT  the same with another list of versions, folder in the cache and name for messages
#   reference_make FOLDER  runs every tests/reference/make_*.py into FOLDER

# The environment is made with this system's own Python where that is new enough, because its pip settings (mirrors,
# certificates, local wheels) are the user's; else with the tree's.
reference_ensure() {
  local base wanted=${1:-$root/tests/reference/requirements.txt} folder=${2:-reference-venv} what=${3:-of the references} log
  base=$(cache_base) venv=$base/$folder log=$base/$folder.log
  export PMT_REFERENCE_PYTHON=$venv/bin/python3
  reference_has "$wanted" && return
  mkdir -p "$base"
  say "making the Python environment $what in $venv, once: torch and more, a large download"
  {
    [ -x "$PMT_REFERENCE_PYTHON" ] && reference_run -c 'import pip' ||
      { reference_python_is_new && rm -rf "$venv" && python3 -m venv "$venv"; } ||
      place_run python3 -m venv --clear "$venv"
  } >"$log" 2>&1 &&
    reference_run -m pip install -q -r "$wanted" >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    die "The Python environment $what could not be made: the last lines of $log are above; check the network, or remove $venv to start from nothing."
  }
  reference_has "$wanted" ||
    die "The Python environment $venv still lacks a version that $wanted pins: remove the folder to have it made anew."
}

reference_python_is_new() {
  python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The environment's Python, here or in the tree, wherever the interpreter behind it exists.
reference_run() {
  if "$PMT_REFERENCE_PYTHON" -c '' 2>/dev/null; then
    "$PMT_REFERENCE_PYTHON" "$@"
  else
    place_run "$PMT_REFERENCE_PYTHON" "$@"
  fi
}

# True when every pinned version is installed.
reference_has() {
  [ -e "$PMT_REFERENCE_PYTHON" ] && reference_run - "$1" 2>/dev/null <<'PYTHON'
import importlib.metadata as metadata
import sys

for line in open(sys.argv[1]):
    name, _, version = line.split("#")[0].strip().partition("==")
    if name and metadata.version(name).split("+")[0] != version:
        sys.exit(1)
PYTHON
}

reference_make_one() {
  say "running $(basename "$1")"
  reference_run "$1" "$2" >&2 || die "$(basename "$1") failed (its messages are above): nothing was compared."
}

reference_make() {
  local folder=$1 script file
  export OMP_WAIT_POLICY=passive
  set -- "$root"/tests/reference/make_*.py
  [ -f "$1" ] || die "There is no tests/reference/make_*.py to make reference outputs with."
  # These go first: others continue with the tiny models that they write.
  for script in make_nets.py make_runs.py; do
    reference_make_one "$root/tests/reference/$script" "$folder"
  done
  for script; do
    case $(basename "$script") in
      make_nets.py | make_runs.py) ;;
      *) reference_make_one "$script" "$folder" ;;
    esac
  done
  # Test files that no reference makes (strings, pictures written by hand) stay the same in every run.
  while read -r file; do
    [ -e "$folder/$file" ] && continue
    say "stored, not from a reference: $file"
    mkdir -p "$(dirname "$folder/$file")"
    cp "$root/tests/data/$file" "$folder/$file"
  done < <(cd "$root/tests/data" && find . -type f | sed 's|^\./||' | sort)
}
