# SPDX-License-Identifier: GPL-3.0-or-later
# What a build needs, named once. Sourced by tree.sh (Debian names) and host.sh (every distribution).

# The Debian tree: toolchain, libraries, GIMP itself, what the headless GUI tests use, and what makes and checks packages.
# openblas-openmp is asked for by name: the serial and pthread variants would not share the OpenMP pool.
tree_packages() {
  [ "${tree_kind:-}" != aarch64 ] || { aarch64_packages; return; }
  cat <<'LIST'
gcc g++ clang libclang-rt-dev libc6-dev meson ninja-build pkgconf gettext git
libgimp-3.0-dev gimp gir1.2-gimp-3.0 libgtk-3-dev libgdk-pixbuf-2.0-dev libjson-glib-dev libsoup-3.0-dev
libopenblas-openmp-dev libdnnl-dev libomp-dev
python3 python3-venv python3-gi python3-numpy python3-pil
xvfb xdotool openbox imagemagick dbus dbus-bin x11-utils libglib2.0-bin at-spi2-core gir1.2-atspi-2.0 fonts-wqy-microhei
appstream dpkg-dev lintian flatpak-builder
procps locales ca-certificates xz-utils valgrind
LIST
}

# The small tree of ./dev test aarch64: a compiler for 64-bit ARM, the engine's libraries for it, and what runs its programs.
aarch64_packages() {
  cat <<'LIST'
gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user meson ninja-build pkgconf gettext git python3
libc6-dev:arm64 libglib2.0-dev:arm64 libjson-glib-dev:arm64 libgdk-pixbuf-2.0-dev:arm64 libopenblas-openmp-dev:arm64
procps ca-certificates
LIST
}

# The locales that tests of the translations switch to.
tree_locales() {
  echo en_US fr_FR de_DE zh_CN
}
