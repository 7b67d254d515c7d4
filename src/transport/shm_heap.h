/* Memory that every rank of the host can map: the heap behind alloc, free and map
 * of the shm transport. Private to it. */
#ifndef PL_SHM_HEAP_H
#define PL_SHM_HEAP_H

#include "list.h"
#include "shm_segment.h"

struct pl_shm_heap {
    int file;            /* memfd; -1 until the first allocation */
    char *base;          /* where it is mapped */
    size_t size;         /* bytes of address space */
    struct pl_list blocks; /* struct block, by offset, without gaps */
};

void pl_shm_heap_init(struct pl_shm_heap *heap);
/* Frees everything, allocated or not. */
void pl_shm_heap_finish(struct pl_shm_heap *heap);

/* NULL with the text set by pl_fail when memory is short. At least 64-byte aligned, a
 * page from one page on. The first allocation announces the heap in `segment`. */
void *pl_shm_heap_alloc(struct pl_shm_heap *heap, struct pl_segment *segment, size_t size);
/* false: not from this heap. */
bool pl_shm_heap_free(struct pl_shm_heap *heap, void *memory);

/* The address here of [remote, remote + length) of the peer's heap; NULL: it is not all inside. */
void *pl_shm_heap_map(struct pl_segment_view *view, uint64_t remote, size_t length);

#endif
