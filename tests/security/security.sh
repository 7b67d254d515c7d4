#!/bin/bash
# security.sh MPIEXEC KEY_RANK VICTIM: where the job's key is and where it is not, who can reach the ranks of a job, and
# what a job on one host listens on.
set -u
mpiexec=$1 key_rank=$2 victim=$3 status=0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
fail()
{
    echo "FAILED: $*"
    status=1
}

# The launcher makes a key, a new one each time; it is in no argument, environment or log.
for run in 1 2; do
    PEAL_LOG=debug "$mpiexec" -n 2 "$key_rank" "$directory/key.$run" >"$directory/log.$run" 2>&1 ||
        fail "the key: $(cat "$directory/log.$run")"
    grep -qF "$(cat "$directory/key.$run")" "$directory/log.$run" && fail "the key is in the log"
done
cmp -s "$directory/key.1" "$directory/key.2" && fail "two jobs have the same key"
PEAL_LOG=debug PEAL_TRANSPORT=tcp "$mpiexec" -n 2 "$victim" >"$directory/out" 2>"$directory/log" &
job=$!
for _ in $(seq 100); do
    [ "$(grep -c ^pid "$directory/out" 2>/dev/null)" = 2 ] && break
    sleep 0.1
done
pids=$(sed -n 's/^pid //p' "$directory/out")

# A job on one host listens on loopback alone.
for pid in $pids; do
    inodes=$(ls -l "/proc/$pid/fd" | sed -n 's/.*socket:\[\([0-9]*\)\]/\1/p')
    for inode in $inodes; do
        listens=$(awk -v inode="$inode" '$4 == "0A" && $10 == inode { print $2 }' /proc/net/tcp)
        case $listens in
            '' | 0100007F:*) ;;
            *) fail "rank $pid listens on $listens" ;;
        esac
        [ -z "$listens" ] || ports="${ports:-} $((16#${listens#*:}))"
        wide=$(awk -v inode="$inode" '$4 == "0A" && $10 == inode { print $2 }' /proc/net/tcp6)
        case $wide in
            '' | 00000000000000000000000001000000:*) ;;
            *) fail "rank $pid listens on $wide" ;;
        esac
    done
done
echo "listening on loopback ports:${ports:-none}"
[ -n "${ports:-}" ] || fail "no rank listens"

# Strangers: garbage, silence and a flood of connections to every port; the job goes on.
for port in ${ports:-}; do
    for _ in $(seq 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port" && head -c 200 /dev/urandom >&3) 2>/dev/null
    done
done

# Another user of this host gets at none of a rank's files, memory or environment.
other=$(id -u nobody 2>/dev/null || echo 65534)
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    for pid in $pids; do
        for what in environ mem fd maps; do
            if setpriv --reuid="$other" --regid=65534 --clear-groups \
                sh -c "ls /proc/$pid/$what/ >/dev/null 2>&1 || head -c 1 /proc/$pid/$what >/dev/null 2>&1"; then
                fail "another user reads /proc/PID/$what"
            fi
        done
    done
    echo "another user: kept out"
else
    echo "another user: skipped, this needs root and setpriv"
fi
wait "$job" || fail "the job ended with $?: $(tail -3 "$directory/log")"
grep -q undisturbed "$directory/out" || fail "the job was disturbed"

# The same with encryption, where this build has it.
if PEAL_SECURE=1 PEAL_TRANSPORT=tcp "$mpiexec" -n 3 "$victim" >"$directory/out" 2>"$directory/log"; then
    grep -q undisturbed "$directory/out" || fail "PEAL_SECURE=1: the job was disturbed"
    echo "PEAL_SECURE=1: well"
elif grep -qi "openssl" "$directory/log"; then
    echo "PEAL_SECURE=1: skipped: $(grep -i openssl "$directory/log" | head -1)"
else
    fail "PEAL_SECURE=1: $(tail -3 "$directory/log")"
fi
# And with checksums.
for transport in shm tcp; do
    PEAL_CHECKSUM=1 PEAL_TRANSPORT=$transport "$mpiexec" -n 3 "$victim" >"$directory/out" 2>"$directory/log" ||
        fail "PEAL_CHECKSUM=1 over $transport: $(tail -3 "$directory/log")"
done
[ "$status" = 0 ] && echo "all right"
exit "$status"
