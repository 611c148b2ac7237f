#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# package-root.sh BUILD VERSION: puts the Debian package together in BUILD/package from what is built, and prints its path.
# Everything is in the plug-in's folder, as GIMP wants it; /usr/share has what the desktop looks for, /usr/bin a link to the engine.
# The maintainer is who builds it: DEBFULLNAME and DEBEMAIL, as Debian's own tools have it.
set -eu

build=$1 version=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
work=$build/package tree=$build/package/root
parts=$root/build-aux/debian
maintainer="${DEBFULLNAME:-The Pentimento authors} <${DEBEMAIL:-pentimento@localhost.localdomain}>"

umask 022
rm -rf "$work"
mkdir -p "$tree/DEBIAN"
architecture=$(dpkg --print-architecture)
plugins=$(pkg-config --variable=gimplibdir gimp-3.0)/plug-ins

mkdir -p "$tree$plugins"
"$root/build-aux/stage.sh" copy "$build" "$tree$plugins" >&2
folder=$tree$plugins/pentimento
# licences are in doc/pentimento/copyright, and the folder's own pages are for those who have the source
find "$folder/data" \( -name LICENSE -o -name README.md \) -delete
find "$folder/locale" -type d -empty -delete
mkdir -p "$folder/locale"
for program in pentimento pentimento-engine; do
  strip --strip-all --remove-section=.comment --remove-section=.note "$folder/$program"
done
mkdir -p "$tree/usr/bin"
ln -sr "$folder/pentimento-engine" "$tree/usr/bin/pentimento-engine"

install -D -m 644 "$build/data/org.gimp.GIMP.Plugin.Pentimento.metainfo.xml" -t "$tree/usr/share/metainfo"
install -D -m 644 "$root/data/icons/org.gimp.GIMP.Plugin.Pentimento.svg" -t "$tree/usr/share/icons/hicolor/scalable/apps"
install -D -m 644 "$root/data/icons/org.gimp.GIMP.Plugin.Pentimento-symbolic.svg" -t "$tree/usr/share/icons/hicolor/symbolic/apps"
install -D -m 644 "$root/data/man/pentimento-engine.1" -t "$tree/usr/share/man/man1"
gzip -9n "$tree/usr/share/man/man1/pentimento-engine.1"

install -D -m 644 "$parts/lintian-overrides" "$tree/usr/share/lintian/overrides/pentimento"

doc=$tree/usr/share/doc/pentimento
mkdir -p "$doc"
sed 's/^$/./; s/^/ /' "$root/data/clip/LICENSE" | sed -n '6,$p' >"$work/expat"
sed -e "/^@EXPAT@$/{r $work/expat" -e 'd}' "$parts/copyright" >"$doc/copyright"
date=$(date -R -d "@$(git -c safe.directory='*' -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)")
printf 'pentimento (%s) unstable; urgency=medium\n\n  * Built from the tree.\n\n -- %s  %s\n' \
  "$version" "$maintainer" "$date" | gzip -9n >"$doc/changelog.gz"
ln -sr "$folder/data/help" "$doc/html"

# Libraries by name and version, from the programs themselves; dpkg-shlibdeps wants a source package's control file.
mkdir -p "$work/debian"
printf 'Source: pentimento\n\nPackage: pentimento\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O "$folder/pentimento" "$folder/pentimento-engine" 2>"$work/shlibdeps.log" |
  sed -n 's/^shlibs:Depends=//p') || { cat "$work/shlibdeps.log" >&2; exit 1; }
# The engine shares its threads with OpenBLAS: of the builds that satisfy "libopenblas0" only one will do.
libraries=$(sed 's/\blibopenblas0\b[^,]*/libopenblas0-openmp/' <<<"$libraries")
size=$(du -k -s --apparent-size "$tree" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" -e "s/@MAINTAINER@/$maintainer/" \
  -e "s/@DEPENDS@/gimp (>= 3.0.4), $libraries/" "$parts/control.in" >"$tree/DEBIAN/control"
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

file=$work/pentimento_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$tree" "$file" >&2
echo "$file"
