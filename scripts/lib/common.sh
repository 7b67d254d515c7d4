# shellcheck shell=bash
# Shared by scripts/demo and scripts/check: where we are, what to say, which
# packages are missing, and a build directory that is ready.
#
# A package counts as there when the thing it is wanted for works (a command, a
# pkg-config module), not when dpkg knows its name: a newer meson from elsewhere
# is as good. Only what is missing is installed, and apt is not asked otherwise.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cores=$(nproc 2>/dev/null || echo 1)

if [ -t 1 ]; then
    bold=$'\e[1m' plain=$'\e[0m'
else
    bold='' plain=''
fi

say()
{
    printf '%s==> %s%s\n' "$bold" "$*" "$plain"
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

have()
{
    command -v "$1" >/dev/null 2>&1
}

# Whether what the Debian package $1 is wanted for is there.
package_works()
{
    case $1 in
        meson | gcc | g++ | valgrind | clang | pkg-config) have "$1" ;;
        ninja-build) have ninja ;;
        libc6-dev) echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1 ;;
        libcriterion-dev) pkg-config --exists criterion 2>/dev/null ;;
        libopenblas-dev) pkg-config --exists openblas 2>/dev/null ;;
        zlib1g-dev) pkg-config --exists zlib 2>/dev/null ;;
        libsodium-dev) pkg-config --exists libsodium 2>/dev/null ;;
        libmpich-dev) pkg-config --exists mpich 2>/dev/null ;;
        mpich) have mpiexec.hydra ;;
        *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
    esac
}

missing_packages()
{
    local package
    for package; do
        package_works "$package" || echo "$package"
    done
}

# Runs a command without its output, which is shown only when it fails.
quietly()
{
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    [ "$status" = 0 ] || tail -n 60 "$log" >&2
    rm -f "$log"
    return "$status"
}

# apt_install PACKAGE...: as root, or with sudo, and says so.
apt_install()
{
    local as_root=()
    have apt-get || die "missing: $* (Debian's names); there is no apt-get here, please install them yourself"
    if [ "$(id -u)" != 0 ]; then
        have sudo || die "missing: $*; as root run: apt-get update && apt-get install $*"
        as_root=(sudo)
    fi
    say "installing with apt${as_root[0]:+ and sudo}: $*"
    quietly "${as_root[@]}" apt-get -q update || say "apt-get update failed; trying with the lists that are there"
    quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 install "$@"
}

# need_packages PACKAGE...: installs what is missing or ends the script.
need_packages()
{
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" = 0 ] && return
    apt_install "${missing[@]}" || die "apt could not install: ${missing[*]}"
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" = 0 ] || die "installed, and still not usable: ${missing[*]}"
}

# want_packages PACKAGE...: the same, but goes on without those that cannot be had; says what will be skipped.
want_packages()
{
    local package missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" = 0 ] && return
    [ "${#missing[@]}" = 1 ] || (apt_install "${missing[@]}") && return
    for package in "${missing[@]}"; do
        (apt_install "$package") || say "no $package here: the tests that need it are skipped"
    done
}

# configure DIRECTORY OPTION...: a meson build directory with these options.
configure()
{
    local directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        quietly meson configure "$directory" "$@"
    elif [ -d "$directory/meson-private" ]; then
        quietly meson setup --wipe "$directory" "$root" "$@"
    else
        quietly meson setup "$directory" "$root" "$@"
    fi
}

# compile DIRECTORY [SECONDS]: ninja, with its progress on a terminal, without it elsewhere.
compile()
{
    local ninja=(timeout --foreground "${2:-3600}" ninja -C "$1")
    if [ -t 1 ]; then
        "${ninja[@]}"
    else
        quietly "${ninja[@]}"
    fi
}

# built DIRECTORY NAME: the path of a program that was built there.
built()
{
    local path
    path=$(find "$1/src" "$1/examples" -type f -name "$2" -perm -u+x 2>/dev/null | head -n 1)
    [ -n "$path" ] || die "$2 was not built in $1"
    echo "$path"
}
