/* Registrations that are kept, and how they learn that their memory is gone.
 *
 * To register memory costs a system call and work for every page, often more than to
 * send it, and programs send from the same buffers again and again. So registrations are
 * kept. But a kept one names physical pages: if the program unmaps the buffer and maps
 * something else at the same address, the network would read the old pages, and nothing would fail.
 *
 * The kernel tells. Each kept range is registered with a userfaultfd whose only use is its
 * events: munmap, mmap over it, mremap, madvise(MADV_DONTNEED) and free() that
 * gives memory back all block in the kernel until their event has been read here:
 *
 *   program:  munmap(p) ... blocked ... returns;  mmap -> p again;  MPI_Send(p): not found, made anew
 *   watcher:             event read, p's registration is dead
 *
 * The watcher is a thread, since whoever unmaps is blocked. It reads events only under the lock, and a
 * search takes the same lock and reads what is waiting first; so when munmap has returned, no
 * search finds the old one. The pages are asked to be write-protected in name only
 * (mode WP, nothing ever protected): there are no faults to serve, no signal, no cost for the program's
 * accesses. What holds the lock neither allocates nor frees: free() might unmap and wait for itself.
 *
 * Where the kernel has no userfaultfd (or a container forbids it), or the memory is of a kind it
 * does not watch (files), nothing is kept: each operation registers and undoes.
 *
 * Rejected: replacing munmap and friends (libc's own calls inside free() do not pass there, and
 * other libraries do the same and collide); patching libc in memory; asking /proc/self/pagemap
 * (shows no frames without privileges); mlock and a test whether it is still locked
 * (finds no partial change). What remains: a thread that maps over a buffer while another
 * thread sends from it, in the few instructions between the kernel's unmapping and its event. That
 * program reads freed memory anyway.
 */
#include "verbs_cache.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

enum {
    MOST_KEPT = 256,
    ALL_ACCESS = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE,
};
#define MOST_BYTES ((size_t)1 << 32)

/* ---- events ---- */

/* Under the lock. Those in use stay until they are put; all others are doomed. */
static void kill_range(struct pl_registrations *cache, uintptr_t start, uintptr_t end)
{
    pl_list_each(node, &cache->kept)
    {
        struct pl_registration *one = pl_container(node, struct pl_registration, link);
        if (one->end <= start || end <= one->start || one->dmabuf)
            continue;
        pl_list_remove(node);
        one->kept = false;
        one->dead = true;
        cache->count--;
        cache->bytes -= one->end - one->start;
        if (!one->users)
            pl_list_append(&cache->doomed, node);
    }
}

/* Under the lock. Reading an event is what lets its thread go on. */
static void hear(struct pl_registrations *cache)
{
    struct uffd_msg event;
    while (cache->faults >= 0 && read(cache->faults, &event, sizeof event) == (ssize_t)sizeof event) {
        cache->events++;
        if (event.event == UFFD_EVENT_UNMAP || event.event == UFFD_EVENT_REMOVE)
            kill_range(cache, event.arg.remove.start, event.arg.remove.end);
        else if (event.event == UFFD_EVENT_REMAP)
            kill_range(cache, event.arg.remap.from, event.arg.remap.from + event.arg.remap.len);
    }
}

static void *watch(void *context)
{
    struct pl_registrations *cache = context;
    struct pollfd polled[2] = {{cache->faults, POLLIN, 0}, {cache->stop, POLLIN, 0}};
    for (;;) {
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            break;
        if (polled[1].revents)
            break;
        pthread_mutex_lock(&cache->lock);
        hear(cache);
        pthread_mutex_unlock(&cache->lock);
    }
    return NULL;
}

static int faults_open(void)
{
    uint64_t base = UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
                    UFFD_FEATURE_PAGEFAULT_FLAG_WP;
    const uint64_t features[2] = {base | UFFD_FEATURE_WP_HUGETLBFS_SHMEM, base};
    for (int i = 0; i < 2; i++) {
        int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
        if (fd < 0)
            return -1;
        struct uffdio_api api = {.api = UFFD_API, .features = features[i]};
        if (!ioctl(fd, UFFDIO_API, &api))
            return fd;
        close(fd);
    }
    return -1;
}

static int watcher_start(struct pl_registrations *cache)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&cache->watcher, NULL, watch, cache);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void pl_registrations_init(struct pl_registrations *cache, const struct pl_verbs_library *library,
                           struct ibv_pd *domain)
{
    *cache = (struct pl_registrations){.library = library, .domain = domain, .stop = -1};
    pl_list_init(&cache->kept);
    pl_list_init(&cache->doomed);
    pthread_mutex_init(&cache->lock, NULL);
    cache->faults = faults_open();
    if (cache->faults >= 0)
        cache->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cache->stop >= 0 && !watcher_start(cache))
        return;
    pl_info("verbs: registrations of memory are not kept: userfaultfd is not to be had");
    if (cache->faults >= 0)
        close(cache->faults);
    if (cache->stop >= 0)
        close(cache->stop);
    cache->faults = cache->stop = -1;
}

static void undo(struct pl_registrations *cache, struct pl_registration *one)
{
    cache->library->dereg_mr(one->region);
    free(one);
}

/* Takes the doomed out under the lock, and undoes them outside. */
static void bury(struct pl_registrations *cache)
{
    for (;;) {
        pthread_mutex_lock(&cache->lock);
        struct pl_list *node = pl_list_first(&cache->doomed);
        if (node)
            pl_list_remove(node);
        pthread_mutex_unlock(&cache->lock);
        if (!node)
            return;
        undo(cache, pl_container(node, struct pl_registration, link));
    }
}

