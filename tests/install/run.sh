#!/bin/bash
# Installs Peal to a prefix of its own and uses it as a user would:
#
#   run.sh MESON SOURCE WORK
#
# mpicc and friends, pkg-config (peal and mpi), the installed mpiexec; then the
# whole prefix is moved and everything tried again. WORK keeps a build directory
# between runs. Nothing of the build that called this is used.
set -u -o pipefail
meson=$1 source=$2 work=$3
program=$(dirname "$0")/program.c
unset LD_LIBRARY_PATH PKG_CONFIG_PATH DESTDIR PEAL_TRANSPORT PEAL_ALGORITHM
faults=0 tried=0

# try WHAT COMMAND...: one thing that must work.
try()
{
    local what=$1 out
    shift
    tried=$((tried + 1))
    if out=$("$@" 2>&1); then
        echo "ok      $what"
        echo "$out" | grep -E '^(skipped|note):'
    else
        faults=$((faults + 1))
        echo "FAILED  $what: $*"
        echo "$out" | tail -n 20
    fi
}

# ends_with TEXT COMMAND...: succeeds and says TEXT as its last line.
ends_with()
{
    local text=$1 out
    shift
    out=$("$@") || return
    echo "$out"
    [ "$(echo "$out" | tail -n 1)" = "$text" ]
}

# Builds and installs. A build directory from before the project's options changed is not used again:
# it would keep the old ones.
install_to()
{
    local prefix=$1
    rm -rf "$prefix"
    if [ "$work/configured" -ot "$source/meson.build" ] || [ "$work/configured" -ot "$source/meson_options.txt" ]; then
        rm -rf "$work/build" "$work/configured"
        "$meson" setup "$work/build" "$source" --prefix "$prefix" -Dtests=disabled -Doptimization=1 -Dwerror=false &&
            touch "$work/configured"
    else
        "$meson" configure "$work/build" --prefix "$prefix"
    fi && ninja -C "$work/build" && "$meson" install -C "$work/build" --no-rebuild
}

is_there()
{
    local missing=0 file
    for file in bin/mpicc bin/mpicxx bin/mpic++ bin/mpiCC bin/mpiexec bin/mpirun bin/peal-train bin/peal \
        include/mpi.h include/mpi_functions.h include/mpi_large_counts.h include/mpi_profiling.h include/mpi-ext.h \
        include/peal.h include/peal_ps.h; do
        [ -e "$1/$file" ] || { echo "no $file"; missing=1; }
    done
    for file in libmpi_abi.so.1 peal.pc mpi.pc; do
        [ -n "$(find "$1" -name "$file")" ] || { echo "no $file"; missing=1; }
    done
    return "$missing"
}

# What is installed must not need or name the place it was built in.
names_no_build()
{
    local found
    found=$(grep -rIlF -e "$work/build" "$1/lib" "$1/bin" --include='*.pc' --include='mpi*' 2>/dev/null)
    for file in "$1"/bin/* "$1"/lib/*.so* "$1"/lib/*/*.so*; do
        [ -f "$file" ] && readelf -d "$file" 2>/dev/null | grep -E 'R(UN)?PATH' | grep -qF "$work/build" && found+=" $file"
    done
    [ -z "$found" ] || { echo "the build directory is named in: $found"; return 1; }
}

# by_pkg_config PREFIX MODULE: compiles program.c with what pkg-config says, into $work/by-MODULE.
by_pkg_config()
{
    local flags
    flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$1" -name "$2.pc")") pkg-config --cflags --libs "$2") || return
    echo "pkg-config says: $flags"
    case $flags in *"$1"*) ;; *) echo "which does not name $1"; return 1 ;; esac
    # shellcheck disable=SC2086 # these are words
    cc -std=c99 -Wall -Wextra -pedantic -Werror -o "$work/by-$2" "$program" $flags
}

# use PREFIX: everything a user does with an installed Peal.
use()
{
    local prefix=$1 lib
    lib=$(dirname "$(find "$prefix" -name libmpi_abi.so.1)")
    rm -f "$work"/by-*
    try "mpicc compiles C99 without a warning" \
        "$prefix/bin/mpicc" -std=c99 -Wall -Wextra -pedantic -Werror -o "$work/by-mpicc" "$program"
    try "mpicc and peal.h" "$prefix/bin/mpicc" -DWITH_PEAL_H -Wall -Werror -o "$work/by-mpicc-peal" "$program"
    try "mpicc -c, then mpicc links" eval "'$prefix/bin/mpicc' -c -o '$work/by.o' '$program' &&
        '$prefix/bin/mpicc' -o '$work/by-steps' '$work/by.o'"
    try "mpiexec -n 3" ends_with "3 ranks, sum 3" "$prefix/bin/mpiexec" -n 3 "$work/by-mpicc"
    try "mpirun -n 2" ends_with "2 ranks, sum 1" "$prefix/bin/mpirun" -n 2 "$work/by-steps"
    try "without a launcher" ends_with "1 ranks, sum 0" "$work/by-mpicc"
    for module in peal mpi; do
        try "pkg-config $module" by_pkg_config "$prefix" "$module"
        try "mpiexec -n 2, linked by pkg-config $module" ends_with "2 ranks, sum 1" \
            env LD_LIBRARY_PATH="$lib" "$prefix/bin/mpiexec" -n 2 "$work/by-$module"
    done
    if command -v c++ >/dev/null; then
        try "mpicxx compiles C++" "$prefix/bin/mpicxx" -DWITH_PEAL_H -Wall -Werror -x c++ -o "$work/by-mpicxx" "$program"
        try "mpiexec -n 2, the C++ program" ends_with "2 ranks, sum 1" "$prefix/bin/mpiexec" -n 2 "$work/by-mpicxx"
    fi
    try "the installed peal-train starts" \
        "$prefix/bin/mpiexec" -n 2 "$prefix/bin/peal-train" --help
}

mkdir -p "$work" || exit 1
work=$(cd "$work" && pwd)
prefix=$work/prefix moved=$work/moved
rm -rf "$moved"

try "meson install" install_to "$prefix"
[ "$faults" = 0 ] || exit 1
try "everything is installed" is_there "$prefix"
try "nothing names the build" names_no_build "$prefix"
use "$prefix"
echo "-- the prefix moves to '$moved'"
mv "$prefix" "$moved"
use "$moved"
try "build systems find it" "$(dirname "$0")/finders.sh" "$moved" "$work" "$meson"
echo "$tried things tried, $faults failed"
[ "$faults" = 0 ]
