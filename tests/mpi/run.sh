#!/bin/sh
# run.sh MPIEXEC PROGRAM TRANSPORT RANKS...: the MPI suite as a program, on each number of ranks.
# TRANSPORT `hydra`: MPIEXEC is Hydra's, if there is one.
set -u
mpiexec=$1 program=$2 transport=$3
shift 3
if [ "$transport" = hydra ]; then
    mpiexec=$(command -v mpiexec.hydra) || {
        echo 'skipped: there is no mpiexec.hydra here (Debian: mpich)'
        exit 77
    }
    transport=shm,tcp
fi
for ranks; do
    out=$(PEAL_TRANSPORT=$transport timeout -k 5 100 "$mpiexec" -n "$ranks" "$program" ${CASES:-} 2>&1)
    code=$?
    if [ $code != 0 ] || ! echo "$out" | grep -q "^all right: [1-9][0-9]* cases on $ranks ranks$"; then
        echo "$out" | tail -n 60
        echo "on $ranks ranks over $transport: exit code $code"
        exit 1
    fi
    echo "$out" | tail -n 1
done
