/* A second memfd a rank, as large in addresses as the machine has memory, mapped
 * once by its owner and, when first asked for, once by each peer that wants it:
 * translating an address is then one addition. It is created by the first
 * allocation and announced in the segment's header.
 *
 * Blocks are kept in a list ordered by offset, outside the shared memory (no peer
 * can damage it); allocation takes the first that fits, freeing joins neighbours.
 * Both walk the list: MPI_Alloc_mem is called seldom and for large pieces.
 * Pages are claimed by fallocate before an address is given out, so that a full
 * machine is an error here and not a SIGBUS in the user's loop; whole pages of a freed
 * block are given back by punching a hole.
 *
 * Rejected: a memfd for each allocation (a descriptor and a map in each peer for each),
 * growing by mremap (addresses would move).
 */
#include "shm_heap.h"

#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAP_NAME "peal-heap"

enum { UNIT = 64, PAGE = 4096, SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

struct block {
    struct pl_list link;
    size_t offset, size; /* size: up to the next block */
    bool used;
};

void pl_shm_heap_init(struct pl_shm_heap *heap)
{
    *heap = (struct pl_shm_heap){.file = -1};
    pl_list_init(&heap->blocks);
}

void pl_shm_heap_finish(struct pl_shm_heap *heap)
{
    pl_list_each (node, &heap->blocks)
        free(pl_container(node, struct block, link));
    if (heap->base)
        munmap(heap->base, heap->size);
    if (heap->file >= 0)
        close(heap->file);
    pl_shm_heap_init(heap);
}

static struct block *block_create(size_t offset, size_t size)
{
    struct block *b = malloc(sizeof *b);
    if (b)
        *b = (struct block){.offset = offset, .size = size};
    return b;
}

/* Puts `b` into the list just behind `before`. */
static void block_insert(struct block *b, struct pl_list *before)
{
    b->link.prev = before;
    b->link.next = before->next;
    before->next->prev = &b->link;
    before->next = &b->link;
}

static int heap_open(struct pl_shm_heap *heap, struct pl_segment *segment)
{
    size_t size = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit;
    if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < size)
        size = limit.rlim_cur / PAGE * PAGE;
    int file = memfd_create(HEAP_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        pl_fail_errno("shared memory to allocate from: memfd_create");
        return PL_ENOMEM;
    }
    struct block *all = block_create(0, size);
    if (!all) {
        pl_fail(PL_ENOMEM, "out of memory for the heap's first block");
        goto close_file;
    }
    if (ftruncate(file, (off_t)size) || fcntl(file, F_ADD_SEALS, SEALS)) {
        pl_fail_errno("shared memory to allocate from: a file of %zu bytes", size);
        goto free_block;
    }
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (base == MAP_FAILED) {
        pl_fail_errno("shared memory to allocate from: mapping %zu bytes", size);
        goto free_block;
    }
    heap->file = file;
    heap->base = base;
    heap->size = size;
    pl_list_append(&heap->blocks, &all->link);
    segment->heap_base = (uintptr_t)base;
    segment->heap_size = size;
    atomic_store_explicit(&segment->heap, file, memory_order_release);
    return 0;

free_block:
    free(all);
close_file:
    close(file);
    return PL_ENOMEM;
}

/* Bytes the kernel believes it could still give, SIZE_MAX if it does not say. */
static size_t memory_available(void)
{
    size_t kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file)
        return SIZE_MAX;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1)
            break;
    fclose(file);
    return kib ? kib << 10 : SIZE_MAX;
}

