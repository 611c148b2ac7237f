# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev pot [LANGUAGE…]: the template and the catalogues in po/ brought up to the sources. Sourced by dev; the work is in pot.py.

job_pot() {
  local language
  for language; do
    case $language in -*) die "pot takes names of languages, such as de or zh_CN, not '$language'." ;; esac
  done
  place_exec python3 "$root/build-aux/pot.py" "$root" "$@"
}
