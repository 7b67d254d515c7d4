/* The contract between matching (src/p2p) and whatever moves bytes.
 *
 * A transport moves FRAMES between two ranks of a job: a header of fixed size,
 * opaque to the transport, and a payload of any length. Frames of one pair of
 * ranks arrive once, whole and in the order sent. A transport knows nothing of
 * tags, communicators or datatypes.
 *
 * One PORT is one rank's end of one transport; one ENDPOINT is the way from a
 * port to one peer. Ranks are named by a small integer (`peer`), unique in the
 * job. A port is used by one thread at a time (the caller holds the rank's
 * lock); ports of different ranks may live in one process and share nothing.
 *
 * A transport is one .c file that exports one `const struct pl_transport`
 * and is listed once, in registry.c. No operation but close may block longer
 * than a bounded copy takes. Operations that a transport does not have are
 * filled with the typed stubs of unsupported.h, never with NULL or a cast.
 *
 * A transport needs no endpoint from a rank to itself: src/p2p delivers a rank's
 * messages to itself. connect() is never called with the port's own rank.
 *
 * How a peer may go:
 * - It closes its port in order. All it has sent arrives, before anything else is
 *   seen of its leaving. It is not `lost`. Operations to it that are under way, or
 *   are started later, end with PL_EPEER (a few small ones may still seem to
 *   succeed). So a rank that waits for one who has left waits in vain: ranks agree
 *   to part (MPI_Finalize) before they close. Only tcp, over which strangers talk who
 *   have agreed on nothing, tells of it too: `left`.
 * - It dies (killed, its link broken, its port closed without a word). What it had
 *   sent may arrive or not, in order and without gaps; a payload that had begun to
 *   land ends in landed() with an error; operations to it end with PL_EPEER; then
 *   comes `lost`, once, on every port that has exchanged anything with it.
 * In either case other peers are not disturbed. tests/transport/conformance.c
 * checks what is said here over every transport.
 *
 * Errors: 0 or a negative enum pl_error, with its text set by pl_fail().
 */
#ifndef PL_TRANSPORT_H
#define PL_TRANSPORT_H

#include "list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_config;

/* What every frame begins with; the meaning is src/p2p's. */
#define PL_HEADER_SIZE 32
struct pl_header {
    uint64_t word[PL_HEADER_SIZE / 8];
};

/* Longest business card of one transport, in bytes (binary; the world encodes it). */
#define PL_CARD_MAX 384

/* What a peer needs in order to reach a piece of registered memory. Opaque; may travel. */
struct pl_memory_key {
    uint64_t word[2];
};

/* One operation under way (a send, a get, a put). The memory is the caller's,
 * zeroed or reused, and untouched by the caller from the call until `done`. */
struct pl_operation {
    struct pl_list link;     /* the transport's */
    struct pl_header header; /* send: set by the caller */
    const void *payload;     /* send: `length` bytes, unchanged until done; may be NULL when length is 0 */
    size_t length;
    size_t progress; /* the transport's */
    /* Called exactly once, from inside progress/close/disconnect of the port, if
     * the call that started the operation returned PL_PENDING; status is 0 or an
     * enum pl_error. The operation is the caller's again when this is entered. */
    void (*done)(struct pl_operation *operation, int status);
};

/* send/get/put return this when `done` will be called later. 0: it is complete
 * already (the buffer may be reused) and `done` will not be called. Negative:
 * it failed, `done` will not be called. */
#define PL_PENDING 1

/* Where the payload of an arriving frame shall land: the answer to `arrived`. */
struct pl_landing {
    void *buffer;    /* at least min(capacity, length) bytes, valid until landed; NULL: discard all */
    size_t capacity; /* what is longer is read and dropped */
    void *token;     /* the caller's */
};

/* What a port calls, from inside progress (or send, never from another thread). An upcall,
 * and `done`, may start further operations; it does not call progress, sleep, close or
 * disconnect of this port. */
struct pl_upcalls {
    /* A frame of `peer` is here. If `payload` is not NULL, all `length` bytes lie
     * there for the duration of this call, are consumed by it, and nothing
     * follows (`landing` is NULL). If payload is NULL and length > 0, the callee
     * fills *landing; landed() follows when the bytes are there.
     * length 0: payload and landing are both NULL. */
    void (*arrived)(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing);
    /* The payload has landed (status 0) or never will (PL_EPEER, ...). `landing` is as the
     * callee filled it, `length` the frame's, also where that is more than the capacity. */
    void (*landed)(void *context, int peer, const struct pl_landing *landing, size_t length, int status);
    /* The way to `peer` is gone: all its operations have completed with an error
     * before this call, and nothing more arrives from it. At most once a peer, and not for
     * one that closed in order. `cause` is a sentence: how it was seen. */
    void (*lost)(void *context, int peer, int error, const char *cause);
    /* For a deadlock report: writes one line, "rank 3 waits in MPI_Recv for ...".
     * Unlike the others it may be called by another rank's thread, while this
     * rank is inside sleep(); it must not call into the port. */
    void (*describe)(void *context, char *text, size_t size);
    /* The same, for who waits for whom: the one rank that it waits for; -1: none, or several would do. May be
     * NULL. */
    int (*awaits)(void *context);
    /* `peer` has closed its port in order; nothing more arrives from it. May be NULL. */
    void (*left)(void *context, int peer);
};

