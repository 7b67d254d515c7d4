#!/bin/bash
# resources.sh MPIEXEC PROGRAM: a job that is short of something ends with the right data or with an error. Never by a
# signal, never by a time-out, never with wrong data.
set -u
mpiexec=$1 program=$2 status=0
say()
{
    printf '%-44s %s\n' "$1" "$2"
}

# attempt WANTED NAME COMMAND...: WANTED is "well" (code 0) or "either" (or an error that is told).
attempt()
{
    local wanted=$1 name=$2 code=0 out
    shift 2
    out=$(timeout 60 "$@" 2>&1) || code=$?
    if [ "$code" = 77 ]; then
        say "$name" "skipped: $(echo "$out" | head -1)"
    elif [ "$code" = 0 ] && [[ $out == *"all right"* ]]; then
        say "$name" "well"
    elif [ "$wanted" = either ] && [ "$code" -gt 0 ] && [ "$code" -lt 124 ] && [ -n "$out" ] &&
        [[ $out != *"WRONG DATA"* && $out != *signal* && $out != *SIG* ]]; then
        say "$name" "an error: $(echo "$out" | grep -v '^$' | head -1 | cut -c1-90)"
    else
        say "$name" "FAILED with code $code"
        echo "$out" | tail -15
        status=1
    fi
}

for transport in shm tcp; do
    export PEAL_TRANSPORT=$transport
    run=("$mpiexec" -n 3 "$program")
    limited=(bash -c 'ulimit $1 && shift && exec "$@"' limited)
    attempt well "$transport: a storm of signals" "${run[@]}" storm
    attempt well "$transport: children" "${run[@]}" children
    for files in 64 40 32 24 20 16 12 10 8; do
        attempt either "$transport: $files descriptors a process" "${limited[@]}" "-n $files" "${run[@]}"
    done
    attempt either "$transport: 300 MB of addresses" "${limited[@]}" "-v 300000" "${run[@]}"
    attempt either "$transport: 100 MB of addresses" "${limited[@]}" "-v 100000" "${run[@]}"
    attempt either "$transport: files of at most 1 MB" "${limited[@]}" "-f 1000" "${run[@]}"
    attempt either "$transport: no locked memory" "${limited[@]}" "-l 0" "${run[@]}"
    attempt either "$transport: stacks of 256 kB" "${limited[@]}" "-s 256" "${run[@]}"
done
unset PEAL_TRANSPORT
for files in 32 20 16 12 10 8; do
    attempt either "$files descriptors a rank" "$mpiexec" -n 3 bash -c 'ulimit -n $1 && exec "$2"' - "$files" "$program"
done
attempt well "any transport: files of at most 1 MB" bash -c 'ulimit -f 1000 && exec "$@"' - "$mpiexec" -n 3 "$program"
attempt well "shm: reading others' memory refused" "$mpiexec" -n 3 "$program" refused
attempt either "shm: the same, once it had worked" "$mpiexec" -n 3 "$program" refused-later
if unshare -m true 2>/dev/null; then
    attempt well "shm: a /dev/shm of 4 kB" unshare -m sh -c \
        'mount -t tmpfs -o size=4k tmpfs /dev/shm && exec "$@"' sh "$mpiexec" -n 3 "$program"
else
    say "shm: a /dev/shm of 4 kB" "skipped: mounting is not permitted here"
fi
if [ -w /dev/full ]; then
    code=0
    timeout 60 "$mpiexec" -n 3 "$program" >/dev/full 2>/dev/null || code=$?
    if [ "$code" -ge 124 ]; then
        say "mpiexec: output to a full disk" "FAILED with code $code"
        status=1
    else
        say "mpiexec: output to a full disk" "code $code"
    fi
fi
exit "$status"
