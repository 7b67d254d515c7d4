#!/bin/bash
# mpi4py against Peal: built as a user would, in a virtual environment with MPICC set and
# nothing patched, then its own test suite.
#
#   run.sh MESON BUILD SOURCE WORK
#
# BUILD is a build of Peal, installed from there to WORK/installed. WORK keeps the downloaded
# sources and the built mpi4pys, so that only the first run takes minutes.
#   newest         its whole suite on 1, 2 and 4 ranks, less what docs/coverage.md lists
#   newest, ABI    MPI4PY_BUILD_MPIABI=1: imported, and some of the suite on 2 ranks
#   3.1.4          (Debian's) imported, and some of the suite on 2 ranks
# Skipped (77) without python3, its venv, or a way to get the packages. MPI4PY_SECONDS is
# the whole time it may take: what is left undone then is said, and is a failure.
set -u -o pipefail
meson=$1 build=$2 source=$3 work=$4
seconds=${MPI4PY_SECONDS:-540}
unset PYTHONPATH PEAL_TRANSPORT PEAL_ALGORITHM MALLOC_PERTURB_
export OMP_NUM_THREADS=1 CFLAGS='-O0 -g0' PIP_DISABLE_PIP_VERSION_CHECK=1
faults=0

skip()
{
    echo "skipped: $1"
    exit 77
}

# left LIMIT: LIMIT, or the seconds that are left of the whole time.
left()
{
    local rest=$((seconds - SECONDS))
    [ "$rest" -gt 1 ] || rest=1
    echo $((rest < $1 ? rest : $1))
}

# try WHAT LIMIT COMMAND...: one thing that must work within LIMIT seconds.
try()
{
    local what=$1 limit=$2 began=$SECONDS status=0
    shift 2
    timeout --kill-after=10 "$(left "$limit")" "$@" >"$work/log" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        echo "ok      $what: $(grep -E '^(\[0\] )?(Ran|OK)' "$work/log" | tail -n 2 | tr '\n' ' ')$((SECONDS - began)) s"
    else
        faults=$((faults + 1))
        echo "FAILED  $what: exit code $status after $((SECONDS - began)) s"
        grep -E '(ERROR|FAIL): ' "$work/log" | sort -u | head -n 40
        tail -n 15 "$work/log"
    fi
    return "$status"
}

get_sources()
{
    [ -f "$work/sources/done" ] && return
    "$python" -m pip -q install cython setuptools wheel numpy &&
        "$python" -m pip -q download --no-deps --no-build-isolation --no-binary :all: -d "$work/sources" mpi4py &&
        "$python" -m pip -q download --no-deps --no-build-isolation --no-binary :all: -d "$work/sources" mpi4py==3.1.4 &&
        touch "$work/sources/done"
}

# build_mpi4py NAME ARCHIVE VARIABLE...: into $work/NAME, unless it is there.
build_mpi4py()
{
    local name=$1 archive=$2
    shift 2
    [ -d "$work/$name/mpi4py" ] && return
    rm -rf "$work/build-$name" "$work/half-$name"
    mkdir -p "$work/build-$name" && tar xzf "$archive" --strip-components=1 -C "$work/build-$name" &&
        try "mpi4py $name is built" 300 env "$@" MPICC="$installed/bin/mpicc" \
            "$python" -m pip install --no-build-isolation --no-deps --target "$work/half-$name" "$work/build-$name" &&
        mv "$work/half-$name" "$work/$name"
}

# suite NAME RANKS LIMIT ARGUMENT...: a part of mpi4py's tests.
suite()
{
    local name=$1 ranks=$2 limit=$3
    shift 3
    try "mpi4py $name, $ranks ranks" "$limit" env PYTHONPATH="$work/$name" LD_LIBRARY_PATH="$lib" \
        "$installed/bin/mpiexec" -n "$ranks" -l "$python" "$work/build-$name/test/$main" -q "$@"
}

# The names that docs/coverage.md lists, as options: a module by -e, a class or a test by -x.
left_out()
{
    sed -n '/^## mpi4py/,/^<!--/s/^| `\(test_[^`]*\)` |.*/\1/p' "$source/docs/coverage.md" |
        while read -r name; do
            case $name in
            *.*) printf -- '-x %s ' "$name" ;;
            *) printf -- '-e %s\\.py ' "$name" ;;
            esac
        done
}

command -v python3 >/dev/null || skip "there is no python3"
mkdir -p "$work" && work=$(cd "$work" && pwd) || exit 1
python=$work/venv/bin/python
[ -x "$python" ] || python3 -m venv "$work/venv" >"$work/log" 2>&1 || skip "python3 cannot make a virtual environment"
timeout "$(left 240)" bash -c "$(declare -f get_sources); work='$work' python='$python'; get_sources" >"$work/log" 2>&1 ||
    skip "pip cannot get mpi4py and what builds it: $(tail -n 1 "$work/log")"
newest=$(ls "$work"/sources/mpi4py-*.tar.gz | grep -vF -e -3.1.4. | sort -V | tail -n 1)

rm -rf "$work/installed"
DESTDIR=$work/installed "$meson" install -C "$build" --no-rebuild >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
installed=$(dirname "$(dirname "$(find "$work/installed" -name mpicc)")")
lib=$(dirname "$(find "$work/installed" -name libmpi_abi.so.1)")

if build_mpi4py newest "$newest"; then
    main=main.py
    read -r -a skipped <<<"$(left_out)"
    suite newest 1 300 "${skipped[@]}"
    # What each rank does by itself is slow, and the same on every rank: once is enough.
    for ranks in 2 4; do
        suite newest "$ranks" 300 "${skipped[@]}" -e test_util_dtlib\\.py -x TestDatatypePickle
    done
fi
some=(-i test_cco_buf\\.py -i test_p2p_buf\\.py -i test_datatype\\.py -i test_op\\.py -i test_comm\\.py -i test_handle -i test_mpiabi)
if build_mpi4py abi "$newest" MPI4PY_BUILD_MPIABI=1; then
    main=main.py
    suite abi 2 120 "${some[@]}" -x TestDatatypePickle
fi
if build_mpi4py 3.1.4 "$work/sources/mpi4py-3.1.4.tar.gz"; then
    main=runtests.py
    suite 3.1.4 2 120 --no-builddir -i test_cco_buf -i test_p2p_buf -i test_op -i test_comm\$
fi
echo "$faults failed, $SECONDS s"
[ "$faults" = 0 ]
