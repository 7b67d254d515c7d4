#!/bin/sh
# valgrind.sh MPIEXEC PROGRAM...: each example on 2 ranks, over shared memory and over TCP, under
# valgrind: no wrong access, no use of what was never set, nothing lost.
set -u
command -v valgrind >/dev/null || {
    echo "skipped: there is no valgrind here"
    exit 77
}
mpiexec=$1
shift
for transport in shm tcp; do
    for program; do
        if ! out=$(PEAL_TRANSPORT=$transport "$mpiexec" -n 2 valgrind -q --error-exitcode=99 --leak-check=full \
            --errors-for-leak-kinds=definite,indirect "$program" 2>&1); then
            echo "$out" | tail -n 60
            echo "$program fails under valgrind over $transport"
            exit 1
        fi
        echo "$program over $transport: clean"
    done
done
