/* A page and not messages, because who waits for a dead peer must not be asked to read a socket at each look
 * (a look is one load of a word that hardly ever changes), and because mpiexec must be able to read what a
 * rank waits for when the rank itself can no longer do anything. Rejected: signals (they interrupt the
 * program's own system calls), and a thread in each rank.
 */
#include "roll_wire.h"

#include "clock.h"
#include "errors.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char magic[8] = "peal-ro1";

static size_t bytes(int size)
{
    return sizeof(struct pl_roll) + (size_t)size * sizeof(struct pl_roll_entry);
}

/* 0: not known. */
static uint64_t namespaces(void)
{
    static const char *const names[] = {"/proc/self/ns/user", "/proc/self/ns/pid", "/proc/self/ns/ipc"};
    uint64_t all = 0;
    for (int i = 0; i < 3; i++) {
        struct stat status;
        if (stat(names[i], &status))
            return 0;
        all = all * 0x100000001b3 + (uint64_t)status.st_ino;
    }
    return all;
}

bool pl_roll_apart(const struct pl_roll *roll)
{
    uint64_t mine = namespaces();
    return !mine || mine != roll->namespaces;
}

int pl_roll_create(int size, struct pl_roll **roll, int *fd)
{
    *fd = memfd_create("peal-roll", MFD_CLOEXEC);
    if (*fd < 0)
        return pl_fail_errno("memfd_create");
    struct pl_roll *made = MAP_FAILED;
    if (!ftruncate(*fd, (off_t)bytes(size)))
        made = mmap(NULL, bytes(size), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (made == MAP_FAILED) {
        int error = pl_fail_errno("the roll of %d ranks", size);
        close(*fd);
        *fd = -1;
        return error;
    }
    memcpy(made->magic, magic, sizeof magic);
    made->size = size;
    made->namespaces = namespaces();
    made->entry_size = sizeof(struct pl_roll_entry);
    *roll = made;
    return 0;
}

int pl_roll_open(int fd, int size, struct pl_roll **roll)
{
    struct stat status;
    bool long_enough = !fstat(fd, &status) && status.st_size >= (off_t)bytes(size);
    struct pl_roll *mapped =
        long_enough ? mmap(NULL, bytes(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (mapped == MAP_FAILED)
        return pl_fail(PL_EPROTOCOL, "descriptor %d (%s) is no roll of %d ranks", fd, PL_ROLL_VARIABLE, size);
    if (memcmp(mapped->magic, magic, sizeof magic) != 0 || mapped->size != size ||
        mapped->entry_size != (int)sizeof(struct pl_roll_entry)) {
        munmap(mapped, bytes(size));
        return pl_fail(PL_EPROTOCOL, "the launcher's roll is of another version of Peal");
    }
    *roll = mapped;
    return 0;
}

void pl_roll_close(struct pl_roll *roll)
{
    if (roll)
        munmap(roll, bytes(roll->size));
}

void pl_roll_started(struct pl_roll *roll, int rank, int pid, const char *host)
{
    struct pl_roll_entry *entry = &roll->entry[rank];
    entry->pid = pid;
    snprintf(entry->host, sizeof entry->host, "%.63s", host);
    atomic_store(&entry->state, PL_ROLL_RUNS);
}

void pl_roll_ended(struct pl_roll *roll, int rank, int status, bool dead)
{
    struct pl_roll_entry *entry = &roll->entry[rank];
    entry->status = status;
    entry->at = pl_now();
    atomic_store(&entry->state, dead ? PL_ROLL_DEAD : PL_ROLL_ENDED);
    if (dead)
        atomic_fetch_add(&roll->news, 1);
}

void pl_roll_how(const struct pl_roll_entry *entry, char *text, size_t size)
{
    int status = entry->status;
    int at = snprintf(text, size, "process %d on %.63s ", entry->pid, entry->host);
    if (at < 0 || (size_t)at >= size)
        return;
    text += at;
    size -= (size_t)at;
    if (status == PL_ROLL_OUT_OF_REACH)
        snprintf(text, size, "is out of reach: its host was lost");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        snprintf(text, size, "exited with code %d without MPI_Finalize", WEXITSTATUS(status));
    else
        snprintf(text, size, "exited without MPI_Finalize");
}

void pl_roll_take_death(struct pl_roll *roll, int rank, const char *text)
{
    int status, pid, used = 0;
    if (rank < 0 || rank >= roll->size || sscanf(text, "%d %d %n", &status, &pid, &used) != 2 || !used)
        return;
    pl_roll_started(roll, rank, pid, text + used);
    pl_roll_ended(roll, rank, status, true);
}

bool pl_roll_read(const struct pl_roll_entry *entry, struct pl_roll_wait *wait)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        uint32_t before = atomic_load(&entry->wait.sequence);
        memcpy(wait, &entry->wait, sizeof *wait);
        atomic_thread_fence(memory_order_seq_cst);
        if (!(before & 1) && before == atomic_load(&entry->wait.sequence))
            break;
    }
    wait->call[sizeof wait->call - 1] = wait->text[sizeof wait->text - 1] = 0;
    if (wait->awaited < 0 || wait->awaited > PL_ROLL_AWAITED)
        wait->awaited = 0;
    return wait->beat != 0;
}

void pl_roll_write(struct pl_roll_entry *entry, const struct pl_roll_wait *wait)
{
    struct pl_roll_wait *to = &entry->wait;
    const size_t head = offsetof(struct pl_roll_wait, awaited);
    atomic_fetch_add(&to->sequence, 1);
    atomic_thread_fence(memory_order_seq_cst);
    memcpy((char *)to + head, (const char *)wait + head, sizeof *to - head);
    atomic_thread_fence(memory_order_seq_cst);
    atomic_fetch_add(&to->sequence, 1);
}
