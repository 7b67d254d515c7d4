/* One member of a parameter server: what its parts share. A member is a rank that is a worker, a server, or
 * both; one of the servers is also the manager.
 *
 *     api.c      the calls                   worker.c   operations: cut into frames, sent, answered, sent
 * anew pump.c     one round of all            server.c   what a server does with each frame link.c     frames
 * in and out           chain.c    what it passes on, and waits for view.c     who keeps what copy.c     what
 * it gives to one that joins ring.c     who should                  manager.c  views, one after the other
 *     store.c    vectors                     failure.c  who is dead, and what follows: nowhere else
 */
#ifndef PL_PS_H
#define PL_PS_H

#include "frame.h"
#include "link.h"
#include "peal.h"
#include "table.h"
#include "view.h"

#include <pthread.h>
#include <stdatomic.h>

struct pl_ps_server;
struct pl_ps_worker;
struct pl_ps_manager;

struct pl_ps_door {
    int server; /* -1: none */
    int life;   /* of who waits there */
    bool busy;  /* this member is at it */
    double looked;
    char service[64]; /* what the parameter server is known by; that and /RANK is a replacement's */
    char port[MPI_MAX_PORT_NAME];
};

struct peal_ps {
    MPI_Comm comm;
    int rank, size;
    struct peal_ps_options options;
    struct pl_ps_table tables[PL_PS_TABLES_MAX];
    int table_count;

    int servers, workers;           /* there were at the start, spares included */
    int my_server, my_worker;       /* numbers, or -1 */
    int first_server, first_worker; /* ranks: the others follow */
    int part_shift;                 /* hash >> part_shift: the part */

    struct pl_ps_view *view;
    struct pl_ps_links links;
    struct pl_ps_pool pool;
    struct pl_ps_server *server; /* NULL: this rank is none */
    struct pl_ps_worker *worker;
    struct pl_ps_manager *manager; /* every server has one, of use while it is the manager */

    pthread_mutex_t lock;
    atomic_bool again; /* progress was made while the lock was held */
    bool hooked;
    bool retry;     /* stalled links may go on */
    bool over;      /* this member has no more work: the view says so */
    bool *farewell; /* [size]: no more frames will come from that rank */
    bool wants_to_leave, wants_to_join;
    bool alone;                   /* a replacement, which shares no communicator with the others */
    struct pl_ps_door door;       /* of a replacement that waits for this member (replace.c) */
    struct pl_ps_request *waiter; /* ends when `until` holds */
    bool (*until)(const struct peal_ps *ps);
    char why[512];
    struct peal_ps_stats stats;
};

static inline int pl_ps_rank_of_server(const struct peal_ps *ps, int server)
{
    return ps->first_server + server;
}

static inline int pl_ps_rank_of_worker(const struct peal_ps *ps, int worker)
{
    return ps->first_worker + worker;
}

static inline int pl_ps_server_of(const struct peal_ps *ps, int rank)
{
    return rank >= ps->first_server && rank < ps->first_server + ps->servers ? rank - ps->first_server : -1;
}

static inline int pl_ps_worker_of(const struct peal_ps *ps, int rank)
{
    return rank >= ps->first_worker && rank < ps->first_worker + ps->workers ? rank - ps->first_worker : -1;
}

/* Writes the words for peal_ps_why and returns `class`. */
int pl_ps_fail(struct peal_ps *ps, int class, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What peal_hook_add is given: pumps, unless somebody does. */
void pl_ps_hook(void *ps);
/* A round of everything until nothing is left to do; the lock is held (pump.c). */
void pl_ps_pump(struct peal_ps *ps);
/* Takes and gives the lock; giving it pumps, and again while something happened meanwhile. */
void pl_ps_enter(struct peal_ps *ps);
void pl_ps_leave_lock(struct peal_ps *ps);

/* Waits until a condition that frames bring about holds. */
int pl_ps_await(struct peal_ps *ps, bool (*until)(const struct peal_ps *ps));

/* A frame has come from `rank`: 0 it is dealt with, or PL_PS_STALL: not before a newer view has come
 * (pump.c). */
enum { PL_PS_STALL = 1 };
int pl_ps_received(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);

/* A frame with only a header, sent. `id` and `clock` are the kind's. */
void pl_ps_send_header(struct peal_ps *ps, int rank, enum pl_ps_kind kind, uint64_t id, uint32_t clock);

/* Makes `view` the member's, which takes it over: everything that was under way is sorted out anew. */
void pl_ps_install(struct peal_ps *ps, struct pl_ps_view *view);

/* replace.c: what may wait, and so is done only where the program waits or calls: looks for replacements and
 * meets them. `due`: whether one waits for this member; `hunting`: whether this one, the manager, must look.
 */
void pl_ps_replace(struct peal_ps *ps);
bool pl_ps_replace_due(const struct peal_ps *ps);
bool pl_ps_replace_hunting(const struct peal_ps *ps);
/* A replacement waits at a port, says the manager. */
void pl_ps_replace_heard(struct peal_ps *ps, const struct pl_ps_frame *frame);
/* The parameter server is there, or will be no more. */
int pl_ps_replace_open(struct peal_ps *ps);
void pl_ps_replace_close(struct peal_ps *ps);
/* arrive.c: this process is a replacement; what peal_ps_create does then. */
int pl_ps_arrive(const struct peal_ps_options *options, peal_ps **ps);

/* create.c: all but the links, of a member whose rank and size are known; and the end of it. */
int pl_ps_build(struct peal_ps *ps);
void pl_ps_unmake(struct peal_ps *ps);
uint64_t pl_ps_digest(const struct peal_ps_options *options);

/* Requests of the program, ended from inside (request.c). */
struct pl_ps_request;
/* `parts` things to end before the request does. *handle is the program's. NULL: no memory, or MPI failed. */
struct pl_ps_request *pl_ps_request_create(int parts, MPI_Request *handle);
/* One of them has ended, with an error class or 0. Completes the request with the last. */
void pl_ps_request_end(struct pl_ps_request *request, int error);

/* One of them will never end, as MPI ends on this rank. */
void pl_ps_request_forget(struct pl_ps_request *request);

/* failure.c: no answer will come from `rank` any more. */
void pl_ps_lost(struct peal_ps *ps, int rank);
/* Whether an operation's error means that the peer is gone. */
bool pl_ps_means_death(int error);

#endif
