#!/bin/sh
# bad_input.sh MPIEXEC PEAL-TRAIN: whatever is asked for wrongly, all ranks end soon, with
# one clear line on standard error and the exit code that main.c promises.
set -u
mpiexec=$1 train=$2 failed=0
room=$(mktemp -d) || exit 1
trap 'rm -r "$room"' EXIT

# refuse CODE TEXT option...: on 3 ranks; TEXT must be in the one line of complaint.
refuse() {
    code=$1 text=$2
    shift 2
    timeout 30 "$mpiexec" -n 3 "$train" "$@" >"$room/out" 2>"$room/err"
    got=$?
    if [ "$got" = "$code" ] && grep -Fq "$text" "$room/err" && [ "$(grep -c '^peal-train: ' "$room/err")" = 1 ]; then
        echo "ok: $* -> $(grep '^peal-train: ' "$room/err")"
    else
        echo "FAIL: $*: exit code $got, not $code, or no \"$text\" (once) in:"
        cat "$room/err"
        failed=1
    fi
}

refuse 2 "no such option" --bogus
refuse 2 "its value is missing" --epochs
refuse 2 "should be a whole number" --epochs 0
refuse 2 "should be a whole number" --batch 12x
refuse 2 "should be a whole number" --seed=-1
refuse 2 "should be a number above 0" --lr nan
refuse 2 "there are lenet and mlp" --model resnet
refuse 2 "No such file or directory" --data "$room/nowhere"
refuse 2 "holds no IDX files" --data "$room"
refuse 2 "cannot be written" --save "$room/nowhere/weights"
refuse 2 "is a directory" --save "$room"

mkdir "$room/cut" "$room/tiny"
printf '\0\0\010\003\0\0\0\012\0\0\0\034\0\0\0\034short' >"$room/cut/train-images-idx3-ubyte"
printf '\0\0\010\001\0\0\0\012\0\1\2\3\4\5\6\7\10\11' >"$room/cut/train-labels-idx1-ubyte"
refuse 2 "is cut short" --data "$room/cut"
printf '\0\0\010\003\0\0\0\012\0\0\0\001\0\0\0\0010123456789' >"$room/tiny/train-images-idx3-ubyte"
cp "$room/cut/train-labels-idx1-ubyte" "$room/tiny"
refuse 1 "images of 1 x 1 pixels" --data "$room/tiny"

# What a file held is still there when the training comes to nothing.
echo precious >"$room/kept"
refuse 1 "no longer a number" --lr 1000 --epochs 1 --save "$room/kept"
if [ "$(cat "$room/kept")" != precious ] || [ -e "$room/kept.part" ]; then
    echo "FAIL: --save touched its file, or left another, though nothing was trained"
    failed=1
fi
if [ -c /dev/full ]; then
    refuse 1 "could not be written" --epochs 1 --model mlp --save /dev/full
    grep -q '^final: ' "$room/out" || { echo "FAIL: the result is lost with the file"; failed=1; }
fi

for option in --help --version; do
    if ! "$mpiexec" -n 2 "$train" "$option" >"$room/out" || [ "$(grep -c peal-train "$room/out")" != 1 ]; then
        echo "FAIL: $option"
        cat "$room/out"
        failed=1
    fi
done
exit "$failed"
