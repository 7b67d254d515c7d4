/* Requests: one send or receive under way, and how to start and end one.
 *
 * The memory of a request is the caller's (on its stack, inside a schedule's
 * run, or from the pool behind MPI_Request handles): from start until it is
 * complete it belongs to p2p. All functions are called with the rank's lock held.
 */
#ifndef PL_REQUEST_H
#define PL_REQUEST_H

#include "list.h"
#include "memory.h"
#include "transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct pl_comm;
struct pl_datatype;
struct pl_rank;

#define PL_ANY_SOURCE (-1)
#define PL_ANY_TAG    (-2)
#define PL_PROC_NULL  (-3)

/* The contexts of a communicator: the program's messages, those of collectives, and those by which ranks
 * agree on a new communicator, and partitioned ones. */
enum pl_channel { PL_CHANNEL_USER, PL_CHANNEL_COLLECTIVE, PL_CHANNEL_AGREE, PL_CHANNEL_PARTITIONED };
enum { PL_CHANNEL_BITS = 2 };
enum pl_mode { PL_MODE_STANDARD, PL_MODE_SYNCHRONOUS };

/* What a request needs whose buffer is in memory of a driver (memory.h): page-locked memory of two
 * halves, of which one is copied while the other is on the wire. p2p's own (device.h). */
struct pl_device {
    struct pl_memory *memory; /* NULL: the buffer is plain host memory */
    unsigned char *slot;      /* two times `half` bytes, or NULL */
    size_t half;
    unsigned turn; /* receive: the half that is filled next */
    struct pl_ticket ticket[2];
};

struct pl_request {
    struct pl_list link;  /* in a list of posted receives */
    struct pl_rank *rank; /* whose it is */
    bool complete;        /* the one thing a waiter looks at */
    bool cancelled;
    bool is_send;
    bool matched;    /* receive: an envelope has been found; it can no longer be cancelled */
    int error;       /* 0 or an enum pl_error, when complete */
    char *text;      /* malloc'd text of the error or NULL; freed by pl_request_finish */
    int source, tag; /* receive: as wanted; when complete: as MPI_Status has them. send: tag */
    size_t length;   /* receive, when complete: bytes landed; send: bytes of the message */
    /* Called once, when the request becomes complete (also with an error), from
     * progress or from the starting call itself; may start other requests. */
    void (*completed)(struct pl_request *request);
    void *owner; /* the caller's */

    /* p2p's own from here on */
    struct pl_comm *comm;
    void *buffer;
    size_t capacity;    /* receive: bytes of data in buffer; send: bytes the receiver asked for */
    uint64_t context;   /* matching key: communicator and channel */
    uint64_t sequence;  /* order of posting */
    uint32_t signature; /* collective contract; of the program's messages, what they contain: content.h */
    uint32_t cookie;    /* its number in frames, 0: none */
    uint32_t serial;    /* send: the number of an eager message, by which it is cancelled; 0: not eager */
    int peer;           /* the other side's number in rank->peers; -1: not known yet, or none */
    unsigned parts;     /* send: what must still happen before it is complete */
    uint32_t remote_cookie;
    struct pl_memory_key key;
    bool registered;
    const struct pl_comm *together; /* NULL, or: all members of that one make this; a death among them ends
                                       it. Set by the caller after the start, as is the next */
    bool wary;                      /* a death in comm that is not acknowledged ends it too */
    bool asked;                     /* send: the receiver has been asked to forget it, and has not answered */
    uint64_t guard; /* rendezvous: what a peer that reads the buffer finds here while it is the message's */
    const struct pl_datatype *type; /* held: how the data lies in buffer; NULL: plain bytes */
    unsigned char *staging;         /* typed: packed bytes on their way, or NULL */
    size_t moved;                   /* bytes that went in segments so far */
    size_t segment;                 /* bytes of one, at most */
    struct pl_device device;        /* meaningful where type is not NULL */
    struct pl_operation operation;
};

/* Starts a send of `length` contiguous bytes to `destination` (rank in comm, or
 * PL_PROC_NULL). Never blocks, never fails: an error completes the request.
 * request->completed and ->owner are set by the caller before; the rest is filled here. */
void pl_send_start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                   enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                   uint32_t signature);

