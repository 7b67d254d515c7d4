/* mpiexec's side of PMI-1. */
#ifndef PL_PMI_SERVER_H
#define PL_PMI_SERVER_H

#include "kvs.h"
#include "loop.h"
#include "pmi1_wire.h"

#include <stdbool.h>

struct pl_pmi_server;

/* What the server tells its owner. */
struct pl_pmi_calls {
    void *owner;
    /* The rank asks to end the job: its program `called` MPI_Abort, or an error was fatal. */
    void (*aborted)(void *owner, int rank, int code, bool called);
    void (*broken)(void *owner, int rank,
                   const char *reason);             /* it speaks nonsense; its connection is closed */
    void (*stuck)(void *owner, int rank, int gone); /* it waits in a barrier that `gone` cannot reach */
    int (*spawn)(void *owner, char *const *words, int count); /* start another mpiexec so; 0 or an error */
    void (*answer)(void *owner, int rank, const char *bytes, size_t length); /* to a rank of another host */
};

/* One rank's connection. */
struct pl_pmi_peer {
    struct pl_watch watch; /* fd -1: its host's agent has the connection */
    bool open;
    struct pl_pmi_server *server;
    int rank, appnum;
    bool started, finalized; /* said init, finalize */
    bool ended;              /* its process has */
    char space[64];          /* a replacement: its own world's; "" else */
    bool waiting;            /* in the barrier */
    bool spawning;           /* between mcmd=spawn and endcmd */
    char **words;            /* [nwords] arguments for another mpiexec, so far; NULL-terminated */
    int nwords;
    bool open_word; /* the last one goes on */
    char *unsent;
    size_t unsent_fill;
    struct pl_pmi1_reader reader;
};

struct pl_pmi_server {
    struct pl_loop *loop;
    struct pl_pmi_calls calls;
    struct pl_pmi_peer *peers;
    int size;
    bool tolerant; /* who has ended, or will, is not waited for in the barrier */
    int waiting;   /* ranks in the barrier */
    int gone;      /* a rank that ended and can reach no barrier, or -1 */
    struct pl_kvs kvs;
    char space[64];
    struct pl_pmi1_line line;
};

/* `mapping`: which rank is on which host, as PMI_process_mapping has it. 0, PL_ENOMEM. */
int pl_pmi_server_init(struct pl_pmi_server *server, struct pl_loop *loop, int size, const char *mapping,
                       const struct pl_pmi_calls *calls);
void pl_pmi_server_finish(struct pl_pmi_server *server);

/* Takes over our end of a rank's connection (non-blocking). 0, PL_ESYSTEM. */
int pl_pmi_server_attach(struct pl_pmi_server *server, int rank, int appnum, int fd);

/* The same for a rank of another host: what it says is brought by pl_pmi_server_take. */
void pl_pmi_server_expect(struct pl_pmi_server *server, int rank, int appnum);
void pl_pmi_server_take(struct pl_pmi_server *server, int rank, const char *bytes, size_t length);

/* A replacement of a rank that has ended: a world of its own in the given space, which sees the job's names.
 * The same. */
int pl_pmi_server_replace(struct pl_pmi_server *server, int rank, int appnum, int fd, const char *space);

/* The rank's process has ended: hears what it said last, closes, and tells
 * whether it broke off: said init but not finalize. */
bool pl_pmi_server_ended(struct pl_pmi_server *server, int rank);

/* Whether it said that it ends in order. */
bool pl_pmi_server_parted(const struct pl_pmi_server *server, int rank);

/* Calls `stuck` if a rank waits in the barrier while another has ended. */
void pl_pmi_server_check(struct pl_pmi_server *server);

#endif
