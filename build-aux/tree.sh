# SPDX-License-Identifier: GPL-3.0-or-later
# The Debian tree: where it is, how it is made, how it is completed when the package list grows.
# Sourced by dev. Needs: root (checkout), say and die.
#
#   tree_dir SUITE      prints the folder of the tree
#   tree_ensure SUITE   makes or completes it; returns at once when it is current
#
# A tree is made under a temporary name and renamed when it is whole, so a folder with the final name is
# always usable; a lock makes a second start wait for the first.
#
# tree_kind=aarch64 stands for a second, smaller tree beside it, SUITE-aarch64, with the packages of that kind (packages.sh).
tree_kind=""

. "$root/build-aux/packages.sh"

cache_base() {
  local base=${XDG_CACHE_HOME:-}
  if [ -z "$base" ]; then
    [ -n "${HOME:-}" ] && [ -d "$HOME" ] ||
      die "There is no home folder to keep the build environment in: set HOME or XDG_CACHE_HOME to a folder that you can write to."
    base=$HOME/.cache
  fi
  echo "$base/pentimento"
}

tree_dir() { echo "$(cache_base)/$(tree_name "$1")"; }
tree_name() { echo "$1${tree_kind:+-$tree_kind}"; }

# Everything that the content of a tree depends on, as a short checksum.
tree_wanted() { { tree_packages; tree_locales; } | cksum | tr ' ' -; }

tree_is_current() {
  [ -f "$1/etc/pentimento-tree" ] && [ "$(cat "$1/etc/pentimento-tree")" = "$(tree_wanted)" ]
}

# The Debian archives of this machine's own apt sources, as "URI SUITE" lines; apt parses both of its formats.
apt_archives() {
  apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$3 == "main" { print $1, $2 }' | sort -u | while read -r uri suite; do
      case $uri in
        # a list of mirrors kept in a file: its first entry will do
        mirror+file:*) uri=$(awk '!/^#/ && NF { print $1; exit }' "${uri#mirror+file:}" 2>/dev/null) ;;
      esac
      [ -n "$uri" ] && echo "$uri $suite"
    done
}

# sources.list lines for SUITE: the archive that the host's release comes from, and its security archive.
tree_sources() {
  local suite=$1 host_suite main security
  host_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  main=$(apt_archives | awk -v s="$host_suite" '$2 == s || $2 ~ /^(stable|oldstable|testing|unstable|sid)$/ { print $1; exit }')
  security=$(apt_archives | awk '$2 ~ /-security$/ { print $1; exit }')
  [ -n "$main" ] || return 1
  echo "deb $main $suite main"
  if [ "$suite" = trixie ]; then
    echo "deb $main $suite-updates main"
    [ -z "$security" ] || echo "deb $security $suite-security main"
  fi
}

# apt settings of this machine that decide whether its mirror can be reached (proxies, certificates, clock).
apt_settings() {
  apt-config dump | grep -E '^Acquire::(https?|ftp|Check-(Valid-Until|Date)|Max-FutureTime|Retries)\b.* ".+";$' || :
}

# What only a machine with apt can do, checked before the download starts.
tree_tools() {
  command -v apt-get >/dev/null 2>&1 ||
    die "This system has no GIMP 3 development files and no apt to make a Debian tree with: install GIMP 3 with its development files (gimp-3.0.pc), or use Debian 12 or later."
  (. /etc/os-release && [ "${ID:-}" = debian ]) ||
    die "A Debian tree is made from a Debian mirror, and this system's apt sources name none: use a release with GIMP 3 (Debian 13, Ubuntu 25.04, Fedora 41 or later)."
  command -v mmdebstrap >/dev/null 2>&1 && return
  [ "$(id -u)" = 0 ] ||
    die "The build environment is made with mmdebstrap, which is missing: ask root to run 'apt-get install mmdebstrap', then start again."
  say "installing mmdebstrap"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install mmdebstrap; } >&2 </dev/null ||
    die "apt-get could not install mmdebstrap (its messages are above): check the network and this machine's apt sources, then start again."
}

# mmdebstrap's options, one per line. A tree has no services, so a policy keeps packages from starting any.
mmdebstrap_options() {
  local line
  echo --variant=apt
  [ "$tree_kind" != aarch64 ] || echo "--architectures=$(dpkg --print-architecture),arm64"
  echo --aptopt='APT::Install-Recommends "false"'
  # no flush to the disk after each package: a tree that a power cut broke is made anew
  echo --dpkgopt=force-unsafe-io
  apt_settings | while read -r line; do echo "--aptopt=${line%;}"; done
  echo "--include=$(tree_packages | tr -s ' \n' ',' | sed 's/,$//')"
  echo '--essential-hook=printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"'
}

