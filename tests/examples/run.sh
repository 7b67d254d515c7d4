#!/bin/sh
# run.sh MPIEXEC PROGRAM RANKS...: the example must end with 0 and say "right" on each
# number of ranks; 01_hello must also greet once a rank.
set -u
mpiexec=$1 program=$2
shift 2
for ranks; do
    if ! out=$("$mpiexec" -n "$ranks" "$program" 2>&1); then
        echo "$out"
        echo "$program failed on $ranks ranks"
        exit 1
    fi
    echo "--- $ranks ranks"
    echo "$out"
    if ! echo "$out" | grep -q ': right$' || echo "$out" | grep -q WRONG; then
        echo "$program said nothing right on $ranks ranks"
        exit 1
    fi
    case $program in
        *01_hello)
            greetings=$(echo "$out" | grep -c "^hello from rank [0-9]* of $ranks on ")
            [ "$greetings" = "$ranks" ] || {
                echo "$greetings greetings from $ranks ranks"
                exit 1
            }
            ;;
    esac
done
