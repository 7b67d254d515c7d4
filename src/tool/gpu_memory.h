/* A piece of device memory for trials, made as a program would make it. */
#ifndef PL_GPU_MEMORY_H
#define PL_GPU_MEMORY_H

#include <stddef.h>

struct pl_gpu_memory {
    void *library; /* dlopen's */
    void *address; /* on the device */
    int device;
};

/* `bytes` on device number `which` modulo their count, whose primary context is the thread's from then on. 0
 * or an error. */
int pl_gpu_memory_make(struct pl_gpu_memory *memory, int which, size_t bytes);
/* Accepts what was not made. */
void pl_gpu_memory_drop(struct pl_gpu_memory *memory);

#endif
