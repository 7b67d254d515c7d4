#!/bin/sh
# killed.sh MPIEXEC PROGRAM: servers and workers die by kill -9; nothing is lost, and the others end in order.
set -u
mpiexec=$1 program=$2
for transport in shm tcp; do
    for deaths in "1 0" "0 1" "1 1" "2 1"; do
        # shellcheck disable=SC2086
        out=$(PEAL_TRANSPORT=$transport timeout -k 5 60 "$mpiexec" --continue -n 7 "$program" $deaths 2>&1)
        code=$?
        echo "$out" | grep '^all right' || {
            echo "$out"
            echo "exit code $code over $transport, killed: $deaths"
            exit 1
        }
    done
done