/* The same with the data of a datatype at `buffer`: `length` bytes of it are packed, in segments where the
 * message is long. The type is held until the request is complete. */
void pl_send_start_typed(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                         enum pl_mode mode, const void *buffer, size_t length, int destination, int tag,
                         uint32_t signature, const struct pl_datatype *type);

/* Starts a receive of at most `capacity` bytes. `signature`: what must come, as the sender has it: of a
 * collective, the call; of the program's messages, their content, where 0 takes all (content.h). */
void pl_recv_start(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel, void *buffer,
                   size_t capacity, int source, int tag, uint32_t signature);

void pl_recv_start_typed(struct pl_request *request, struct pl_comm *comm, enum pl_channel channel,
                         void *buffer, size_t capacity, int source, int tag, uint32_t signature,
                         const struct pl_datatype *type);

/* Runs progress until the request is complete; spins, yields, then sleeps.
 * Returns its error, whose text is then pl_fail_text(). Does not finish it. */
int pl_request_wait(struct pl_request *request);

/* The same, but PL_EPENDING, with the request still under way, when a receive from any source is stalled
 * (pl_request_stalled): a possible sender died and others may still send. */
int pl_request_await(struct pl_request *request);

/* One round of progress. Returns whether the request is complete. */
bool pl_request_test(struct pl_request *request);

/* A message that has arrived and is not matched: found by a probe. */
struct pl_message;

/* The first message that would match a receive from `source` with `tag`, or NULL. No progress is made.
 * The message stays; `take` removes it from matching: it is then for pl_message_recv
 * alone; what is never received, the end of the rank frees. */
struct pl_message *pl_message_find(struct pl_comm *comm, enum pl_channel channel, int source, int tag,
                                   bool take);
int pl_message_source(const struct pl_message *message);
int pl_message_tag(const struct pl_message *message);
size_t pl_message_length(const struct pl_message *message);
/* The communicator it came on; the world, when that is freed. */
struct pl_comm *pl_message_comm(const struct pl_message *message);
/* Receives a taken message, with the `signature` of a receive and perhaps a type (NULL: plain bytes). The
 * message is p2p's again. */
void pl_message_recv(struct pl_request *request, struct pl_message *message, void *buffer, size_t capacity,
                     uint32_t signature, const struct pl_datatype *type);

/* Cancels a receive that is not matched yet: it completes as cancelled. A send that is not received yet is
 * asked back: it is complete once the receiver has answered, also when it was before. */
void pl_request_cancel(struct pl_request *request);

/* Gives up a request that can never complete (deadlock): it completes with `error`, whose text is
 * pl_fail_text(). */
void pl_request_abandon(struct pl_request *request, int error);

/* Takes over a request that nobody will wait for any more: one not matched is cancelled, and `memory`
 * (malloc'd, the request is in it) is freed when the ports are closed, since until then a transport may use
 * it. */
void pl_request_orphan(struct pl_request *request, void *memory);

/* Frees what a complete request holds (its error text). The memory itself is the caller's. */
static inline void pl_request_finish(struct pl_request *request)
{
    if (__builtin_expect(request->text != NULL, 0)) {
        free(request->text);
        request->text = NULL;
    }
}

/* One round of progress of all ports of the rank. Returns events, or a negative error. */
int pl_progress(struct pl_rank *rank);

/* pl_progress for a caller that will look again later (tests and probes): lets others run
 * when nothing happened and they need the core. Returns events, or a negative error. */
int pl_poll(struct pl_rank *rank);

/* What a loop does after pl_progress found nothing `idle` times in a row (0, 1, 2 ...):
 * relax, yield, then sleep until something comes. Returns 0, or PL_EDEADLOCK. Gives the
 * rank's lock away meanwhile. */
int pl_idle(struct pl_rank *rank, unsigned idle);

/* The time that the rank lives in, nanoseconds: virtual in a deterministic world. */
int64_t pl_rank_now(struct pl_rank *rank);
/* Makes progress for so long, asleep where there is none to make. 0 or an error. */
int pl_pause(struct pl_rank *rank, int64_t nanoseconds);

/* Whether that call would sleep. Who waits for something that no frame brings says so first, and is woken by
 * pl_peer_wake. */
bool pl_idle_sleeps(const struct pl_rank *rank, unsigned idle);

#endif
