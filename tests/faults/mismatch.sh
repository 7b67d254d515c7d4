#!/bin/bash
# mismatch.sh MPIEXEC PROGRAM TRANSPORT: every kind of calls that do not fit together, small and large, on 2, 3 and 5
# ranks. Each rank gets an error with both calls (mismatch.c).
mpiexec=$1 program=$2
export PEAL_TRANSPORT=$3
failed=0 tried=0
for kind in bcast-allreduce roots reduce-roots counts bcast-counts ops types gather-scatter barrier-alltoall \
            order nonblocking finalize comms; do
    for ranks in 2 3 5; do
        [ "$kind$ranks" != comms3 ] && [ "$kind$ranks" != comms5 ] || continue # docs/faults.md: limits
        for count in 2 100000; do
            tried=$((tried + 1))
            if ! said=$(timeout 20 "$mpiexec" -n "$ranks" "$program" "$kind" "$count" 2>&1) ||
                [ "$said" != "all is well" ]; then
                failed=$((failed + 1))
                printf '%s on %s ranks, %s ints, over %s:\n%s\n' "$kind" "$ranks" "$count" "$PEAL_TRANSPORT" "$said"
            fi
        done
    done
done
echo "$tried tried, $failed failed"
[ "$failed" = 0 ]
