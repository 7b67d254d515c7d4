#!/bin/sh
# alone.sh ROOT CC...: each header compiles as the first and only thing in a file, twice over.
#
# The public ones in strict C99, C11, C17 and C++ (where there is a C++ compiler) and with
# every warning; a floor's own with the include directories of the floors below it.
set -u
root=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tried=0 faults=0

# compile WHAT HEADER COMMAND...
compile()
{
    what=$1 header=$2
    shift 2
    tried=$((tried + 1))
    if ! printf '#include "%s"\n#include "%s"\n' "$header" "$header" | "$@" -fsyntax-only - >"$work/out" 2>&1; then
        faults=$((faults + 1))
        echo "$header does not stand alone ($what):"
        head -n 20 "$work/out"
    fi
}

for header in mpi.h mpi_functions.h mpi_large_counts.h mpi_profiling.h mpi-ext.h peal.h peal_ps.h; do
    [ -f "$root/include/$header" ] || continue
    for standard in c99 c11 c17; do
        compile "$standard" "$header" "$@" -x c -std=$standard -Wall -Wextra -Wpedantic -Wundef -Werror \
            -I "$root/include"
    done
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        for standard in c++11 c++17; do
            compile "$cxx $standard" "$header" $cxx -x c++ -std=$standard -Wall -Wextra -Wpedantic -Werror \
                -I "$root/include"
        done
    done
done

floors="-I$root/src/base"
for floor in base cuda transport p2p collectives world mpi; do
    [ -d "$root/src/$floor" ] || continue
    floors="$floors -I$root/src/$floor"
    [ "$floor" != mpi ] || floors="$floors -I$root/include"
    for header in "$root/src/$floor"/*.h; do
        [ -f "$header" ] || continue
        # shellcheck disable=SC2086 # these are words
        compile "src/$floor" "${header##*/}" "$@" -x c -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
            -Wno-unused-parameter -Wno-unused-function $floors
    done
done

echo "$tried compiled, $faults faults"
[ "$faults" = 0 ] && [ "$tried" -gt 0 ]
