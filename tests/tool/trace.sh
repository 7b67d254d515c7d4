#!/bin/bash
# trace.sh MPIEXEC PEAL PROGRAM: what PEAL_STATS tells and PEAL_TRACE writes, of a job that ends well, of one that is killed,
# and where nothing can be written; and that `peal trace` makes one file of it that is JSON.
set -u
mpiexec=$1 peal=$2 program=$3 status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail()
{
    echo "FAILED: $*"
    status=1
}
# has FILE TEXT: a line of it has the text.
has()
{
    grep -q -- "$2" "$1" || fail "no '$2' in $(cat "$1")"
}

for transport in shm tcp; do
    PEAL_TRANSPORT=$transport "$mpiexec" --stats 1 --trace "$work/trace" -n 3 "$program" >"$work/out" 2>"$work/err" ||
        fail "$transport: $(cat "$work/err")"
    has "$work/err" "what 3 of 3 ranks did (PEAL_STATS)"
    [ "$(grep -cE 'peal: +[0-2] .* s +[0-9]+ %' "$work/err")" = 3 ] || fail "$transport: a line a rank: $(cat "$work/err")"
    has "$work/err" "MPI_Send  *6 "
    has "$work/err" "MPI_Allreduce  *30 "
    "$peal" trace "$work/trace" >"$work/out" || fail "peal trace: $?"
    has "$work/out" "rank 2 on "
    has "$work/out" "MPI_Allreduce  *30 "
    python3 - "$work/trace" "$work"/trace.[0-2] <<'PYTHON' || fail "$transport: not what a viewer reads"
import json, sys
whole = json.load(open(sys.argv[1]))
calls = [e for e in whole if e["ph"] == "X"]
assert {e["pid"] for e in calls} == {0, 1, 2}, calls
assert sum(e["name"] == "MPI_Allreduce" for e in calls) == 30
assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in calls)
sends = [e["args"] for e in calls if e["name"] == "MPI_Send"]
assert sends and all(a == {"messages": 1, "bytes": 4000} for a in sends), sends
for name in sys.argv[2:]:
    assert json.load(open(name))
PYTHON
    rm -f "$work"/trace*
done

# Off, nothing is told or written.
"$mpiexec" -n 2 "$program" >"$work/out" 2>"$work/err" || fail "off: $(cat "$work/err")"
[ -s "$work/err" ] && fail "off, and it says: $(cat "$work/err")"

# A rank that dies: the others' counts are told, and its trace can be read as far as it goes.
"$mpiexec" --continue --stats 1 --trace "$work/dead" -n 3 "$program" die >"$work/out" 2>"$work/err"
has "$work/err" "what 2 of 3 ranks did"
"$peal" trace "$work/dead" >"$work/out" || fail "peal trace of the dead: $?"
python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$work/dead" || fail "a trace with a dead rank"
rm -f "$work"/dead*

# Where nothing can be written the job goes on, and says so.
"$mpiexec" --trace "$work/nowhere/trace" -n 2 "$program" >"$work/out" 2>"$work/err" || fail "no folder: $(cat "$work/err")"
has "$work/err" "PEAL_TRACE: cannot write"
if [ -w /dev/full ]; then
    ln -s /dev/full "$work/full.0"
    "$mpiexec" --trace "$work/full" -n 1 "$program" >"$work/out" 2>"$work/err" || fail "a full disk: $(cat "$work/err")"
    has "$work/err" "the trace ends here"
fi

# What is no trace.
"$peal" trace "$work/none" >"$work/out" 2>"$work/err" && fail "a trace that is not there"
has "$work/err" "there is no"
head -c 100000 /dev/urandom >"$work/garbage.0"
"$peal" trace "$work/garbage" >"$work/out" 2>"$work/err" || fail "garbage: $?"
has "$work/out" "not written by Peal"
exit "$status"
