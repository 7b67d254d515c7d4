#!/bin/sh
# respawned.sh MPIEXEC PROGRAM: servers die by kill -9 and mpiexec replaces them; the replacements get copies.
set -u
mpiexec=$1 program=$2
for transport in shm tcp; do
    out=$(PEAL_TRANSPORT=$transport timeout -k 5 90 "$mpiexec" --respawn -n 5 "$program" 2 2>&1)
    code=$?
    if [ "$code" != 0 ] || ! echo "$out" | grep '^all right: 4 servers'; then
        echo "$out"
        echo "exit code $code over $transport"
        exit 1
    fi
done
