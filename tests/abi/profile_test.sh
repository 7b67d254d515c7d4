#!/bin/sh
# The PMPI interface, as tools use it: a profiling library put in front by LD_PRELOAD, and
# linked in front; on one rank without a launcher and on three under mpiexec.
#   profile_test.sh MPIEXEC PROFILED PROFILED_LINKED PROFILER
set -u
mpiexec=$1 plain=$2 linked=$3 profiler=$4
said='profile: 2 sends, 2 receives, 2 waits, 3 allreduces, 1 splits'
failed=0

# expect LINES WHAT COMMAND...: `said` that many times on standard output and nothing else.
expect()
{
    lines=$1 what=$2
    shift 2
    out=$("$@") || { echo "FAILED: $what: exit code $?"; failed=1; }
    if [ "$(echo "$out" | grep -cxF "$said")" != "$lines" ] || [ "$(echo "$out" | grep -c .)" != "$lines" ]; then
        printf 'FAILED: %s: awaited %s times "%s", got:\n%s\n' "$what" "$lines" "$said" "$out"
        failed=1
    fi
}

expect 0 'without a profiler' "$mpiexec" -n 2 "$plain"
expect 1 'preloaded, one rank' env LD_PRELOAD="$profiler" "$plain"
expect 3 'preloaded, three ranks' "$mpiexec" -n 3 -env LD_PRELOAD "$profiler" "$plain"
expect 1 'linked in front, one rank' "$linked"
expect 3 'linked in front, three ranks' "$mpiexec" -n 3 "$linked"
exit $failed
