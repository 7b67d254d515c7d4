/* Memory kept between uses. Getting memory from the driver costs from microseconds to milliseconds, and
 * giving it back may wait for the whole device; so what was used once is kept, up to a few blocks.
 *
 * Page-locked memory is what the device copies to and from by itself, at the full speed of the bus and
 * while the CPU does something else. Where it cannot be had (a limit of the system) ordinary memory
 * does, slower.
 */
#include "state.h"

#include "errors.h"
#include "log.h"

#include <stdlib.h>

enum {
    KEPT = 16,            /* free blocks of a pool, at most */
    SMALLEST = 64 * 1024, /* bytes of one, at least */
};

void pl_cuda_pool_init(struct pl_cuda_pool *pool)
{
    pl_list_init(&pool->free);
    pl_list_init(&pool->used);
    pool->kept = 0;
}

static size_t rounded(size_t bytes)
{
    size_t size = SMALLEST;
    while (size < bytes && size < (size_t)1 << 24)
        size *= 2;
    return size < bytes ? (bytes + ((size_t)1 << 20) - 1) >> 20 << 20 : size;
}

/* A free block that is large enough, but not more than twice. */
static struct pl_cuda_block *take(struct pl_cuda_pool *pool, size_t bytes)
{
    pl_list_each(node, &pool->free)
    {
        struct pl_cuda_block *block = pl_container(node, struct pl_cuda_block, link);
        if (block->bytes >= bytes && block->bytes / 2 <= bytes) {
            pl_list_remove(node);
            pl_list_append(&pool->used, node);
            pool->kept--;
            return block;
        }
    }
    return NULL;
}

static void destroy(struct pl_cuda *cuda, struct pl_cuda_block *block, bool device)
{
    pl_list_remove(&block->link);
    if (block->pageable)
        free(block->address);
    else if (device)
        cuda->cu.free(pl_cu_address_of(block->address));
    else
        cuda->cu.host_free(block->address);
    free(block);
}

/* Takes the block back; the one that has been free longest goes when there are too many. */
static bool give_back(struct pl_cuda *cuda, struct pl_cuda_pool *pool, const void *address, bool device)
{
    pl_list_each(node, &pool->used)
    {
        struct pl_cuda_block *block = pl_container(node, struct pl_cuda_block, link);
        if (block->address != address)
            continue;
        pl_list_remove(node);
        pl_list_append(&pool->free, node);
        if (++pool->kept > KEPT) {
            pool->kept--;
            destroy(cuda, pl_container(pl_list_first(&pool->free), struct pl_cuda_block, link), device);
        }
        return true;
    }
    return false;
}

void pl_cuda_pool_finish(struct pl_cuda *cuda, struct pl_cuda_pool *pool, bool device)
{
    struct pl_list *lists[] = {&pool->free, &pool->used};
    for (int i = 0; i < 2; i++)
        pl_list_each(node, lists[i]) destroy(cuda, pl_container(node, struct pl_cuda_block, link), device);
}

static struct pl_cuda_block *block_create(struct pl_cuda_pool *pool, size_t bytes)
{
    struct pl_cuda_block *block = calloc(1, sizeof *block);
    if (!block) {
        pl_fail(PL_ENOMEM, "no memory to keep a block of %zu bytes", bytes);
        return NULL;
    }
    block->bytes = bytes;
    pl_list_append(&pool->used, &block->link);
    return block;
}

void *pl_cuda_pin(struct pl_memory *memory, size_t bytes)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    bytes = rounded(bytes);
    struct pl_cuda_block *block = take(&cuda->pinned, bytes);
    if (block)
        return block->address;
    block = block_create(&cuda->pinned, bytes);
    if (!block)
        return NULL;
    bool entered = cuda->ncontexts && !pl_cuda_enter(cuda->contexts[0]);
    pl_cu_result result = cuda->cu.host_allocate(&block->address, bytes, PL_CU_HOST_PORTABLE);
    if (entered)
        pl_cuda_leave(cuda->contexts[0]);
    if (!result)
        return block->address;
    pl_cu_fail(&cuda->cu, result, "to page-lock memory");
    pl_debug("%s; ordinary memory is used", pl_fail_text());
    block->pageable = true;
    block->address = malloc(bytes);
    if (block->address)
        return block->address;
    pl_list_remove(&block->link);
    free(block);
    pl_fail(PL_ENOMEM, "no memory for %zu bytes on their way to or from a device", bytes);
    return NULL;
}

void pl_cuda_unpin(struct pl_memory *memory, void *address)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    bool entered = cuda->ncontexts && !pl_cuda_enter(cuda->contexts[0]);
    if (address)
        give_back(cuda, &cuda->pinned, address, false);
    if (entered)
        pl_cuda_leave(cuda->contexts[0]);
}

void *pl_cuda_allocate(struct pl_memory *memory, const void *near, size_t bytes)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    struct pl_cuda_context *c = pl_cuda_context_of(cuda, near);
    if (!c)
        return NULL;
    bytes = rounded(bytes);
    struct pl_cuda_block *block = take(&c->pool, bytes);
    if (block)
        return block->address;
    if (pl_cuda_enter(c))
        return NULL;
    block = block_create(&c->pool, bytes);
    pl_cu_address address = 0;
    pl_cu_result result = block ? cuda->cu.allocate(&address, bytes) : 0;
    if (block && !result)
        block->address = (void *)(uintptr_t)address;
    pl_cuda_leave(c);
    if (!result)
        return block ? block->address : NULL;
    pl_list_remove(&block->link);
    free(block);
    pl_cu_fail(&cuda->cu, result, "to get temporary memory on a device");
    return NULL;
}

void pl_cuda_release(struct pl_memory *memory, void *address)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    for (int i = 0; i < cuda->ncontexts && address; i++) {
        struct pl_cuda_context *c = cuda->contexts[i];
        if (pl_cuda_enter(c))
            continue;
        bool found = give_back(cuda, &c->pool, address, true);
        pl_cuda_leave(c);
        if (found)
            return;
    }
}