void pl_registrations_finish(struct pl_registrations *cache)
{
    if (cache->faults >= 0) {
        uint64_t one = 1;
        ssize_t wrote = write(cache->stop, &one, sizeof one);
        (void)wrote;
        pthread_join(cache->watcher, NULL);
        close(cache->faults);
        close(cache->stop);
        cache->faults = -1;
    }
    pthread_mutex_lock(&cache->lock);
    pl_list_each(node, &cache->kept) pl_container(node, struct pl_registration, link)->dmabuf = false;
    kill_range(cache, 0, UINTPTR_MAX);
    pthread_mutex_unlock(&cache->lock);
    bury(cache);
    pthread_mutex_destroy(&cache->lock);
}

/* ---- get and put ---- */

static struct pl_registration *find(struct pl_registrations *cache, uintptr_t start, uintptr_t end,
                                    bool writable)
{
    pl_list_each(node, &cache->kept)
    {
        struct pl_registration *one = pl_container(node, struct pl_registration, link);
        if (one->start > start || end > one->end || (writable && !one->writable))
            continue;
        pl_list_remove(node);
        pl_list_append(cache->kept.next, node); /* in front of what is first */
        one->users++;
        return one;
    }
    return NULL;
}

/* Dooms those that were used longest ago, down to `count` and `bytes`. */
static void shrink(struct pl_registrations *cache, int count, size_t bytes)
{
    pthread_mutex_lock(&cache->lock);
    struct pl_list *node = cache->kept.prev;
    while (node != &cache->kept && (cache->count > count || cache->bytes > bytes)) {
        struct pl_registration *one = pl_container(node, struct pl_registration, link);
        node = node->prev;
        if (one->users)
            continue;
        pl_list_remove(&one->link);
        pl_list_append(&cache->doomed, &one->link);
        one->kept = false;
        cache->count--;
        cache->bytes -= one->end - one->start;
    }
    pthread_mutex_unlock(&cache->lock);
    bury(cache);
}

static struct ibv_mr *region_of(struct pl_registrations *cache, struct pl_registration *made)
{
    void *address = (void *)made->start;
    size_t length = made->end - made->start;
    return cache->library->reg_mr(cache->domain, address, length,
                                  made->writable ? ALL_ACCESS : IBV_ACCESS_REMOTE_READ);
}

/* Registers with the device; gives up what is kept if that is too much. NULL with errno. */
static struct pl_registration *make(struct pl_registrations *cache, uintptr_t start, uintptr_t end,
                                    bool writable)
{
    struct pl_registration *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    *made = (struct pl_registration){.start = start, .end = end, .users = 1, .writable = true};
    made->region = region_of(cache, made);
    if (!made->region && errno == ENOMEM) {
        shrink(cache, 0, 0);
        made->region = region_of(cache, made);
    }
    if (!made->region && !writable && errno != ENOMEM) {
        made->writable = false;
        made->region = region_of(cache, made);
    }
    if (made->region)
        return made;
    int why = errno;
    free(made);
    errno = why;
    return NULL;
}

struct pl_registration *pl_registration_get(struct pl_registrations *cache, void *address, size_t length,
                                            bool writable)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)address, end = start + length;
    pthread_mutex_lock(&cache->lock);
    hear(cache);
    struct pl_registration *found = find(cache, start, end, writable);
    uint64_t events = cache->events;
    bool doomed = !pl_list_empty(&cache->doomed);
    pthread_mutex_unlock(&cache->lock);
    if (doomed)
        bury(cache);
    if (found || cache->faults < 0)
        return found ? found : make(cache, start, end, writable);
    shrink(cache, MOST_KEPT - 1, MOST_BYTES);
    start &= ~(page - 1);
    end = (end + page - 1) & ~(page - 1);
    struct uffdio_register watched = {.range = {start, end - start}, .mode = UFFDIO_REGISTER_MODE_WP};
    if (ioctl(cache->faults, UFFDIO_REGISTER, &watched))
        return make(cache, (uintptr_t)address, (uintptr_t)address + length, writable);
    struct pl_registration *made = make(cache, start, end, writable);
    if (!made)
        return NULL;
    pthread_mutex_lock(&cache->lock);
    hear(cache);
    if (cache->events == events) { /* else it may have changed while it was being made */
        made->kept = true;
        pl_list_append(cache->kept.next, &made->link);
        cache->count++;
        cache->bytes += end - start;
    }
    pthread_mutex_unlock(&cache->lock);
    return made;
}

struct pl_registration *pl_registration_of_dmabuf(struct pl_registrations *cache, int fd, uint64_t offset,
                                                  void *address, size_t length)
{
    uintptr_t start = (uintptr_t)address;
    struct pl_registration *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    *made = (struct pl_registration){
        .start = start, .end = start + length, .users = 1, .kept = true, .writable = true, .dmabuf = true};
    errno = EOPNOTSUPP;
    if (cache->library->reg_dmabuf_mr)
        made->region = cache->library->reg_dmabuf_mr(cache->domain, offset, length, start, fd, ALL_ACCESS);
    if (!made->region) {
        int why = errno;
        free(made);
        errno = why;
        return NULL;
    }
    pthread_mutex_lock(&cache->lock);
    pl_list_append(cache->kept.next, &made->link);
    pthread_mutex_unlock(&cache->lock);
    return made;
}

void pl_registration_put(struct pl_registrations *cache, struct pl_registration *registration)
{
    pthread_mutex_lock(&cache->lock);
    bool last = !--registration->users && (!registration->kept || registration->dmabuf);
    if (last && registration->dmabuf)
        pl_list_remove(&registration->link);
    pthread_mutex_unlock(&cache->lock);
    if (last)
        undo(cache, registration);
}
