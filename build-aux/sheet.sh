# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev sheet [FILE.png]: sixteen pictures by the bundled model with their prompts, four by four. Sourced by dev.
# Prompts and seeds are fixed and none is chosen by its result: the sheet shows what the model does.

. "$root/build-aux/build.sh"

sheet_prompts() {
  cat <<'LIST'
a red circle on paper
a blue house in the snow
a yellow star at night
a green tree in a meadow
a pink flower in a room
an orange fish on a beach
a purple car in the snow
a white boat on a beach
a red mushroom in a meadow
a pink heart on paper
a blue triangle in a room
a white cloud at night
a red square left of a blue circle on paper
a yellow star above a green house at night
two orange fish on a beach
a pink flower next to a purple mushroom in a meadow
LIST
}

job_sheet() {
  local out=${1:-} pictures prompt seed=0 files=() status
  job_build
  [ -n "$out" ] || out=$build/sheet.png
  case $out in *.png) ;; *) die "sheet writes a PNG picture; name it so: $out.png" ;; esac
  pictures=$(mktemp -d)
  # shellcheck disable=SC2064  # the name is local, and gone when the trap runs
  trap "rm -rf '$pictures'" EXIT
  while read -r prompt; do
    seed=$((seed + 1))
    place_run pentimento-engine generate --prompt "$prompt" --seed "$seed" --out "$pictures/$seed.png" </dev/null >&2 ||
      die "The engine did not make picture $seed ($prompt): its message is above."
    files+=(-label "$(fold -s -w 34 <<<"$prompt")" "$pictures/$seed.png")
  done < <(sheet_prompts)
  place_run montage -depth 8 -background white -font DejaVu-Sans -pointsize 9 -tile 4x4 -geometry 192x192+6+6 "${files[@]}" "$out" >&2 && status=0 || status=$?
  [ "$status" = 0 ] || die "ImageMagick could not put the pictures together (its message is above)."
  say "sixteen pictures, seeds 1 to 16: $out"
}
