#!/bin/sh
# run.sh MPIEXEC PROGRAM TRANSPORT RANKS [CHAPTER]...: the MPI suite with device buffers (everywhere.c); says
# how much of it was on a device, and fails when nothing was.
set -u
mpiexec=$1 program=$2 transport=$3 ranks=$4
shift 4
out=$(PEAL_TRANSPORT=$transport timeout -k 5 170 "$mpiexec" -n "$ranks" "$program" "$@" 2>&1)
code=$?
if [ $code != 0 ] || ! echo "$out" | grep -q "^all right: [1-9][0-9]* cases on $ranks ranks$" ||
    ! echo "$out" | grep -q "^device buffers .* [1-9][0-9]* bytes moved"; then
    echo "$out" | tail -n 60
    echo "on $ranks ranks over $transport, FAKECUDA=${FAKECUDA:-}, TEST_DEVICE=${TEST_DEVICE:-all}: exit code $code"
    exit 1
fi
echo "$out" | tail -n 2
