# Sourced by tests that compare loss curves; the outputs of peal-train are in $room, $failed is set to 1.
# shellcheck shell=sh disable=SC2034,SC2046,SC2154

losses() {
    sed -n 's/^epoch.*loss \([0-9.]*\) .*/\1/p' "$1"
}

# near A B: the epochs' losses differ by less than 2 % or 0.005.
near() {
    losses "$room/$1.out" >"$room/a"
    losses "$room/$2.out" >"$room/b"
    if paste "$room/a" "$room/b" | awk '
        { d = $1 - $2; d = d < 0 ? -d : d; if (NF != 2 || (d > 0.005 && d > 0.02 * $1)) exit bad = 1 }
        END { exit bad || NR == 0 }'; then
        echo "ok: $1 and $2 have the same curve:" $(cat "$room/b")
    else
        echo "FAIL: the losses of $1 and $2 differ:"
        paste "$room/a" "$room/b"
        failed=1
    fi
}
