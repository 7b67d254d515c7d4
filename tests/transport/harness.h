/* What the conformance suite stands on: runs a function as N ranks over one
 * transport, and checks every frame that comes.
 *
 * Ranks of an in-process transport are threads over a fabric; ranks of all
 * others are forked processes, so that one can really be killed. They share one
 * anonymous mapping: cards, barriers, and the text of the first failed check.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "config.h"
#include "transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARTY_MAX = 16 };

/* A transport and how it is run. */
struct flavour {
    const struct pl_transport *transport;
    bool in_process;    /* ranks are threads over a fabric */
    bool deterministic; /* of those: one at a time */
    char name[48];
};

struct party;

/* What has come from one peer. */
struct inbound {
    uint64_t frames;    /* whole frames, landed or seen in place */
    uint64_t announced; /* `arrived` upcalls */
    uint64_t broken;    /* landed with an error */
    uint64_t marks[8];  /* frames of each kind */
    int lost;           /* `lost` upcalls */
};

/* One frame under way from here. */
struct outgoing {
    struct pl_operation operation;
    struct party *party;
    int peer, kind;
    bool done;
};

enum landing_mode { LAND_WHOLE, LAND_SHORT, LAND_NOTHING };

/* One rank of a run. */
struct party {
    const struct flavour *flavour;
    const struct pl_transport *transport;
    int rank, size;
    struct shared *shared;
    struct pl_config config;
    struct pl_port_params params;
    struct pl_port *port;
    struct pl_endpoint *to[PARTY_MAX];
    struct inbound from[PARTY_MAX];
    uint64_t sent[PARTY_MAX]; /* frames accepted by send, to each */
    int outstanding;          /* sends that are pending */
    int errors;               /* operations that completed with an error */
    bool tolerant;            /* errors are expected */
    enum landing_mode landing;
    int inside; /* depth of calls that may make upcalls */
    uint64_t epoch;
    /* Called after a frame was checked, and after an operation is done; may send. */
    void (*on_arrived)(struct party *party, int peer, int kind);
    void (*on_done)(struct party *party, int peer, int kind);
};

typedef void party_body(struct party *party);

/* Runs body as `size` ranks. Opens, connects all pairs before and closes after, unless `bare`.
 * Returns 0; 1 with text when a check failed, a rank died unasked or hung; 2 with text when the transport
 * cannot run here. */
int party_run(const struct flavour *flavour, int size, party_body *body, bool bare, char *text, size_t room);

/* Fails the run with a text and ends this rank. */
void party_fail(struct party *party, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));
#define CHECK(party, condition, ...)                                                                         \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            party_fail(party, __FILE__, __LINE__, #condition ": " __VA_ARGS__);                              \
    } while (0)

/* Says where this rank is, for the report of a hang. */
void party_stage(struct party *party, const char *stage);

void party_open(struct party *party);
/* All ranks publish their cards; nobody is connected yet. */
void party_publish(struct party *party);
void party_connect(struct party *party, int peer);
void party_connect_all(struct party *party);
const void *party_card(struct party *party, int peer, size_t *length);
void party_close(struct party *party);
/* This rank dies: SIGKILL, or the fabric's kill. In a process it does not return. */
void party_die(struct party *party);

/* Sends `length` bytes of pattern; returns what send() said. kind < 8. */
int party_send(struct party *party, int peer, size_t length, int kind);
int party_progress(struct party *party);
/* One round of progress, and sleep without limit if there was nothing. */
void party_step(struct party *party);
#define UNTIL(party, condition)                                                                              \
    do {                                                                                                     \
        party_stage(party, #condition);                                                                      \
        while (!(condition))                                                                                 \
            party_step(party);                                                                               \
    } while (0)

/* Waits until all living ranks are here; `moving`: makes progress meanwhile. */
void party_barrier(struct party *party, bool moving);
/* Until every frame that others were said to have sent here has come, and all of ours are done. */
void party_settle(struct party *party);

/* 8 words of each rank that all can see; to be separated by barriers. */
uint64_t *party_words(struct party *party, int rank);

void pattern_fill(void *data, size_t length, uint64_t seed);
/* The offset of the first wrong byte, or -1. */
int64_t pattern_check(const void *data, size_t length, uint64_t seed);

#endif
