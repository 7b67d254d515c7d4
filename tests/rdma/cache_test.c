/* Registrations that are kept: found again while their memory is there, and never after
 * it was unmapped, moved or given back, also by a part of it, and also when something else was mapped
 * at the same address at once. Needs a device; says so and skips where there is none. */
#include "verbs.h"

#include "errors.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LENGTH = 1 << 20, PAGE = 4096 };

static struct pl_verbs_library library;
static struct pl_verbs_device device;
static struct pl_registrations cache;

static void set_up(void)
{
    if (pl_verbs_library_open(&library) || pl_verbs_device_open(&library, "", &device))
        cr_skip_test("no RDMA device here: %s", pl_fail_text());
    pl_registrations_init(&cache, &library, device.domain);
    if (cache.faults < 0)
        cr_skip_test("no userfaultfd here: nothing is kept");
}

static void tear_down(void)
{
    pl_registrations_finish(&cache);
    pl_verbs_device_close(&library, &device);
    pl_verbs_library_close(&library);
}

TestSuite(cache, .init = set_up, .fini = tear_down);

static char *map_at(void *where)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0);
    char *memory = mmap(where, LENGTH, PROT_READ | PROT_WRITE, flags, -1, 0);
    cr_assert(memory != MAP_FAILED);
    memset(memory, 1, LENGTH);
    return memory;
}

/* Registers and lets go; the region's key, which is never the same for two that live. */
static uint32_t key_of(char *memory)
{
    struct pl_registration *got = pl_registration_get(&cache, memory, LENGTH, true);
    cr_assert(got);
    uint32_t key = got->region->rkey;
    pl_registration_put(&cache, got);
    return key;
}

static bool is_kept(const char *memory)
{
    bool kept = false;
    pthread_mutex_lock(&cache.lock); /* munmap may return while the watcher still holds it */
    pl_list_each(node, &cache.kept)
    {
        const struct pl_registration *one = pl_container(node, struct pl_registration, link);
        kept = kept || (one->start <= (uintptr_t)memory && (uintptr_t)memory < one->end);
    }
    pthread_mutex_unlock(&cache.lock);
    return kept;
}

static int how_many(void)
{
    pthread_mutex_lock(&cache.lock);
    int count = cache.count;
    pthread_mutex_unlock(&cache.lock);
    return count;
}

Test(cache, found_again)
{
    char *memory = map_at(NULL);
    uint32_t first = key_of(memory);
    cr_assert(is_kept(memory));
    cr_assert(key_of(memory) == first);
    cr_assert(how_many() == 1);
    struct pl_registration *part = pl_registration_get(&cache, memory + 5000, 100, true);
    cr_assert(part->region->rkey == first, "a part of it is covered");
    pl_registration_put(&cache, part);
    munmap(memory, LENGTH);
}

Test(cache, unmapped_and_mapped_again)
{
    char *memory = map_at(NULL);
    for (int round = 0; round < 50; round++) {
        key_of(memory);
        cr_assert(is_kept(memory));
        munmap(memory, LENGTH);
        cr_assert(!is_kept(memory), "round %d: it is kept after munmap has returned", round);
        map_at(memory);
    }
    munmap(memory, LENGTH);
}

Test(cache, mapped_over)
{
    char *memory = map_at(NULL);
    key_of(memory);
    map_at(memory);
    cr_assert(!is_kept(memory));
    munmap(memory, LENGTH);
}

Test(cache, a_page_of_it)
{
    char *memory = map_at(NULL);
    key_of(memory);
    munmap(memory + LENGTH / 2, PAGE);
    cr_assert(!is_kept(memory), "one page of it was unmapped");
    munmap(memory, LENGTH);
}

Test(cache, given_back)
{
    char *memory = map_at(NULL);
    key_of(memory);
    cr_assert(madvise(memory + PAGE, PAGE, MADV_DONTNEED) == 0);
    cr_assert(!is_kept(memory), "a page of it is a new one after MADV_DONTNEED");
    munmap(memory, LENGTH);
}

Test(cache, moved)
{
    char *memory = map_at(NULL), *beyond = map_at(NULL);
    key_of(memory);
    munmap(beyond, LENGTH);
    cr_assert(mremap(memory, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, beyond) == beyond);
    cr_assert(!is_kept(memory));
    munmap(beyond, LENGTH);
}

/* A registration in use stays valid for its user and is not found by others. */
Test(cache, unmapped_in_use)
{
    char *memory = map_at(NULL);
    struct pl_registration *used = pl_registration_get(&cache, memory, LENGTH, true);
    uint32_t key = used->region->rkey;
    munmap(memory, LENGTH);
    cr_assert(!is_kept(memory) && used->dead);
    map_at(memory);
    cr_assert(key_of(memory) != key);
    pl_registration_put(&cache, used);
    munmap(memory, LENGTH);
}

/* Soft-RoCE takes no dma-buf, and says so; a descriptor of anything else is refused by any driver. */
Test(cache, no_dmabuf)
{
    char *memory = map_at(NULL);
    errno = 0;
    cr_assert(!pl_registration_of_dmabuf(&cache, STDIN_FILENO, 0, memory, LENGTH));
    cr_assert(errno != 0);
    if (!strncmp(device.name, "rxe", 3))
        cr_assert(errno == EOPNOTSUPP, "%s", strerror(errno));
    munmap(memory, LENGTH);
}

/* In place of a driver that takes them: the same memory, registered as the host's. */
static struct ibv_mr *as_host_memory(struct ibv_pd *domain, uint64_t offset, size_t length, uint64_t address,
                                     int fd, int access)
{
    cr_assert(fd == 7 && offset == 3 * PAGE);
    return library.reg_mr(domain, (void *)(uintptr_t)address, length, access);
}

/* Found by address until it is put, also when pages of the host come and go at that address. */
Test(cache, dmabuf)
{
    char *memory = map_at(NULL);
    library.reg_dmabuf_mr = as_host_memory;
    struct pl_registration *all = pl_registration_of_dmabuf(&cache, 7, 3 * PAGE, memory, LENGTH);
    cr_assert(all);
    struct pl_registration *part = pl_registration_get(&cache, memory + PAGE, PAGE, true);
    cr_assert(part == all);
    pl_registration_put(&cache, part);
    map_at(memory);
    cr_assert(key_of(memory) == all->region->rkey);
    pl_registration_put(&cache, all);
    cr_assert(!is_kept(memory));
    munmap(memory, LENGTH);
}

Test(cache, does_not_grow)
{
    char *memory[600];
    for (int i = 0; i < 600; i++) {
        memory[i] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memory[i][0] = 1;
        struct pl_registration *got = pl_registration_get(&cache, memory[i], PAGE, true);
        cr_assert(got);
        pl_registration_put(&cache, got);
    }
    cr_assert(how_many() <= 256, "%d are kept", how_many());
    for (int i = 0; i < 600; i++)
        munmap(memory[i], 2 * PAGE);
    cr_assert(how_many() == 0);
}
