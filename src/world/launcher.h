/* What a rank needs of whoever started it: its number, and a place where ranks leave words for each other
 * while they start. PMI-1, PMIx, and a meeting at rank 0 where the launcher offers neither. */
#ifndef PL_LAUNCHER_H
#define PL_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>

struct pl_launcher;
struct pl_pmi1;
struct pl_config;

struct pl_launcher_calls {
    /* Leaves `value` (printable, no blanks) under `key` for all ranks, who see it after the next barrier. A
     * key ends in "-RANK" of who puts it; one without a number is rank 0's. */
    int (*put)(struct pl_launcher *launcher, const char *key, const char *value);
    /* PL_EUNREACHABLE: nobody has put it; PL_ETRUNCATE: it does not fit. */
    int (*get)(struct pl_launcher *launcher, const char *key, char *value, size_t size);
    int (*barrier)(struct pl_launcher *launcher);
    /* Which host a rank runs on: a number from 0 on, the same for those who share memory. */
    int (*host_of)(struct pl_launcher *launcher, int rank);
    /* Asks for the end of the job; returns at once. `called`: the program did, by MPI_Abort; else an error
     * was fatal. */
    void (*abort)(struct pl_launcher *launcher, int code, const char *text, bool called);
    /* This rank ends in good order. */
    void (*finalize)(struct pl_launcher *launcher);
    void (*close)(struct pl_launcher *launcher); /* frees */
};

/* The first member of each kind's own struct. */
struct pl_launcher {
    const struct pl_launcher_calls *calls;
    int rank, size;
    char space[256];      /* the job's name */
    struct pl_pmi1 *pmi1; /* NULL: another kind. For what only PMI-1 has: names, spawn */
};

/* Finds out from the environment who started this process, and says hello. *launcher is NULL for nobody: a
 * world of one. An error where the environment tells of several ranks that cannot be brought together: never
 * silently as many worlds of one. `config` outlives the launcher. */
int pl_launcher_find(struct pl_launcher **launcher, const struct pl_config *config);

/* Nobody was found: an error, or a warning, where the environment has a part of what a launcher sets. */
int pl_launcher_part(void);

/* The secret that the ranks of the job share; all ranks call it. 0 or an error. */
enum { PL_LAUNCHER_KEY = 32 };
int pl_launcher_key(struct pl_launcher *launcher, unsigned char key[PL_LAUNCHER_KEY]);

/* One each; what they need of the environment is there. */
int pl_launcher_pmi1(struct pl_launcher **launcher);
int pl_launcher_pmix(struct pl_launcher **launcher);

/* Where ranks meet who were told their number and nothing else. */
struct pl_meeting_place {
    int rank, size;
    const char *job; /* a name that no other job has that could come to the same port */
    char host[256];  /* rank 0's */
    int port;        /* 0: one that follows from the job's name */
    char secret[128];
    const char *who; /* for messages: "srun", "torchrun" */
};
int pl_launcher_meet(struct pl_launcher **launcher, const struct pl_meeting_place *place, double seconds);

#endif
