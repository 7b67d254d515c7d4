#!/bin/bash
# replay.sh SIMULATE: a seed gives the same log byte for byte on every run, in another process too, and other seeds
# give other logs.
set -u
simulate=$(realpath "$1")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
status=0
for scenario in messages collectives deaths; do
    for seed in 1 2 3 4; do
        for run in first second; do
            "$simulate" -s "$seed" -r 5 "$scenario" >/dev/null 2>&1 || { echo "$scenario: seed $seed failed"; status=1; }
            mv "$scenario-$seed-5.0.log" "$scenario-$seed.$run"
        done
        cmp "$scenario-$seed.first" "$scenario-$seed.second" || status=1
    done
    distinct=$(sha256sum "$scenario"-*.first | cut -d' ' -f1 | sort -u | wc -l)
    [ "$distinct" = 4 ] || { echo "$scenario: 4 seeds gave $distinct different logs"; status=1; }
    echo "$scenario: 4 seeds, $(cat "$scenario"-*.first | wc -l) events, the same twice"
done
exit "$status"
