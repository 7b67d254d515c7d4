/* What the host hands to the kernels: plain structs, passed by value. */
#ifndef PL_CUDA_KERNELS_H
#define PL_CUDA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define PL_KERNEL_OPERANDS 16

/* out[k][i] = in[0][i] op in[1][i] op ..., by the kernel "pl_OP_KIND". */
struct pl_kernel_reduction {
    const void *in[PL_KERNEL_OPERANDS];
    void *out[PL_KERNEL_OPERANDS];
    int inputs, outputs;
    unsigned long long count;
};

/* Blocks in strides, and where the first byte of them is in the packed form. */
struct pl_kernel_strip {
    unsigned long long address, length, count, at;
    long long stride;
};

/* Packs (kernel "pl_gather") or unpacks ("pl_scatter") strips. */
struct pl_kernel_strips {
    const struct pl_kernel_strip *strips;
    void *packed;
    int n;
};

#endif
