/* What the files of the loopback transport share: the port, its endpoints, and a frame on its way. */
#ifndef PL_LOOPBACK_PORT_H
#define PL_LOOPBACK_PORT_H

#include "fabric.h"

struct pl_loop_port {
    struct pl_port base;
    struct pl_seat *seat;
    struct pl_list endpoints;
};

struct pl_loop_endpoint {
    struct pl_endpoint base;
    struct pl_list link;
};

/* What alloc() gave lies behind one of these. */
struct pl_loop_allocation {
    struct pl_list link; /* first: the fabric frees it by this address */
    size_t size;
};

struct pl_loop_frame {
    struct pl_list link;            /* in the receiver's inbox, or alone while being delivered */
    struct pl_timer timer;          /* simulated: while it is under way */
    struct pl_list sent;            /* in the sender's outgoing list while `operation` is set */
    struct pl_operation *operation; /* whose buffer the payload is in, or NULL */
    struct pl_header header;
    int source, target;
    bool large;    /* payload lands by a copy of its own; else it is in bytes[] */
    bool copying;  /* the receiver reads the payload now, without the lock */
    bool stranded; /* the way it should go is cut: the sender alone knows it */
    size_t length;
    uint64_t flip;       /* 1 + the number of the payload's bit that is inverted on the way; 0: none */
    const void *payload; /* NULL: withdrawn by the sender */
    void *copy;          /* made when the sender closed */
    void *local;         /* a simulated get: no frame, but where `length` bytes at `payload` shall land */
    unsigned char bytes[];
};

static inline struct pl_loop_port *pl_loop_port_of(struct pl_port *port)
{
    return (struct pl_loop_port *)port;
}

static inline struct pl_seat *pl_loop_seat(const struct pl_endpoint *endpoint)
{
    return pl_loop_port_of(endpoint->port)->seat;
}

static inline struct pl_seat *pl_loop_peer(const struct pl_endpoint *endpoint)
{
    return &pl_loop_seat(endpoint)->fabric->seats[endpoint->peer];
}

/* Whether the way is open: 0 or PL_EPEER. The lock is held. */
int pl_loop_check_way(const struct pl_endpoint *endpoint);

/* The frame no longer needs the sender's buffer: its operation ends with `status`. The lock is held. */
void pl_loop_give_back(struct pl_fabric *fabric, struct pl_loop_frame *frame, int status);
void pl_loop_free(struct pl_loop_frame *frame);

/* A simulated get has been under way long enough. */
void pl_loop_get_due(struct pl_fabric *fabric, struct pl_timer *timer, bool over);

/* Slots of the transport that are in loopback_memory.c. */
void *pl_loop_alloc(struct pl_port *port, size_t size);
bool pl_loop_dealloc(struct pl_port *port, void *memory);
void *pl_loop_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length);
int pl_loop_reg(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key);
int pl_loop_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
                size_t length, struct pl_operation *operation);
int pl_loop_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
                const struct pl_memory_key *key, size_t length, struct pl_operation *operation);
bool pl_loop_reaches(struct pl_endpoint *endpoint);

#endif
