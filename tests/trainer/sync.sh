#!/bin/sh
# sync.sh MPIEXEC TRAINER: each way to learn together learns; a synchronous parameter server has allreduce's losses.
set -u
mpiexec=$1 train=$2
run()
{
    ranks=$1
    shift
    out=$("$mpiexec" -n "$ranks" "$train" --model mlp --epochs 2 --batch 120 --lr 0.05 "$@" 2>&1) || {
        echo "$out"
        echo "peal-train $* failed on $ranks ranks"
        exit 1
    }
    line=$(echo "$out" | tail -n 1)
    loss=$(echo "$line" | sed -n 's/^final: loss \([0-9.]*\) .*/\1/p')
    accuracy=$(echo "$line" | sed -n 's/.* accuracy \([0-9.]*\)%.*/\1/p')
    echo "$ranks ranks, $*: loss $loss, accuracy $accuracy"
}
right()
{
    awk "BEGIN { exit !($1) }" || {
        echo "wrong: not $1"
        exit 1
    }
}
run 2 --sync ring
ring=$loss
right "$accuracy > 90"
run 3 --sync ps
right "$loss > 0.999 * $ring && $loss < 1.001 * $ring"
run 5 --sync ps --servers 3 --replicas 2
right "$loss > 0.999 * $ring && $loss < 1.001 * $ring"
run 3 --sync ps-bounded:2 --slow 1
right "$accuracy > 90"
run 4 --sync ps-async --servers 2 --replicas 2
right "$accuracy > 90"
run 2 --sync average:5
right "$accuracy > 90"
for bad in "--sync rings" "--sync ps-bounded" "--sync ring:2" "--sync average:0" "--sync ps --servers 9" \
    "--sync ps --replicas 2" "--sync ps --reproducible" "--servers 1" "--replicas 1" "--sync average:4 --servers 1"; do
    # shellcheck disable=SC2086
    out=$("$mpiexec" -n 3 "$train" --epochs 1 $bad 2>&1)
    code=$?
    [ $code = 2 ] && echo "$out" | grep -q '^peal-train: ' || {
        echo "$out"
        echo "$bad: exit code $code"
        exit 1
    }
done
