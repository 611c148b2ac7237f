# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev screenshots: data/screenshots/, every dialog in English and Chinese on one page, and the pictures of the help pages.
# Sourced by dev. A new dialog is one line in tests/gui/dialogs.py.

. "$root/build-aux/build.sh"

screenshot_languages() { printf '%s\n' "en en_US.UTF-8 --parts" "zh_CN zh_CN.UTF-8"; }

job_screenshots() {
  local folder=$root/data/screenshots language locale parts new
  [ $# = 0 ] || die "screenshots takes no arguments, not '$*'."
  job_build
  while read -r language locale parts; do
    say "the dialogs in $language"
    new=$(mktemp -d)
    # shellcheck disable=SC2086  # no parts is no argument
    place_run env LC_ALL="$locale" LANGUAGE="$language" PMT_BUILD_ROOT="$build" OMP_WAIT_POLICY=passive "$root/tests/plugin/gimp-env.sh" --gui \
      python3 "$root/tests/gui/screenshots.py" "$new" "$root/data/demo/meadow.png" $parts </dev/null >&2 ||
      die "The dialogs could not all be shown in $language: the messages above say which."
    rm -rf "${folder:?}/$language"
    mkdir -p "$folder"
    chmod 755 "$new"
    mv "$new" "$folder/$language"
  done < <(screenshot_languages)
  screenshot_page >"$folder/README.md"
  mkdir -p "$root/data/help/images"
  cp "$folder"/en/{describe,edit,fill,generate,learn,models}.png "$root/data/help/images/"
  say "the page is $folder/README.md"
}

# Names in the order of the English pictures; a picture that a language has not stays empty.
screenshot_page() {
  local file name language cell
  printf '%s\n' "# The dialogs" "" "Made by \`./dev screenshots\` in a real GIMP, with the bundled model." ""
  printf '%s\n' "| | English | 中文 |" "|---|---|---|"
  for file in "$root"/data/screenshots/en/*.png; do
    name=$(basename "$file")
    printf '| %s |' "${name%.png}"
    for language in en zh_CN; do
      cell=
      [ ! -f "$root/data/screenshots/$language/$name" ] || cell=" ![${name%.png}, $language]($language/$name)"
      printf '%s |' "$cell"
    done
    echo
  done
}