/* Makes sure that all pages of the range exist. */
static int claim(struct pl_shm_heap *heap, size_t offset, size_t size)
{
    size_t available = size >= (1 << 20) ? memory_available() : SIZE_MAX;
    if (size > available)
        return pl_fail(PL_ENOMEM, "cannot allocate %zu bytes of shared memory: %zu are available", size, available);
    int result;
    do
        result = fallocate(heap->file, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
    while (result && errno == EINTR);
    if (result) {
        pl_fail_errno("cannot allocate %zu bytes of shared memory", size);
        return PL_ENOMEM;
    }
    return 0;
}

/* Gives back the whole pages of a free block. */
static void punch(struct pl_shm_heap *heap, size_t offset, size_t size)
{
    size_t from = (offset + PAGE - 1) / PAGE * PAGE, to = (offset + size) / PAGE * PAGE;
    if (from < to)
        fallocate(heap->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
}

/* Cuts `b` at `offset`, which lies inside it; the part behind becomes a block of its own. */
static struct block *cut(struct block *b, size_t offset)
{
    struct block *behind = block_create(offset, b->offset + b->size - offset);
    if (!behind)
        return NULL;
    b->size = offset - b->offset;
    block_insert(behind, &b->link);
    return behind;
}

/* Joins a free block with its free neighbours. */
static struct block *join(struct pl_shm_heap *heap, struct block *b)
{
    struct block *next = pl_container(b->link.next, struct block, link);
    if (b->link.next != &heap->blocks && !next->used) {
        b->size += next->size;
        pl_list_remove(&next->link);
        free(next);
    }
    struct block *previous = pl_container(b->link.prev, struct block, link);
    if (b->link.prev != &heap->blocks && !previous->used) {
        previous->size += b->size;
        pl_list_remove(&b->link);
        free(b);
        b = previous;
    }
    return b;
}

static struct block *first_fit(struct pl_shm_heap *heap, size_t size, size_t align)
{
    pl_list_each (node, &heap->blocks) {
        struct block *b = pl_container(node, struct block, link);
        size_t at = (b->offset + align - 1) / align * align;
        if (!b->used && b->size >= size && at - b->offset <= b->size - size)
            return b;
    }
    return NULL;
}

void *pl_shm_heap_alloc(struct pl_shm_heap *heap, struct pl_segment *segment, size_t size)
{
    if (heap->file < 0 && heap_open(heap, segment))
        return NULL;
    if (size > heap->size) {
        pl_fail(PL_ENOMEM, "cannot allocate %zu bytes of shared memory: the machine has %zu", size, heap->size);
        return NULL;
    }
    size_t align = size >= PAGE ? PAGE : UNIT;
    size = size ? (size + UNIT - 1) / UNIT * UNIT : UNIT;
    struct block *b = first_fit(heap, size, align);
    if (!b) {
        pl_fail(PL_ENOMEM, "cannot allocate %zu bytes of shared memory: no gap is left that large", size);
        return NULL;
    }
    size_t at = (b->offset + align - 1) / align * align;
    if (claim(heap, at, size))
        return NULL;
    if (at != b->offset) {
        struct block *behind = cut(b, at);
        if (!behind)
            goto no_block;
        b = behind;
    }
    if (b->size > size && !cut(b, at + size)) {
        join(heap, b);
        goto no_block;
    }
    b->used = true;
    return heap->base + at;

no_block:
    pl_fail(PL_ENOMEM, "out of memory for a block of the shared heap");
    return NULL;
}

bool pl_shm_heap_free(struct pl_shm_heap *heap, void *memory)
{
    uintptr_t at = (uintptr_t)memory, base = (uintptr_t)heap->base;
    if (!heap->base || at < base || at >= base + heap->size)
        return false;
    pl_list_each (node, &heap->blocks) {
        struct block *b = pl_container(node, struct block, link);
        if (b->offset != at - base || !b->used)
            continue;
        size_t size = b->size;
        b->used = false;
        b = join(heap, b);
        if (size >= PAGE)
            punch(heap, b->offset, b->size);
        return true;
    }
    return false;
}

/* Maps the peer's whole heap. */
static bool map_heap(struct pl_segment_view *view, int number)
{
    struct stat status;
    int file = pl_segment_reach(view->pid, number, "/memfd:" HEAP_NAME, O_RDWR);
    if (file < 0)
        return false;
    uint64_t base = view->segment->heap_base, size = view->segment->heap_size;
    int seals = fcntl(file, F_GET_SEALS);
    void *heap = MAP_FAILED;
    if (seals >= 0 && (seals & SEALS) == SEALS && !fstat(file, &status) && size && (uint64_t)status.st_size == size)
        heap = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    close(file);
    if (heap == MAP_FAILED)
        return false;
    view->heap = heap;
    view->heap_base = base;
    view->heap_size = size;
    return true;
}

void *pl_shm_heap_map(struct pl_segment_view *view, uint64_t remote, size_t length)
{
    int number = atomic_load_explicit(&view->segment->heap, memory_order_acquire);
    if (number < 0 || (!view->heap && !map_heap(view, number)))
        return NULL;
    uint64_t at = remote - view->heap_base;
    if (remote < view->heap_base || at > view->heap_size || length > view->heap_size - at)
        return NULL;
    return (char *)view->heap + at;
}
