# SPDX-License-Identifier: GPL-3.0-or-later
# ./dev uninstall. Sourced by dev; what it does is beside what it undoes.

. "$root/build-aux/install.sh"
