#!/bin/bash
# hang.sh MPIEXEC PROGRAM: what `mpiexec --explain-after`, `--timeout` and SIGUSR1 tell of jobs that hang, and of one
# that only computes.
mpiexec=$1 program=$2 failed=0

# expect WHAT CODE SAID WORDS...
expect()
{
    local what=$1 code=$2 said=$3 words
    shift 3
    for words; do
        case $said in
        *"$words"*) ;;
        *) printf '%s: "%s" is not said (exit code %s):\n%s\n' "$what" "$words" "$code" "$said"; failed=1 ;;
        esac
    done
}

for transport in shm tcp; do
    said=$(timeout 60 "$mpiexec" --transport $transport --explain-after 1 --timeout 4 -n 2 "$program" cycle 2>&1)
    expect "cycle over $transport" $? "$said" 'a cycle, nobody in it will go on: rank 0 -> 1 -> 0' \
        'for a message from rank 1 with tag 5'

    said=$(timeout 60 "$mpiexec" --transport $transport --explain-after 1 -n 2 "$program" straggler 2>&1)
    code=$?
    expect "straggler over $transport" $code "$said" 'rank 1 waits in MPI_Recv' '(a straggler)'
    [ $code = 0 ] || { echo "the straggler's job ended with $code: $said"; failed=1; }

    said=$(timeout 60 "$mpiexec" --transport $transport --explain-after 0 -n 2 "$program" straggler 2>&1)
    [ -z "$said" ] || { echo "--explain-after 0 says: $said"; failed=1; }

    said=$(timeout 60 "$mpiexec" --transport $transport --timeout 3 -n 2 "$program" unmatched 2>&1)
    expect "unmatched over $transport" $? "$said" 'for a message from rank 0 with tag 4' \
        '1 message that nobody receives, the first from rank 0 with tag 3'
done

file=$(mktemp)
timeout 60 "$mpiexec" -n 2 "$program" cycle 2>"$file" &
child=$!
for _ in $(seq 100); do # until the signal has been answered by two ranks that wait
    sleep 0.2
    pid=$(cat /proc/$child/task/$child/children 2>/dev/null)
    [ -z "$pid" ] || kill -USR1 "${pid%% *}"
    grep -q 'a cycle' "$file" && break
done
expect SIGUSR1 - "$(cat "$file")" 'a cycle, nobody in it will go on: rank 0 -> 1 -> 0'
[ -z "$pid" ] || kill -TERM "${pid%% *}"
wait $child
rm -f "$file"
exit $failed
