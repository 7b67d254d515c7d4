#!/bin/sh
# curve.sh MPIEXEC PEAL-TRAIN: the same seed and batch give the same loss curve on any
# number of ranks: within rounding normally, to the bit in reproducible mode (weights
# compared by cmp). The bits need an allreduce with a fixed tree, so they are asked for
# only with CURVE_EXACT=1; under another MPI the rest can be run.
set -u
mpiexec=$1 train=$2 failed=0
room=$(mktemp -d) || exit 1
trap 'rm -r "$room"' EXIT

# run NAME RANKS option...: its output and weights are left in $room.
run() {
    name=$1 ranks=$2
    shift 2
    if ! "$mpiexec" -n "$ranks" "$train" --seed 3 --save "$room/$name.weights" "$@" >"$room/$name.out" 2>"$room/$name.err"; then
        echo "FAIL: $name on $ranks ranks:"
        cat "$room/$name.out" "$room/$name.err"
        exit 1
    fi
}

. "$(dirname "$0")/near.sh"

same_bits() {
    if cmp "$room/$1.weights" "$room/$2.weights" && [ "$(losses "$room/$1.out")" = "$(losses "$room/$2.out")" ]; then
        echo "ok: $1 and $2 have the same bits"
    else
        echo "FAIL: $1 and $2 should have the same bits"
        failed=1
    fi
}

final_line='^final: loss [0-9]+\.[0-9]{4} accuracy [0-9]+\.[0-9]{2}% images/s [0-9]+ comm [0-9]+\.[0-9]%$'

# The last digits of a curve drift apart over the steps, so few epochs tell more.
for model in lenet mlp; do
    for ranks in 1 2 4; do
        run "$model-$ranks" "$ranks" --model "$model" --epochs 2
        if ! tail -n 1 "$room/$model-$ranks.out" | grep -Eq "$final_line"; then
            echo "FAIL: the last line is not the final line:"
            tail -n 1 "$room/$model-$ranks.out"
            failed=1
        fi
        [ "$ranks" = 1 ] || near "$model-1" "$model-$ranks"
    done
done

# A batch that neither ranks nor shards divide; 12000 is no multiple of it either.
run odd-1 1 --epochs 1 --batch 37
run odd-3 3 --epochs 1 --batch 37
near odd-1 odd-3

for ranks in 1 2 3 4; do
    run "reproducible-$ranks" "$ranks" --epochs 1 --batch 60 --reproducible
done
run reproducible-again 2 --epochs 1 --batch 60 --reproducible
for other in 2 3 4 again; do
    if [ "${CURVE_EXACT:-0}" = 1 ]; then
        same_bits reproducible-1 "reproducible-$other"
    else
        near reproducible-1 "reproducible-$other"
    fi
done
[ "${CURVE_EXACT:-0}" = 1 ] || echo "skip: equal bits (CURVE_EXACT is not 1)"
exit "$failed"