# make_tree SUITE DIR LOG: fills DIR, which does not exist yet.
make_tree() {
  local suite=$1 dir=$2 log=$3
  : >"$log"
  if [ -f "$(tree_dir "$suite").tar" ]; then
    unpack_tree "$(tree_dir "$suite").tar" "$dir" >>"$log" 2>&1
  else
    tree_tools
    download_tree "$suite" "$dir" "$log"
  fi || {
    tail -n 15 "$log" >&2
    die "The Debian tree ($suite) could not be made from this machine's mirror: the last lines of $log are above; check the network and the free space in $(cache_base), then start again."
  }
  finish_tree "$dir" >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    die "The Debian tree ($suite) was unpacked but could not be completed: the last lines of $log are above."
  }
}

# An ordinary user has mmdebstrap's unshare mode, which wants subordinate ids, write a tar, and the tar is unpacked
# as the user, so that every file of the tree is the user's own and can be removed like any other.
download_tree() {
  local suite=$1 dir=$2 log=$3 sources options
  sources=$(tree_sources "$suite") ||
    die "None of this machine's apt sources is a Debian archive ('apt-get indextargets' lists them): add one, then start again."
  mapfile -t options < <(mmdebstrap_options)
  if [ "$(id -u)" = 0 ]; then
    mmdebstrap --mode=root "${options[@]}" "$suite" "$dir" - <<<"$sources" >>"$log" 2>&1
    return
  fi
  grep -q "^$(id -un):" /etc/subuid 2>/dev/null && grep -q "^$(id -un):" /etc/subgid 2>/dev/null ||
    die "Making the build environment without root needs subordinate ids: ask root to run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)', or put a tar of a tree that root made into $(tree_dir "$suite").tar, then start again."
  mmdebstrap --mode=unshare "${options[@]}" "$suite" "$dir.tar" - <<<"$sources" >>"$log" 2>&1 &&
    unpack_tree "$dir.tar" "$dir" >>"$log" 2>&1 && rm -f "$dir.tar"
}

# Devices cannot be made without root, and the tree borrows the outside's /dev anyway.
unpack_tree() {
  mkdir "$2" && tar --exclude=./dev --no-same-owner -C "$2" -xf "$1" && mkdir -p "$2/dev"
}

# Locales, and the mount points that enter.sh needs in every tree.
finish_tree() {
  local dir=$1 locale
  [ -n "$tree_kind" ] || for locale in $(tree_locales); do
    "$root/build-aux/enter.sh" "$dir" localedef -i "$locale" -f UTF-8 "$locale.UTF-8" || return
  done
  check_openblas "$dir" || return
  tree_wanted >"$dir/etc/pentimento-tree"
}

check_openblas() {
  local lib
  lib=$(find "$1/usr/lib" -path '*openblas-openmp/libopenblas.so*' -print -quit)
  [ -n "$lib" ] || { echo "the OpenMP variant of OpenBLAS is not in the tree"; return 1; }
}

# Packages that the list gained since the tree was made.
complete_tree() {
  local suite=$1 dir=$2 log=$3
  say "adding packages to the Debian tree ($(tree_name "$suite"))"
  # shellcheck disable=SC2046  # the list is words
  { "$root/build-aux/enter.sh" "$dir" apt-get -q update &&
    "$root/build-aux/enter.sh" "$dir" env DEBIAN_FRONTEND=noninteractive \
      apt-get -q -y --no-install-recommends install $(tree_packages) &&
    finish_tree "$dir"; } >"$log" 2>&1 </dev/null || {
    tail -n 15 "$log" >&2
    die "The Debian tree ($suite) lacks packages and they could not be added: the last lines of $log are above; check the network, or remove $dir to have it made anew."
  }
}

tree_ensure() {
  local suite=$1 name dir base log new size="600 MB to download, 2 GB"
  name=$(tree_name "$suite") base=$(cache_base)
  dir=$base/$name log=$base/$name.log
  [ -z "$tree_kind" ] || size="250 MB to download, 1.2 GB"
  tree_is_current "$dir" && return
  mkdir -p "$base" || die "The folder for the build environment, $base, cannot be made: set XDG_CACHE_HOME to a folder that you can write to."
  exec 9>"$base/$name.lock"
  flock -n 9 || { say "waiting for another start that makes the Debian tree ($name)"; flock 9; }
  if ! tree_is_current "$dir"; then
    if [ -d "$dir" ] && [ "$(id -u)" = 0 ]; then
      complete_tree "$suite" "$dir" "$log"
    else
      new=$dir.new
      remove_tree "$new"
      say "making the Debian tree ($name) in $dir, once: some $size unpacked, a few minutes"
      make_tree "$suite" "$new" "$log"
      remove_tree "$dir"
      mv "$new" "$dir" || die "The finished Debian tree could not be renamed to $dir."
      say "the Debian tree ($name) is ready"
    fi
  fi
  exec 9>&-
}

# Never across a mount: a tree that is in use has the user's folders mounted only in other namespaces, but a
# half-made one from a killed start may still have /proc in it.
remove_tree() {
  [ -e "$1" ] || return 0
  rm -rf --one-file-system "$1" || die "The old tree $1 could not be removed: remove it by hand, then start again."
}
