/* One memfd a rank holds everything that rank receives: a header, a bitmap of
 * who has announced itself, and a ring for each rank that may write. It has no
 * name anywhere: peers open it as /proc/<pid>/fd/<n>, which the kernel permits
 * to the same user, and it vanishes with the last process that maps it, however
 * that one ends. The file is sparse: places of ranks that never write cost nothing.
 *
 * A pid and a number may have been reused since the card was written, so what is
 * opened must be a sealed memfd of our name with the card's random number in it.
 * The seals make sure that nobody can shrink it under us (which would be SIGBUS).
 *
 * Death is seen through a pidfd; where descriptors are scarce, by asking /proc
 * whether the peer's memfd is still open. Both tell a zombie from the living,
 * which kill(pid, 0) does not. Rejected: shm_open (files stay in /dev/shm after
 * kill -9), SCM_RIGHTS (a socket and a handshake per pair), a heartbeat word (a
 * stopped process is not a dead one).
 */
#include "shm_segment.h"

#include "clock.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEGMENT_NAME "peal-segment"

static const uint64_t segment_magic = 0x31746e656d676553; /* "Segment1" */
static const uint32_t card_magic = 0x6c616550;            /* "Peal" */

enum { LOOK_BATCH = 64, SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

/* Bytes of a bitmap of the ranks. */
static size_t bitmap_bytes(int slots)
{
    size_t bitmap = ((size_t)slots + 63) / 64 * 8;
    return (bitmap + 4095) / 4096 * 4096;
}

static uint64_t rings_offset(int slots)
{
    return PL_SHM_HEADER + 2 * bitmap_bytes(slots) + PL_ARENA_BYTES;
}

size_t pl_segment_bytes(int slots)
{
    return rings_offset(slots) + (size_t)slots * PL_RING_BYTES;
}

struct pl_ring *pl_segment_ring(struct pl_segment *segment, int sender)
{
    return (struct pl_ring *)((char *)segment + segment->rings_at + (size_t)sender * PL_RING_BYTES);
}

_Atomic uint64_t *pl_segment_senders(struct pl_segment *segment)
{
    return (_Atomic uint64_t *)((char *)segment + PL_SHM_HEADER);
}

_Atomic uint64_t *pl_segment_mappers(struct pl_segment *segment, int slots)
{
    return (_Atomic uint64_t *)((char *)segment + PL_SHM_HEADER + bitmap_bytes(slots));
}

void *pl_segment_arena(struct pl_segment *segment, int slots)
{
    return (char *)segment + PL_SHM_HEADER + 2 * bitmap_bytes(slots);
}

int pl_segment_create(int rank, int slots, struct pl_segment **segment, int *fd)
{
    size_t bytes = pl_segment_bytes(slots);
    struct rlimit limit;
    if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes)
        return pl_fail(PL_EUNSUPPORTED,
                       "shared memory: the limit on file sizes (ulimit -f) is below %zu bytes", bytes);
    int file = memfd_create(SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        pl_fail_errno("shared memory: memfd_create for rank %d", rank);
        return PL_EUNSUPPORTED;
    }
    if (ftruncate(file, (off_t)bytes) || fcntl(file, F_ADD_SEALS, SEALS)) {
        pl_fail_errno("shared memory: a segment of %zu bytes for rank %d", bytes, rank);
        goto close_file;
    }
    struct pl_segment *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (s == MAP_FAILED) {
        pl_fail_errno("shared memory: mapping %zu bytes for rank %d", bytes, rank);
        goto close_file;
    }
    s->rank = rank;
    s->slots = slots;
    s->rings_at = rings_offset(slots);
    atomic_init(&s->pipe, -1);
    atomic_init(&s->heap, -1);
    if (getrandom(&s->nonce, sizeof s->nonce, 0) != sizeof s->nonce)
        s->nonce = (uint64_t)pl_now() * 0x9e3779b97f4a7c15 ^ (uint64_t)getpid() << 32 ^ (uintptr_t)s;
    s->magic = segment_magic;
    *segment = s;
    *fd = file;
    return 0;

close_file:
    close(file);
    return PL_EUNSUPPORTED;
}

/* The inode of a file that identifies something of this host; 0 if it cannot be had. */
static uint64_t inode_of(const char *path)
{
    struct stat status;
    return stat(path, &status) ? 0 : (uint64_t)status.st_ino;
}

static void read_boot_id(uint64_t boot[2])
{
    char text[64] = "";
    boot[0] = boot[1] = 0;
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    int digits = 0;
    for (ssize_t i = 0; i < length && digits < 32; i++) {
        char c = text[i];
        int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (value >= 0) {
            boot[digits / 16] = boot[digits / 16] << 4 | (uint64_t)value;
            digits++;
        }
    }
}

