#!/bin/bash
# How build systems find an MPI: CMake's FindMPI and meson's dependency('mpi'), for C and
# C++, each building a program the way a user would and running it.
#
#   finders.sh PREFIX WORK [BIN]
#
# PREFIX is an installed Peal, put in front of PATH, as its documentation says; Debian's
# Open MPI and MPICH may be installed beside it, and the program tells whose it got. BIN is
# where meson lies. What is missing is said and left out.
set -u -o pipefail
prefix=$1 work=$2/finders meson=${3:-meson}
program=$(cd "$(dirname "$0")" && pwd)/program.c
export PATH=$prefix/bin:$PATH
unset MPI_HOME CC CXX MPICC MPICXX CMAKE_PREFIX_PATH
faults=0

for other in mpicc.openmpi mpicc.mpich; do
    command -v "$other" >/dev/null || echo "note: there is no $other beside Peal here"
done

# runs WHAT PROGRAM: on three ranks, and with Peal's library and nobody else's.
runs()
{
    local out libraries
    out=$("$prefix/bin/mpiexec" -n 3 "$2" 2>&1)
    libraries=$(ldd "$2" | grep -E 'libmpi|libpmpi|libmpich' | grep -v "$prefix/")
    if [ "$(echo "$out" | tail -n 1)" = "3 ranks, sum 3" ] && [ -z "$libraries" ]; then
        echo "ok      $1"
    else
        faults=$((faults + 1))
        echo "FAILED  $1: it says '$out'; libraries that are not Peal's: $libraries"
    fi
}

# builds WHAT LOG COMMAND...: runs it; its log is shown where it fails.
builds()
{
    local what=$1 log=$2
    shift 2
    "$@" >"$log" 2>&1 && return
    faults=$((faults + 1))
    echo "FAILED  $what"
    tail -n 25 "$log"
    return 1
}

rm -rf "$work"
mkdir -p "$work/cmake" "$work/meson"
cp "$program" "$work/cmake/program.c"
cp "$program" "$work/cmake/program.cc"
cp "$work/cmake/program.c" "$work/cmake/program.cc" "$work/meson"

cat >"$work/cmake/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.10)
project(user C CXX)
find_package(MPI REQUIRED COMPONENTS C CXX)
message(STATUS "found ${MPI_C_VERSION} ${MPI_CXX_VERSION} ${MPI_C_LIBRARIES}")
if(NOT MPI_C_VERSION VERSION_EQUAL 5.0 OR NOT MPI_CXX_VERSION VERSION_EQUAL 5.0)
  message(FATAL_ERROR "this is not MPI 5.0")
endif()
add_executable(by_c program.c)
target_link_libraries(by_c MPI::MPI_C)
add_executable(by_cxx program.cc)
target_link_libraries(by_cxx MPI::MPI_CXX)
enable_testing()
add_test(NAME ranks COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 2 $<TARGET_FILE:by_c>)
set_tests_properties(ranks PROPERTIES PASS_REGULAR_EXPRESSION "2 ranks, sum 1")
END
cat >"$work/meson/meson.build" <<'END'
project('user', 'c', 'cpp')
executable('by_c', 'program.c', dependencies: dependency('mpi', language: 'c'))
executable('by_cxx', 'program.cc', dependencies: dependency('mpi', language: 'cpp'))
END

cmake_finds()
{
    cmake -S "$work/cmake" -B "$work/cmake/build" "$@" && cmake --build "$work/cmake/build"
}

if ! command -v cmake >/dev/null; then
    echo "skipped: FindMPI: there is no cmake here"
else
    if builds "CMake, by PATH" "$work/cmake.log" cmake_finds; then
        runs "CMake FindMPI, C" "$work/cmake/build/by_c"
        runs "CMake FindMPI, C++" "$work/cmake/build/by_cxx"
        builds "CTest by MPIEXEC_EXECUTABLE" "$work/ctest.log" env -C "$work/cmake/build" ctest &&
            echo "ok      CTest runs it by MPIEXEC_EXECUTABLE"
    fi
    rm -rf "$work/cmake/build"
    if builds "CMake, by MPI_HOME" "$work/cmake.log" cmake_finds -DMPI_HOME="$prefix"; then
        runs "CMake FindMPI by MPI_HOME, C" "$work/cmake/build/by_c"
    fi
    rm -rf "$work/cmake/build"
    if builds "CMake, mpicc as the compiler" "$work/cmake.log" \
        cmake_finds -DCMAKE_C_COMPILER="$prefix/bin/mpicc" -DCMAKE_CXX_COMPILER="$prefix/bin/mpicxx"; then
        runs "CMake with mpicc as the compiler" "$work/cmake/build/by_c"
        runs "CMake with mpicxx as the compiler" "$work/cmake/build/by_cxx"
    fi
fi

meson_finds()
{
    "$meson" setup "$work/meson/$1" "$work/meson" && ninja -C "$work/meson/$1"
}

# Meson asks pkg-config for ompi-c first, whoever's it is, and only then for mpicc in PATH. So
# where Open MPI is beside Peal, PKG_CONFIG_PATH decides, and Peal has a module of that name.
for way in wrappers pkg-config; do
    unset PKG_CONFIG_PATH PKG_CONFIG_LIBDIR
    if [ $way = wrappers ]; then
        export PKG_CONFIG_LIBDIR=$work/nothing
    else
        PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name mpi.pc)")
        export PKG_CONFIG_PATH
    fi
    if builds "meson, by $way" "$work/meson.log" meson_finds $way; then
        LD_LIBRARY_PATH=$(dirname "$(find "$prefix" -name libmpi_abi.so.1)")
        export LD_LIBRARY_PATH
        runs "meson dependency('mpi') by $way, C" "$work/meson/$way/by_c"
        runs "meson dependency('mpi') by $way, C++" "$work/meson/$way/by_cxx"
        unset LD_LIBRARY_PATH
    fi
done
exit $((faults > 0))
