/* The header of p2p's frames: which message, of what kind. It fills struct
 * pl_header. docs/wire-format.md draws it. */
#ifndef PL_ENVELOPE_H
#define PL_ENVELOPE_H

#include "memory.h"
#include "transport.h"

#include <assert.h>
#include <stdint.h>

enum pl_kind {
    PL_KIND_EAGER = 1,  /* the message itself is the payload */
    PL_KIND_EAGER_SYNC, /* the same; answer ACK(cookie) when it is matched */
    PL_KIND_RTS, /* a message of `length` bytes waits at the sender; payload: struct pl_rts, or with a card */
    PL_KIND_ACK, /* to the sender: cookie's message is matched */
    PL_KIND_CTS, /* to the sender: send cookie's message as DATA(answer), `length` bytes of it */
    PL_KIND_DATA,     /* to the receiver: the payload of receive `cookie`, or its next segment */
    PL_KIND_FIN,      /* to the sender: cookie's message has been fetched */
    PL_KIND_WAKE,     /* nothing: whoever sleeps shall look around */
    PL_KIND_WITHDRAW, /* to the receiver: the sender has given up cookie's message */
    PL_KIND_DEATH,    /* news: payload: struct pl_death and a text */
    PL_KIND_BREAK,  /* communicator `context` can no longer be used; payload: struct pl_breaking and a text */
    PL_KIND_AGREE,  /* an agreement on communicator `context`; payload: agreement.c's */
    PL_KIND_CANCEL, /* to the receiver: forget the message `answer`, if it is still kept, and say so */
    PL_KIND_CANCELLED, /* to the sender: cookie's message was forgotten (length 1) or met its receive (0) */
    PL_KIND_SUM,       /* the checksums of the frame that follows (checksum.c) */
    PL_KIND_GIVE_UP,   /* the sender does not listen any more: what it got from here made no sense */
    PL_KIND_ASK, /* "is this your call too?", on communicator `context`; payload: collectives/doubt.c's */
};

struct pl_envelope {
    uint64_t kind : 8, context : 56;
    int32_t source; /* rank of the sender in the communicator */
    union {
        int32_t tag;
        int32_t segment; /* CTS: send no DATA longer than this; 0: all in one */
    };
    uint64_t length; /* of the message, bytes; CANCEL: 1 for an EAGER one, else 0 */
    uint32_t cookie; /* EAGER: the serial number of the send */
    union {
        uint32_t signature; /* EAGER, EAGER_SYNC, RTS: of collectives, the call; else content.h's; 0: none */
        uint32_t answer;    /* CTS: the receiver's cookie; CANCEL: the message's cookie or serial number */
    };
};

static_assert(sizeof(struct pl_envelope) == PL_HEADER_SIZE, "an envelope is a frame's header");

/* Where a waiting message lies, for transports that reach into a peer's memory. */
struct pl_rts {
    uint64_t address; /* 0: it does not lie in one piece */
    struct pl_memory_key key;
};

/* The payload of an RTS whose message lies in device memory that may be within the receiver's reach. */
struct pl_rts_card {
    struct pl_rts rts;
    struct pl_memory_card card;
};

#endif
