/* gpu.h: one GPU as a rank of the trainer sees it.
 *
 * All work goes, in order, to one stream of the rank's own, which is not in order
 * with the default stream: so the library's copies and reductions of one bucket need
 * not wait for the kernels of the next. Calls return before their work is done,
 * but where they say so. An error sticks: the first is kept, later calls do
 * nothing, and gpu_finish tells.
 */
#ifndef TRAIN_GPU_H
#define TRAIN_GPU_H

#include <stddef.h>

#include "failure.h"
#include "gpu_kernels.h"

struct gpu;

#define GPU_KERNEL_ENUM(name, type) GPU_##name,
enum gpu_kernel { TRAIN_KERNELS(GPU_KERNEL_ENUM) GPU_KERNELS };
#undef GPU_KERNEL_ENUM

enum { GPU_MARKS = 16 };

/* The index-th GPU, counted over and over where there are fewer: several ranks may share one. NULL with a
 * text that says what is missing and what to do. */
struct gpu *gpu_create(int index, struct failure *failure);
void gpu_destroy(struct gpu *gpu);
const char *gpu_name(const struct gpu *gpu);

/* Device memory, on 256 bytes; NULL with a text that names `what`. */
void *gpu_allocate(struct gpu *gpu, size_t bytes, const char *what, struct failure *failure);
void gpu_free(struct gpu *gpu, void *address);

/* Waits: the host's bytes may be used at return. */
void gpu_upload(struct gpu *gpu, void *to, const void *from, size_t bytes);
void gpu_download(struct gpu *gpu, void *to, const void *from, size_t bytes);

/* Starts a kernel on `results` results; `arguments` is its struct, which is copied. */
void gpu_launch(struct gpu *gpu, enum gpu_kernel kernel, void *arguments, size_t results);
/* c = a * b + beta * c; as cblas_sgemm, with rows one after the other: c is m x n, a after transposing m x k.
 */
void gpu_product(struct gpu *gpu, int transpose_a, int transpose_b, int m, int n, int k, const real *a,
                 int row_a, const real *b, int row_b, real beta, real *c, int row_c);

/* Marks are places in the stream, numbered by whoever sets them. */
void gpu_mark(struct gpu *gpu, int mark);
/* 1: all work before the mark is done. After an error always 1. */
int gpu_passed(struct gpu *gpu, int mark);
void gpu_wait(struct gpu *gpu, int mark);

/* Waits for all. -1 with the text of the first error since the GPU was created. */
int gpu_finish(struct gpu *gpu, struct failure *failure);

#endif
