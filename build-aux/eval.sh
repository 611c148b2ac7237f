# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev eval [--quick] [--n N] [--model FOLDER] [FEATURE…]: builds, then asks a model held-out questions through the engine and has
# a judge score the answers. ./dev eval methods [--n N] [METHOD…]: the same prompts and seeds plain and with each method, compared.
# Sourced by dev.

. "$root/build-aux/build.sh"

job_eval() {
  local model=$root/data/models/sketch out=$build/eval thresholds=() options=() program=run.py
  [ "${1-}" != methods ] || { program=methods.py; shift; }
  while [ $# -gt 0 ]; do
    case $1 in
      --model) [ $# -gt 1 ] || die "eval --model needs a model folder."; model=$2; shift 2 ;;
      --out) [ $# -gt 1 ] || die "eval --out needs a folder."; out=$2; shift 2 ;;
      *) options+=("$1"); shift ;;
    esac
  done
  [ $program = methods.py ] || [ ! -f "$model/thresholds.json" ] || thresholds=(--thresholds "$model/thresholds.json")
  job_build
  place_exec python3 "$root/tests/eval/$program" --engine pentimento-engine --model "$model" --out "$out" "${thresholds[@]}" "${options[@]}"
}
