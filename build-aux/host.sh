# SPDX-License-Identifier: GPL-3.0-or-later
# Building on a system that has GIMP 3 itself. Sourced by place.sh. Needs: say and die.
#
#   host_offers_gimp3   true when GIMP 3's development files are installed or this release has them
#   host_ensure         names what is missing and installs it, asking first when there is somebody to ask

# Prints "family version" of this distribution: debian, ubuntu, fedora, suse, arch or other.
host_family() {
  (
    [ -r /etc/os-release ] && . /etc/os-release
    case " ${ID:-} ${ID_LIKE:-} " in
      *" ubuntu "*) echo ubuntu "${VERSION_ID:-0}" ;;
      *" debian "*) echo debian "${VERSION_ID:-99}" ;;  # testing and unstable have no number
      *" fedora "*) echo fedora "${VERSION_ID:-0}" ;;
      *" opensuse-tumbleweed "*) echo suse 99 ;;
      *" arch "*) echo arch 99 ;;
      *) echo other 0 ;;
    esac
  )
}

host_offers_gimp3() {
  local family version
  pkg-config --exists gimp-3.0 gimpui-3.0 2>/dev/null && return
  read -r family version < <(host_family)
  version=${version%%.*}
  case $family in
    debian) [ "$version" -ge 13 ] ;;
    ubuntu) [ "$version" -ge 25 ] ;;
    fedora) [ "$version" -ge 41 ] ;;
    suse | arch) true ;;
    *) false ;;
  esac
}

# What a build needs, one per line: a command, a pkg-config module (pc:NAME), a Python module (py:NAME), a library
# that Python reaches through its introspection (gi:NAME) or a header that clang finds (clang:NAME), then the package
# that brings it on Debian and Ubuntu, Fedora, openSUSE, Arch.
host_needs() {
  cat <<'LIST'
gcc                       gcc                    gcc                   gcc                  gcc
meson                     meson                  meson                 meson                meson
ninja                     ninja-build            ninja-build           ninja                ninja
pkg-config                pkgconf                pkgconf-pkg-config    pkgconf              pkgconf
msgfmt                    gettext                gettext               gettext-tools        gettext
python3                   python3                python3               python3              python
pc:gimp-3.0               libgimp-3.0-dev        gimp-devel            gimp-devel           gimp
pc:gtk+-3.0               libgtk-3-dev           gtk3-devel            gtk3-devel           gtk3
pc:json-glib-1.0          libjson-glib-dev       json-glib-devel       json-glib-devel      json-glib
pc:gdk-pixbuf-2.0         libgdk-pixbuf-2.0-dev  gdk-pixbuf2-devel     gdk-pixbuf-devel     gdk-pixbuf2
pc:libsoup-3.0            libsoup-3.0-dev        libsoup3-devel        libsoup3-devel       libsoup3
pc:openblas               libopenblas-openmp-dev openblas-devel        openblas_openmp-devel openblas
gimp-console-3.0          gimp                   gimp                  gimp                 gimp
LIST
}

# What the demo and the tests need beyond a build.
host_test_needs() {
  cat <<'LIST'
clang                     clang                  clang                 clang                clang
clang:omp.h               libomp-dev             libomp-devel          libomp-devel         openmp
py:gi                     python3-gi             python3-gobject       python3-gobject      python-gobject
py:numpy                  python3-numpy          python3-numpy         python3-numpy        python-numpy
py:PIL                    python3-pil            python3-pillow        python3-Pillow       python-pillow
git                       git                    git                   git                  git
Xvfb                      xvfb                   xorg-x11-server-Xvfb  xorg-x11-server-Xvfb xorg-server-xvfb
xdotool                   xdotool                xdotool               xdotool              xdotool
openbox                   openbox                openbox               openbox              openbox
import                    imagemagick            ImageMagick           ImageMagick          imagemagick
dbus-run-session          dbus                   dbus-daemon           dbus-1-daemon        dbus
gdbus                     libglib2.0-bin         glib2                 glib2-tools          glib2
appstreamcli              appstream              appstream             AppStream            appstream
gi:Atspi                  gir1.2-atspi-2.0       at-spi2-core          typelib-1_0-Atspi-2_0 at-spi2-core
xwininfo                  x11-utils              xorg-x11-utils        xwininfo             xorg-xwininfo
valgrind                  valgrind               valgrind              valgrind             valgrind
LIST
}

# host_missing COLUMN: the packages to install, from the needs on standard input.
host_missing() {
  local column=$1 need packages
  while read -r need packages; do
    case $need in
      pc:*) pkg-config --exists "${need#pc:}" 2>/dev/null ;;
      py:*) python3 -c "import ${need#py:}" 2>/dev/null ;;
      gi:*) python3 -c "import sys, gi; gi.require_version(sys.argv[1], '2.0')" "${need#gi:}" 2>/dev/null ;;
      clang:*) clang -fopenmp -fsyntax-only -include "${need#clang:}" -xc /dev/null 2>/dev/null ;;
      gimp-console-3.0) command -v gimp-console-3.0 >/dev/null || command -v gimp-console >/dev/null ;;
      *) command -v "$need" >/dev/null ;;
    esac || echo "$packages" | awk -v c="$column" '{ print $c }'
  done | sort -u | tr '\n' ' '
}

host_ensure() {
  local family version column manager missing answer sudo="" needs=host_needs
  read -r family version < <(host_family)
  case $family in
    debian | ubuntu) column=1 manager="apt-get install -y --no-install-recommends" ;;
    fedora) column=2 manager="dnf install -y" ;;
    suse) column=3 manager="zypper --non-interactive install --no-recommends" ;;
    arch) column=4 manager="pacman -S --needed --noconfirm" ;;
    *) column=1 manager="" ;;
  esac
  case ${command:-} in test | demo) needs=host_all_needs ;; esac
  missing=$($needs | host_missing "$column")
  [ -n "$missing" ] || return 0
  [ -n "$manager" ] ||
    die "Building needs what Debian calls $missing: install these with this system's package manager, then start again."
  [ "$(id -u)" = 0 ] || sudo="sudo "
  if [ -t 0 ] && [ -t 2 ]; then
    echo "dev: missing here: $missing" >&2
    read -r -p "Install with '$sudo$manager $missing'? [y/N] " answer
    case $answer in y | Y | yes) ;; *) die "Nothing was installed; install the packages above, then start again." ;; esac
  elif [ -n "$sudo" ]; then
    die "Building needs packages that are missing: run '$sudo$manager $missing', then start again."
  else
    say "installing $missing"
  fi
  # shellcheck disable=SC2086  # the package list is words
  {
    case $column in 1) ${sudo}apt-get -qq update ;; esac
    ${sudo}$manager $missing
  } >&2 || die "The packages could not be installed (the messages are above): run '$sudo$manager $missing' by hand, then start again."
}

host_all_needs() { host_needs; host_test_needs; }
