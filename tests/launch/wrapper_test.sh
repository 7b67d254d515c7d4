#!/bin/sh
# The compiler wrappers, laid out as an installation in two places: what they
# answer, and that they find their own library before anyone else's.
#   wrapper_test.sh MPICC MPICXX BINDIR INCLUDEDIR LIBDIR
set -eu
mpicc=$1 mpicxx=$2 bindir=$3 includedir=$4 libdir=$5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

expect() { # what, awaited, got
    if [ "$2" != "$3" ]; then
        printf 'FAILED: %s\n  awaited: %s\n  got:     %s\n' "$1" "$2" "$3"
        failed=1
    fi
}

for place in "$dir/one" "$dir/two words"; do
    mkdir -p "$place/$bindir" "$place/$includedir" "$place/$libdir" "$dir/other"
    cp "$mpicc" "$mpicxx" "$place/$bindir"
    chmod +x "$place/$bindir/mpicc" "$place/$bindir/mpicxx"
    ln -sf mpicxx "$place/$bindir/mpic++"
    bin=$place/$bindir inc=$place/$includedir lib=$place/$libdir
    echo 'int peal_is_here(void);' >"$inc/mpi.h"
    echo 'int peal_is_here(void) { return 0; }' >"$dir/lib.c"
    echo 'int peal_is_here(void) { return 1; }' >"$dir/other.c"
    cc -shared -fPIC -o "$lib/libmpi_abi.so" "$dir/lib.c"
    cc -shared -fPIC -o "$dir/other/libmpi_abi.so" "$dir/other.c"
    printf '#include <mpi.h>\nint main(void) { return peal_is_here(); }\n' >"$dir/main.c"

    link="-L$lib -Wl,-rpath,$lib -lmpi_abi"
    expect compile "-I$inc" "$("$bin/mpicc" -showme:compile)"
    expect link "$link" "$("$bin/mpicc" --showme:link)"
    expect incdirs "$inc" "$("$bin/mpicc" -showme:incdirs)"
    expect libdirs "$lib" "$("$bin/mpicc" -showme:libdirs)"
    expect libs mpi_abi "$("$bin/mpicc" -showme:libs)"
    expect command cc "$("$bin/mpicc" -showme:command)"
    expect show "cc -I$inc -L$lib a.c -Wl,-rpath,$lib -lmpi_abi" "$("$bin/mpicc" -show a.c)"
    expect "show -c" "cc -I$inc -c a.c" "$("$bin/mpicc" a.c --showme -c | sed 's/a.c -c/-c a.c/')"
    expect compile-info "cc -I$inc -c" "$("$bin/mpicc" -compile-info)"
    expect link-info "cc $link" "$("$bin/mpicc" -link-info)"
    expect PEAL_CC mycc "$(PEAL_CC=mycc MPICH_CC=no "$bin/mpicc" -showme:command)"
    expect MPICH_CC mycc "$(MPICH_CC=mycc OMPI_CC=no "$bin/mpicc" -showme:command)"
    expect OMPI_CXX mycxx "$(OMPI_CXX=mycxx "$bin/mpicxx" -showme:command)"
    expect "-cc=" "mycc -I$inc -c a.c" "$(MPICH_CC=no "$bin/mpicc" -cc=mycc -show -c a.c)"
    expect "--show" "$("$bin/mpicc" -show a.c)" "$("$bin/mpicc" --show a.c)"
    expect "-showme" "$("$bin/mpicc" -show a.c)" "$("$bin/mpicc" -showme a.c)"
    expect "-show alone" "cc -I$inc -L$lib -Wl,-rpath,$lib -lmpi_abi" "$("$bin/mpicc" -show)"
    expect "-compile_info" "$("$bin/mpicc" -compile-info)" "$("$bin/mpicc" -compile_info)"
    expect "-link_info" "$("$bin/mpicc" -link-info)" "$("$bin/mpicc" -link_info)"
    for form in compile link incdirs libdirs libs version command; do
        expect "--showme:$form" "$("$bin/mpicxx" "-showme:$form")" "$("$bin/mpicxx" "--showme:$form")"
    done
    expect version 1 "$("$bin/mpic++" --showme:version | grep -c 'Peal [0-9.]* (Language: C++)')"
    expect unknown 1 "$("$bin/mpicc" -showme:nothing 2>/dev/null || echo $?)"

    "$bin/mpicc" -c "$dir/main.c" -o "$dir/main.o"
    "$bin/mpicc" -L"$dir/other" "$dir/main.o" -o "$dir/main"
    expect "ours before another -L" 0 "$(env -u LD_LIBRARY_PATH "$dir/main" && echo 0 || echo 1)"
    ln -sf "$bin/mpicc" "$dir/link"
    expect "through a link" "-I$inc" "$("$dir/link" -showme:compile)"
    "$bin/mpicc" --version >"$dir/version"
    "$bin/mpicc" -v 2>>"$dir/version"
done
exit $failed
