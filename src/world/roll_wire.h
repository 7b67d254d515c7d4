/* The roll: one page of memory that mpiexec shares with the ranks it started on its host. In it mpiexec
 * writes who has died and how, and each rank what it waits for, when it waits long. A rank finds it by
 * PMI_ROLL_FD, which a launcher of other make does not set: then there is none.
 *
 * Nothing in it is trusted: texts are ended and bounded where they are read.
 */
#ifndef PL_ROLL_WIRE_H
#define PL_ROLL_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_ROLL_VARIABLE "PMI_ROLL_FD"

enum pl_roll_state { PL_ROLL_ABSENT, PL_ROLL_RUNS, PL_ROLL_ENDED, PL_ROLL_DEAD };

enum { PL_ROLL_AWAITED = 8, PL_ROLL_TEXT = 512 };

/* A status that waitpid never gives: nobody knows how the rank ended, its host was lost. */
enum { PL_ROLL_OUT_OF_REACH = -1 };

/* What a rank waits for. It is believed while `beat` is renewed. */
struct pl_roll_wait {
    _Atomic uint32_t sequence; /* odd while it is being written */
    int32_t awaited;           /* how many are in `rank`; more than fit are left out */
    int64_t since, beat;       /* ns of CLOCK_MONOTONIC; beat 0: it has never waited long */
    int32_t rank[PL_ROLL_AWAITED];
    int32_t any; /* one of them would do (a receive from any source, a test of several) */
    int32_t unused;
    char call[64];
    char text[PL_ROLL_TEXT];
};

struct pl_roll_entry {
    /* mpiexec's; state is written last */
    _Atomic uint32_t state;
    int32_t status, pid, unused; /* status: as waitpid says */
    int64_t at;                  /* when it ended, ns of CLOCK_MONOTONIC */
    char host[64];
    /* the rank's own */
    struct pl_roll_wait wait;
};

struct pl_roll {
    char magic[8];
    int32_t size, entry_size;
    _Atomic uint32_t news; /* deaths so far */
    int32_t unused[9];
    uint64_t namespaces; /* mpiexec's: of users, processes and their memory */
    struct pl_roll_entry entry[];
};

/* The launcher's: makes a roll for `size` ranks in a memfd. 0 or an error. */
int pl_roll_create(int size, struct pl_roll **roll, int *fd);
/* A rank's: maps the roll that the launcher left open at `fd`, which is closed. PL_EPROTOCOL: it is none for
 * `size` ranks. */
int pl_roll_open(int fd, int size, struct pl_roll **roll);
/* Whether this process is in other namespaces than mpiexec (a container), or cannot know: then the ranks of
 * one host may not be able to open each other's memory. */
bool pl_roll_apart(const struct pl_roll *roll);
/* Accepts NULL. */
void pl_roll_close(struct pl_roll *roll);

void pl_roll_started(struct pl_roll *roll, int rank, int pid, const char *host);
/* The rank's process has ended: in order, or not (dead). */
void pl_roll_ended(struct pl_roll *roll, int rank, int status, bool dead);

/* A death on another host, as pl_job_roll_ended sends it on: "status pid host". */
void pl_roll_take_death(struct pl_roll *roll, int rank, const char *text);

/* "process 4711 on box was killed by signal 9 (Killed)". */
void pl_roll_how(const struct pl_roll_entry *entry, char *text, size_t size);

/* A copy of what the rank waits for, its texts ended. False: it has never waited long. */
bool pl_roll_read(const struct pl_roll_entry *entry, struct pl_roll_wait *wait);
/* What this rank waits for; `wait` without sequence. */
void pl_roll_write(struct pl_roll_entry *entry, const struct pl_roll_wait *wait);

#endif
