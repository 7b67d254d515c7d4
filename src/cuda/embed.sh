#!/bin/sh
# embed.sh NVCC KERNELS.cu FATBIN ASSEMBLY: compiles the kernels, and writes a source that puts the result
# into an object as pl_cuda_image.
set -eu
nvcc=$1 source=$2 fatbin=$3 assembly=$4
"$nvcc" -O3 -fmad=false -std=c++17 --fatbin -I"$(dirname "$source")" -o "$fatbin" \
    -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 \
    -gencode arch=compute_90,code=compute_90 "$source"
cat >"$assembly" <<END
    .section .rodata
    .globl pl_cuda_image
    .hidden pl_cuda_image
    .balign 16
pl_cuda_image:
    .incbin "$fatbin"
    .byte 0
    .section .note.GNU-stack,"",%progbits
END
