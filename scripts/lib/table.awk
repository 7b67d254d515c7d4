# peal-train's lines as a table. A line reads `epoch 3/10 name value name value
# ...` or `final: name value ...`; the names become the columns, in the order
# in which they first appear.
function add(row, name, value)
{
    if (!(name in width)) {
        names[++columns] = name
        width[name] = length(name)
    }
    cell[row, name] = value
    if (length(value) > width[name])
        width[name] = length(value)
}

{
    sub(/\r+$/, "")
    sub(/^.*\r/, "") # a progress bar that the line took the place of
    gsub(/\033\[K/, "")
}

$1 == "epoch" || $1 == "final:" {
    rows++
    label[rows] = $1 == "epoch" ? $2 : "final"
    sub(":$", "", label[rows])
    for (i = $1 == "epoch" ? 3 : 2; i < NF; i += 2)
        add(rows, $i, $(i + 1))
}

END {
    printf "%8s", "epoch"
    for (c = 1; c <= columns; c++)
        printf "  %*s", width[names[c]], names[c]
    print ""
    for (r = 1; r <= rows; r++) {
        printf "%8s", label[r]
        for (c = 1; c <= columns; c++)
            printf "  %*s", width[names[c]], cell[r, names[c]]
        print ""
    }
}
