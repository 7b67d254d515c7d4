#!/bin/sh
# spawn.sh MPIEXEC PROGRAM: worlds that spawn, meet and join; processes that use sessions alone.
set -u
mpiexec=$1 program=$2 failed=0
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT

# expect WHAT COMMAND...: it ends well and says so, once.
expect() {
    what=$1
    shift
    "$@" >"$place/out" 2>"$place/err"
    code=$?
    if [ $code -ne 0 ] || [ "$(grep -c '^all right$' "$place/out")" != 1 ]; then
        echo "$what: exit code $code"
        cat "$place/out" "$place/err"
        failed=1
    fi
}

for ranks in 1 2 3; do
    expect "sessions alone, $ranks ranks" "$mpiexec" -n $ranks "$program" sessions
    expect "MPI's life, $ranks ranks" "$mpiexec" -n $ranks "$program" life
    expect "spawn, $ranks ranks" "$mpiexec" -n $ranks "$program" once
done
expect 'sessions without mpiexec' "$program" sessions
expect "MPI's life without mpiexec" "$program" life
expect 'spawn two programs' "$mpiexec" -n 2 "$program" several
expect 'spawn by threads' "$mpiexec" -n 1 "$program" threads
expect 'spawn nothing' "$mpiexec" -n 2 "$program" nobody
expect 'join' "$mpiexec" -n 3 "$program" join "$place/socket"
for servers in 1 2; do
    "$mpiexec" -n $servers "$program" serve "$place/port$servers" >"$place/serve" 2>&1 &
    expect "connect to $servers" "$mpiexec" -n 3 "$program" visit "$place/port$servers"
    if ! wait $! || ! grep -q '^all right$' "$place/serve"; then
        echo "accept by $servers"
        cat "$place/serve"
        failed=1
    fi
done

exit $failed
