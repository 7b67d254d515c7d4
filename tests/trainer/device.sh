#!/bin/sh
# device.sh MPIEXEC PEAL-TRAIN DOUBLE SHIM: `peal-train --device cuda`, on a double of the driver (in the folder
# DOUBLE) and a stand-in for cuBLAS (in SHIM): the loss curve is that of --device cpu, on one rank and on
# several that share a device; and what is said where something is missing.
set -u
mpiexec=$1 train=$2 double=$3 shim=$4 failed=0
room=$(mktemp -d) || exit 1
trap 'rm -r "$room"' EXIT

fail() {
    echo "FAIL: $*"
    failed=1
}

# A small set, so that the double, which is slow, has a few dozen steps: 300 of the drawn digits as IDX files.
python3 - "$room" <<'END' || exit 1
import struct, sys, random
random.seed(1)
count, side = 320, 28
# digits as seven-segment-like bars, noisy: anything that can be learnt serves
segments = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"]
bars = {"a": (3, 8, 2, 12), "b": (4, 19, 9, 2), "c": (14, 19, 9, 2), "d": (22, 8, 2, 12), "e": (14, 7, 9, 2),
        "f": (4, 7, 9, 2), "g": (13, 8, 2, 12)}
images, labels = bytearray(), bytearray()
for i in range(count):
    label = random.randrange(10)
    dy, dx = random.randrange(-2, 3), random.randrange(-3, 4)
    image = bytearray(random.randrange(40) for _ in range(side * side))
    for s in segments[label]:
        y, x, h, w = bars[s]
        for a in range(y, y + h):
            for b in range(x, x + w):
                image[(a + dy) * side + b + dx] = 200 + random.randrange(56)
    images += image
    labels.append(label)
open(sys.argv[1] + "/some-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, count, side, side) + images)
open(sys.argv[1] + "/some-labels-idx1-ubyte", "wb").write(struct.pack(">II", 0x801, count) + labels)
END

# run NAME RANKS option...: as on a machine with a GPU.
run() {
    name=$1 ranks=$2
    shift 2
    if ! LD_LIBRARY_PATH="$double:$shim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" FAKECUDA=devices=1 \
        "$mpiexec" -n "$ranks" "$train" --data "$room" --seed 3 --batch 16 --epochs 3 "$@" \
        >"$room/$name.out" 2>"$room/$name.err"; then
        echo "FAIL: $name on $ranks ranks:"
        cat "$room/$name.out" "$room/$name.err"
        exit 1
    fi
}

. "$(dirname "$0")/near.sh"

for model in lenet mlp; do
    run "$model-cpu" 1 --model "$model"
    for ranks in 1 3; do
        run "$model-cuda-$ranks" "$ranks" --model "$model" --device cuda --save "$room/$model-$ranks"
        grep -q ', on fake device 0$' "$room/$model-cuda-$ranks.out" || fail "the device is not named"
        near "$model-cpu" "$model-cuda-$ranks"
    done
    cmp -s "$room/$model-1" "$room/$model-3" && fail "one rank and three have the same bits: was anything shared?"
done
run average-cpu 2 --model mlp --sync average:2
run average-cuda 2 --model mlp --sync average:2 --device cuda
near average-cpu average-cuda
run server-cuda 3 --model mlp --sync ps --device cuda
near mlp-cpu server-cuda

# refuses TEXT SETTING... -- option...: ends with an error that says TEXT.
refuses() {
    text=$1
    shift
    set -- "$@"
    if env "$@" "$mpiexec" -n 2 "$train" --data "$room" --epochs 1 --model mlp --device cuda >"$room/out" 2>&1; then
        fail "with $* it ran"
    elif ! grep -q "$text" "$room/out"; then
        fail "with $* it does not say \"$text\":"
        cat "$room/out"
    else
        echo "ok: $*: $(grep -m 1 "$text" "$room/out")"
    fi
}

both=LD_LIBRARY_PATH=$double:$shim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1' || refuses 'there is no CUDA driver here' LD_LIBRARY_PATH=
refuses 'finds no GPU in this machine' "$both" FAKECUDA=nodevice
refuses 'kernels do not load on fake device' "$both" FAKECUDA=nobinary
refuses 'no memory on fake device' "$both" FAKECUDA=oom=2
refuses 'MPI takes no device buffers here' "$both" PEAL_CUDA=off
exit "$failed"