/* What open() gets. Everything is copied or outlives the port. */
struct pl_port_params {
    int rank, size;        /* this rank and how many there are at start */
    int local_size;        /* ranks on this host */
    bool crowded;          /* ... which are more than the CPUs that this one may use */
    unsigned char key[32]; /* the job's secret, for authentication */
    const struct pl_config *config;
    struct pl_fabric *fabric; /* loopback: the in-process world all its ports share; else NULL */
    const struct pl_upcalls *upcalls;
    void *context; /* first argument of each upcall */
};

/* The first member of every transport's own port and endpoint. */
struct pl_port {
    const struct pl_transport *transport;
};
struct pl_endpoint {
    const struct pl_transport *transport;
    struct pl_port *port;
    int peer;
};

struct pl_transport {
    const char *name; /* as in PEAL_TRANSPORT */
    /* A payload up to this many bytes is best sent at once, without asking (eager). */
    size_t eager_limit;
    /* Only one rank of the world runs at a time, and it must never spin: every wait goes to sleep(). */
    bool (*cooperative)(const struct pl_port *port);

    /* Makes a port. PL_EUNSUPPORTED: this machine cannot (the text says why), try the next transport.
     * A cooperative port's open() waits until all ranks have opened and it is this one's turn.
     * After close a rank may open again. */
    int (*open)(const struct pl_port_params *params, struct pl_port **port);
    /* Sends out what has been accepted (bounded by PEAL_TIMEOUT), completes what
     * is left with an error, frees all. Endpoints are gone with it. NULL is accepted. */
    void (*close)(struct pl_port *port);
    /* Writes this port's business card, at most PL_CARD_MAX bytes; *length is what it took. */
    int (*address)(struct pl_port *port, void *card, size_t *length);

    /* Makes the endpoint to `peer`, whose card is given (a card from outside: it may be
     * garbage: PL_EPROTOCOL). Lazy: may return before anything has crossed; what is sent
     * meanwhile is queued. PL_EUNREACHABLE: not by this transport (other host, ...).
     * A frame may arrive from a peer that was never connected to. */
    int (*connect)(struct pl_port *port, int peer, const void *card, size_t length,
                   struct pl_endpoint **endpoint);
    /* Completes the endpoint's operations, with an error where the frame has not gone, and
     * frees it. All `done` are called before it returns. NULL is accepted. */
    void (*disconnect)(struct pl_endpoint *endpoint);

    /* Starts a frame. The header is read before the call returns, and may then be overwritten.
     * 0, PL_PENDING or an error. Any number may be started, of any length, whatever the peer
     * does: what does not fit is queued by way of operation->link. */
    int (*send)(struct pl_endpoint *endpoint, struct pl_operation *operation);
    /* Moves what can be moved: makes upcalls and completions. Returns how many
     * (0: nothing happened), or a negative error when the port itself is broken: then all
     * its operations have been completed with an error, and nothing lands any more. */
    int (*progress)(struct pl_port *port);

    /* Sleeps until progress() has something to do, or one of `fds` (wait_fd of
     * other ports) is readable, or `timeout_ns` is over (negative: no limit; 0: do not
     * sleep, but let others run: a yield). Returns 0, or PL_EDEADLOCK when it is
     * certain that nothing will ever come; the text then says who waits for what. */
    int (*sleep)(struct pl_port *port, int64_t timeout_ns, const int *fds, int nfds);
    /* A descriptor that is readable when progress() has something to do, for another
     * port's sleep(); valid after this call until the next progress(). Sets *ready
     * if there is something to do already. -1: there is none and none is needed
     * (nothing can arrive on this port now). */
    int (*wait_fd)(struct pl_port *port, bool *ready);

    /* Memory that every rank of the host (process) can reach by map(). NULL when there is none. */
    void *(*alloc)(struct pl_port *port, size_t size);
    /* true: it was alloc's and is free now. */
    bool (*free)(struct pl_port *port, void *memory);
    /* The peer's address range as a plain pointer of this process, or NULL. Range from alloc() of the peer.
     */
    void *(*map)(struct pl_endpoint *endpoint, uint64_t remote, size_t length);

    /* Makes [address, address+length) reachable by get and put of peers. */
    int (*reg)(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key);
    /* The same for memory of another device, which no page of the host stands for: [address, address+length)
     * is what the dma-buf `fd` has from `offset` on. The descriptor stays the caller's and may be closed.
     * get and put of peers reach it by the key; those of this port take parts of it as `local`.
     * PL_EUNSUPPORTED: transport, driver or kernel takes no dma-buf; such data is staged in host memory. */
    int (*reg_dmabuf)(struct pl_port *port, int fd, uint64_t offset, void *address, size_t length,
                      struct pl_memory_key *key);
    void (*dereg)(struct pl_port *port, const struct pl_memory_key *key);
    /* Reads / writes the peer's registered memory. 0, PL_PENDING or an error;
     * PL_EUNSUPPORTED: use frames. Ordered with nothing but its own completion. Where reg is not
     * supported, get's key is a guard, if word[0] is not 0: the address in the peer of a word that still has
     * the value word[1] when the bytes have been read, else they are not to be believed: PL_ECANCELLED. */
    int (*get)(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
               size_t length, struct pl_operation *operation);
    int (*put)(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
               const struct pl_memory_key *key, size_t length, struct pl_operation *operation);
    /* Whether get and put to this peer work (probed with a real read, once). */
    bool (*reaches)(struct pl_endpoint *endpoint);
};

/* All transports built in, ended by NULL; in order of preference. */
extern const struct pl_transport *const pl_transports[];

/* The transport of that name, or NULL. */
const struct pl_transport *pl_transport_find(const char *name);

#endif