static uint64_t card_sum(const struct pl_shm_card *card)
{
    const unsigned char *bytes = (const unsigned char *)card;
    uint64_t sum = 0xcbf29ce484222325;
    for (size_t i = 0; i < offsetof(struct pl_shm_card, check); i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3;
    return sum;
}

void pl_shm_card_fill(struct pl_shm_card *card, const struct pl_segment *segment, int fd)
{
    *card = (struct pl_shm_card){
        .magic = card_magic,
        .rank = segment->rank,
        .pid = getpid(),
        .fd = fd,
        .uid = geteuid(),
        .nonce = segment->nonce,
        .pid_space = inode_of("/proc/self/ns/pid"),
        .ipc_space = inode_of("/proc/self/ns/ipc"),
        .probe = (uintptr_t)&segment->nonce,
    };
    read_boot_id(card->boot);
    card->check = card_sum(card);
}

int pl_shm_card_check(const struct pl_shm_card *card, int peer)
{
    if (card->magic != card_magic || card->check != card_sum(card) || card->pid <= 0 || card->fd < 0)
        return pl_fail(PL_EPROTOCOL, "the shared-memory card of rank %d is damaged", peer);
    if (card->rank != peer)
        return pl_fail(PL_EPROTOCOL, "the shared-memory card given for rank %d is rank %d's", peer,
                       card->rank);
    uint64_t boot[2];
    read_boot_id(boot);
    if (boot[0] != card->boot[0] || boot[1] != card->boot[1])
        return pl_fail(PL_EUNREACHABLE, "rank %d is on another host: no shared memory", peer);
    if (card->pid_space != inode_of("/proc/self/ns/pid") || card->ipc_space != inode_of("/proc/self/ns/ipc"))
        return pl_fail(PL_EUNREACHABLE, "rank %d is in another container: no shared memory", peer);
    if (card->uid != geteuid())
        return pl_fail(PL_EUNREACHABLE, "rank %d runs as user %u, not %u: no shared memory", peer, card->uid,
                       (unsigned)geteuid());
    return 0;
}

int pl_segment_reach(int pid, int number, const char *name, int flags)
{
    char path[64], target[64], want[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return -1;
    target[length] = 0;
    snprintf(want, sizeof want, "%s", name);
    if (strncmp(target, want, strlen(want))) {
        errno = ENOENT;
        return -1;
    }
    return open(path, flags | O_CLOEXEC);
}

void pl_segment_view_init(struct pl_segment_view *view, int rank, int pid, int fd, uint64_t nonce)
{
    *view = (struct pl_segment_view){
        .rank = rank, .pid = pid, .fd = fd, .nonce = nonce, .pidfd = -1, .file = -1, .pipe = -1};
}

/* A pidfd, unless descriptors are scarce: programs need some too. */
static int open_pidfd(int pid)
{
    struct rlimit limit;
    if (pid == getpid())
        return -1;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 && !getrlimit(RLIMIT_NOFILE, &limit) && (rlim_t)fd > limit.rlim_cur / 2) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Maps what lies before the rings, if it is what the card promised. */
static bool map_header(int file, struct pl_segment_view *view)
{
    struct stat status;
    int seals = fcntl(file, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(file, &status) || status.st_size < PL_SHM_HEADER)
        return false;
    struct pl_segment *s = mmap(NULL, PL_SHM_HEADER, PROT_READ, MAP_SHARED, file, 0);
    if (s == MAP_FAILED)
        return false;
    int slots = s->slots;
    bool good = s->magic == segment_magic && s->nonce == view->nonce && s->rank == view->rank && slots > 0 &&
                s->rings_at == rings_offset(slots) && (size_t)status.st_size == pl_segment_bytes(slots);
    munmap(s, PL_SHM_HEADER);
    if (!good)
        return false;
    s = mmap(NULL, rings_offset(slots), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (s == MAP_FAILED)
        return false;
    view->segment = s;
    view->mapped = rings_offset(slots);
    view->slots = slots;
    return true;
}

int pl_segment_open(struct pl_segment_view *view)
{
    if (view->segment)
        return 0;
    int pidfd = open_pidfd(view->pid);
    int file = pl_segment_reach(view->pid, view->fd, "/memfd:" SEGMENT_NAME, O_RDWR);
    int error = 0;
    if (file < 0 && (errno == EACCES || errno == EPERM))
        error = pl_fail(PL_EUNREACHABLE, "rank %d (process %d) does not let this process open its memory: %s",
                        view->rank, view->pid, strerror(errno));
    else if (file < 0 && (errno == EMFILE || errno == ENFILE))
        error = pl_fail_errno("opening the memory of rank %d (process %d)", view->rank, view->pid);
    else if (file < 0)
        error = pl_fail(PL_EPEER, "process %d of rank %d is gone", view->pid, view->rank);
    if (error)
        goto close_pidfd;
    if (!map_header(file, view)) {
        error =
            pl_fail(PL_EPEER, "process %d of rank %d is gone, another has its number", view->pid, view->rank);
        goto close_both;
    }
    view->file = file;
    view->pidfd = pidfd;
    return 0;

close_both:
    close(file);
close_pidfd:
    if (pidfd >= 0)
        close(pidfd);
    return error;
}

int pl_segment_map_ring(struct pl_segment_view *view, int sender)
{
    if (sender >= view->slots)
        return pl_fail(PL_EUNREACHABLE, "rank %d has no place for rank %d in its shared memory", view->rank,
                       sender);
    off_t at = (off_t)(view->mapped + (uint64_t)sender * PL_RING_BYTES);
    void *ring = mmap(NULL, PL_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, view->file, at);
    if (ring == MAP_FAILED) {
        pl_fail_errno("mapping the ring to rank %d", view->rank);
        return PL_ENOMEM;
    }
    close(view->file);
    view->file = -1;
    view->ring = ring;
    return 0;
}

void pl_segment_close(struct pl_segment_view *view)
{
    if (view->heap)
        munmap(view->heap, view->heap_size);
    if (view->ring)
        munmap(view->ring, PL_RING_BYTES);
    if (view->segment)
        munmap(view->segment, view->mapped);
    if (view->file >= 0)
        close(view->file);
    if (view->pipe >= 0)
        close(view->pipe);
    if (view->pidfd >= 0)
        close(view->pidfd);
    pl_segment_view_init(view, view->rank, view->pid, view->fd, view->nonce);
}

/* Without a pidfd: is the memfd of that number still open in a process of that pid? */
static bool closed_in_proc(const struct pl_segment_view *view)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", view->pid, view->fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return errno == ENOENT || errno == ESRCH;
    target[length] = 0;
    return strncmp(target, "/memfd:" SEGMENT_NAME, strlen("/memfd:" SEGMENT_NAME)) != 0;
}

void pl_segment_look(struct pl_segment_view *const *views, int count, bool *dead)
{
    struct pollfd polls[LOOK_BATCH];
    int self = getpid();
    for (int base = 0; base < count; base += LOOK_BATCH) {
        int n = count - base < LOOK_BATCH ? count - base : LOOK_BATCH;
        for (int i = 0; i < n; i++)
            polls[i] = (struct pollfd){.fd = views[base + i]->pidfd, .events = POLLIN};
        int found = poll(polls, (nfds_t)n, 0);
        for (int i = 0; i < n; i++) {
            const struct pl_segment_view *view = views[base + i];
            if (view->pid == self)
                dead[base + i] = false;
            else if (view->pidfd >= 0)
                dead[base + i] = found > 0 && polls[i].revents;
            else
                dead[base + i] = closed_in_proc(view);
        }
    }
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

void pl_segment_wake_state(_Atomic uint32_t *state, int pipe)
{
    uint32_t was = atomic_fetch_and(state, ~(uint32_t)(PL_SHM_FUTEX | PL_SHM_PIPE));
    if (was & PL_SHM_FUTEX)
        futex(state, FUTEX_WAKE, INT32_MAX, NULL);
    if (was & PL_SHM_PIPE && pipe >= 0) {
        ssize_t written = write(pipe, "", 1); /* a full pipe is readable already */
        (void)written;
    }
}

/* Opened for reading too, so that writing after the owner's death is no SIGPIPE. */
void pl_segment_wake(struct pl_segment_view *view)
{
    _Atomic uint32_t *state = &view->segment->state;
    if (atomic_load(state) & PL_SHM_PIPE && view->pipe < 0)
        view->pipe =
            pl_segment_reach(view->pid, atomic_load(&view->segment->pipe), "pipe:", O_RDWR | O_NONBLOCK);
    pl_segment_wake_state(state, view->pipe);
}

bool pl_segment_wait(_Atomic uint32_t *state, uint32_t seen, int64_t timeout_ns)
{
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    return !(futex(state, FUTEX_WAIT, seen, &timeout) && errno == ETIMEDOUT);
}
