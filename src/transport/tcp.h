/* What the files of the tcp transport share: the port, the peer, the stream.
 *
 *   tcp.c           the table of operations, progress, sleep
 *   tcp_peer.c      a peer's life: waiting, dialing, up, left or lost
 *   tcp_greeting.c  dialing, accepting, the handshake, which of two dials stays
 *   tcp_stream.c    frames on one authenticated socket
 *   tcp_close.c     the orderly end
 *   tcp_lanes.c     further connections over further networks (tcp_lanes_send.c, tcp_lanes_receive.c)
 *   tcp_auth.c      the messages of the handshake      tcp_address.c  interfaces, card
 */
#ifndef PL_TCP_H
#define PL_TCP_H

#include "list.h"
#include "tcp_address.h"
#include "tcp_auth.h"
#include "tcp_tls.h"
#include "transport.h"

#include <sys/epoll.h>

/* A payload up to this long may be sent at once, and is handed over in place when it fits. */
#define PL_TCP_EAGER ((size_t)64 * 1024)
/* A frame up to this long is waited for whole and handed over in place. */
#define PL_TCP_SMALL ((size_t)8 * 1024)
/* What one read takes beyond a landing payload. */
#define PL_TCP_BUFFER ((size_t)16 * 1024)
/* On the wire: 8 bytes kind and length, then the header. */
#define PL_TCP_HEAD (8 + PL_HEADER_SIZE)
/* Longest payload that is believed (bytes): 64 TiB. */
#define PL_TCP_LONGEST ((uint64_t)1 << 46)
/* Up to this many streams are read directly instead of being asked for by epoll. */
#define PL_TCP_DIRECT 4
/* The first payload that is so long makes further networks be looked for (tcp_lanes.c). */
#define PL_TCP_LANES_FROM ((size_t)256 * 1024)

/* What begins with the 8 bytes of kind and length. */
enum {
    PL_TCP_KIND_FRAME = 0xF1,
    PL_TCP_KIND_GOODBYE = 0xB7,
    PL_TCP_KIND_SWITCH = 0xD4,    /* parts follow instead of frames (tcp_lanes.h) */
    PL_TCP_KIND_PART = 0xD5,      /* a part ... */
    PL_TCP_KIND_DEAD = 0xD6,      /* ... the news that a lane is dead ... */
    PL_TCP_KIND_PART_SEEN = 0xD7, /* ... and a part from who has seen our switch */
};

/* Whatever has a descriptor; what epoll's answer points to. */
enum pl_tcp_kind { PL_TCP_DEAD, PL_TCP_LISTENER, PL_TCP_TIMER, PL_TCP_GREETING, PL_TCP_STREAM };
struct pl_tcp_source {
    struct pl_list link; /* the list it is in; the port's graveyard when dead */
    enum pl_tcp_kind kind;
    int fd;
    struct pl_tcp_tls *tls; /* of a connection; NULL: not encrypted */
    bool watched;           /* epoll knows it */
    uint32_t events;        /* which it was told */
};

/* One operation in a peer's queue. The head is kept here, since the caller's
 * header is read before send returns. */
struct pl_tcp_item {
    struct pl_list link;
    struct pl_operation *operation;
    unsigned char head[PL_TCP_HEAD];
};

/* One authenticated socket to a peer. A peer has one, or several lanes. */
struct pl_tcp_stream {
    struct pl_tcp_source source;
    struct pl_tcp_peer *peer;
    bool dialed;                  /* by this rank, not accepted */
    int lane;                     /* its number among the peer's; 0: the first, or the only one */
    union pl_tcp_address address; /* the other end, for texts */
    bool stalled;                 /* the kernel took no more; go on when it is writable */
    int write_error;              /* errno of a failed write; what has arrived is still read */
    size_t goodbye;               /* bytes of it that went out */
    int64_t silent_since;         /* the first time its host was seen not to answer; 0: it answers */
    /* The payload that is landing: `left` of its `length` bytes are still to come. */
    struct pl_landing landing;
    size_t length, left;
    /* Bytes read and not yet consumed: buffer[begin, end). Empty while reading into a landing. */
    size_t begin, end;
    unsigned char buffer[PL_TCP_BUFFER];
};

enum pl_tcp_state {
    PL_TCP_IDLE,    /* nothing was ever sent either way */
    PL_TCP_DIALING, /* something waits for a connection */
    PL_TCP_UP,      /* `stream` is there */
    PL_TCP_LEFT,    /* it said goodbye; what is sent to it fails */
    PL_TCP_LOST,    /* it failed, and `lost` was called */
};

struct pl_tcp_peer {
    struct pl_endpoint base;
    bool connected; /* connect() was called: `card` is valid and `base` is the caller's */
    enum pl_tcp_state state;
    struct pl_list attention;     /* in port->attention: progress has to look at it */
    struct pl_list queue;         /* of pl_tcp_item, in order */
    struct pl_tcp_stream *stream; /* with lanes: one of them */
    struct pl_tcp_lanes *lanes;   /* NULL: there is one connection */
    bool lanes_tried;             /* further networks were looked for */
    int64_t held_until;           /* a long payload waits for lanes so long (ns); 0: nothing does */
    /* Dialing. */
    struct pl_tcp_card card;
    struct pl_tcp_greeting *dial;   /* the attempt under way */
    struct pl_tcp_greeting *parked; /* a proven connection from it that waits for our own dial's end */
    int next_address, refusals;
    int64_t dial_since;   /* when the first round began */
    bool answered;        /* in this round something refused us, instead of not answering */
    int64_t retry_at;     /* when the next round begins; 0: none is waited for */
    bool dial_failed;     /* every address was tried */
    int dial_error;       /* enum pl_error */
    char dial_cause[160]; /* why the last one failed */
};

struct pl_tcp_port {
    struct pl_port base;
    int rank, size;
    unsigned char key[PL_TCP_KEY];
    struct pl_tcp_tls_context *tls; /* NULL: connections are not encrypted */
    int64_t timeout;                /* ns */
    const struct pl_upcalls *upcalls;
    void *context;

    struct pl_tcp_card card; /* our own */
    int epoll;
    struct pl_tcp_source listener[PL_TCP_ADDRESSES];
    struct pl_tcp_source timer;
    int64_t period;        /* of the timer, ns; 0: off */
    int64_t accept_paused; /* until then (ns) nothing is accepted: no descriptors left; 0: not paused */
    bool full;             /* listeners are not watched: too many strangers, or paused */

    struct pl_tcp_peer **peer; /* by rank; NULL: never heard of */
    int peers;                 /* entries in `peer` */
    struct pl_list streams;    /* of sources */
    int stream_count;
    struct pl_list strangers; /* accepted, not proven yet, oldest first */
    int stranger_count;
    struct pl_list dials;
    int warned; /* how many strangers were warned about */
    struct pl_list attention;
    struct pl_list spare;     /* items for reuse */
    struct pl_list graveyard; /* sources to free when no event can point to them any more */

    unsigned turn;  /* counts progress calls, to look at epoll now and then */
    int64_t looked; /* when that was last (ns, coarse) */
    bool check;     /* look at epoll in the next call */
    bool watch_all; /* epoll knows every stream, not only the port's own descriptors */
    bool in_progress;
    bool closing; /* what arrives is thrown away */
};

static inline struct pl_tcp_port *pl_tcp_port_of(const struct pl_tcp_peer *peer)
{
    return (struct pl_tcp_port *)peer->base.port;
}

/* tcp.c */
extern const struct pl_transport pl_tcp;
/* Tells epoll which events of `source` matter; 0: none, forget it. Returns 0 or PL_ESYSTEM. */
int pl_tcp_watch(struct pl_tcp_port *port, struct pl_tcp_source *source, uint32_t events);
/* Has epoll know every stream from now on. PL_ESYSTEM: it did not take one; that peer will be lost. */
int pl_tcp_watch_all(struct pl_tcp_port *port);
/* Closes the descriptor and takes it out of its list; freed when the events of this round are through. */
void pl_tcp_bury(struct pl_tcp_port *port, struct pl_tcp_source *source);
/* Sets the timer to what is waited for now. */
void pl_tcp_timer_set(struct pl_tcp_port *port);
/* One round: events, completions, upcalls. Returns how many. */
int pl_tcp_round(struct pl_tcp_port *port);
/* Sleeps until a round is worth it. timeout in ns, negative for no limit. */
int pl_tcp_wait(struct pl_tcp_port *port, int64_t timeout, const int *fds, int nfds);

/* tcp_peer.c */
/* The peer's entry, made if need be; NULL and pl_fail when memory is out. */
struct pl_tcp_peer *pl_tcp_peer_get(struct pl_tcp_port *port, int rank);
/* Has progress look at the peer soon: a failed dial, a queue that can go. */
void pl_tcp_peer_attend(struct pl_tcp_peer *peer);
/* What `attend` asked for. Returns how many upcalls were made. */
int pl_tcp_peer_look(struct pl_tcp_peer *peer);
/* An authenticated socket is there: makes it the peer's stream (the descriptor, and `tls` if it is not NULL,
 * are taken over on success). */
int pl_tcp_peer_up(struct pl_tcp_peer *peer, int fd, struct pl_tcp_tls *tls,
                   const union pl_tcp_address *address);
/* It said goodbye. Returns how many upcalls were made. */
int pl_tcp_peer_left(struct pl_tcp_peer *peer);
/* It is gone: completes everything with `error`, calls lost. Only from progress or close. */
int pl_tcp_peer_lose(struct pl_tcp_peer *peer, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts an operation that was begun by pl_tcp_stream_try, or not begun, into the queue. PL_PENDING or
 * PL_ENOMEM. */
int pl_tcp_peer_queue(struct pl_tcp_peer *peer, struct pl_operation *operation);
/* Takes the item out of whatever list it is in and completes its operation. */
void pl_tcp_item_done(struct pl_tcp_port *port, struct pl_tcp_item *item, int status);
/* Completes every queued operation; returns how many. */
int pl_tcp_peer_fail_queue(struct pl_tcp_peer *peer, int error, const char *text);
void pl_tcp_peer_destroy(struct pl_tcp_peer *peer);

/* tcp_greeting.c */
/* Begins to dial; never blocks; failure is told through pl_tcp_peer_attend. */
void pl_tcp_dial(struct pl_tcp_peer *peer);
/* Dials for a further lane of that name (tcp_lanes.h); its failing is told to nobody. */
void pl_tcp_dial_lane(struct pl_tcp_peer *peer, int name, const struct pl_tcp_way *way);
/* Gives up that dial, if it is under way. */
void pl_tcp_dial_lane_stop(struct pl_tcp_peer *peer, int name);
/* Whether such a dial is under way, for the lane of that name or (0) for any. */
bool pl_tcp_dials_lane(const struct pl_tcp_peer *peer, int name);
/* Gives up the dials for lanes. */
void pl_tcp_dial_lanes_stop(struct pl_tcp_peer *peer);
/* Gives up the dial under way and the parked connection, if any. */
void pl_tcp_dial_stop(struct pl_tcp_peer *peer);
void pl_tcp_accept(struct pl_tcp_port *port, struct pl_tcp_source *listener);
void pl_tcp_greeting_event(struct pl_tcp_port *port, struct pl_tcp_source *source);
/* Deadlines of strangers and dials; called by the timer. */
void pl_tcp_greeting_tick(struct pl_tcp_port *port, int64_t now);

/* tcp_stream.c */
/* Makes a stream of the socket and sets the socket up. NULL and pl_fail when it cannot. */
struct pl_tcp_stream *pl_tcp_stream_create(struct pl_tcp_peer *peer, int fd, struct pl_tcp_tls *tls,
                                           const union pl_tcp_address *address);
/* Tries to write one operation at once. 0: all of it was taken; PL_PENDING: it has to be queued. */
int pl_tcp_stream_try(struct pl_tcp_stream *stream, struct pl_operation *operation);
/* Writes from the peer's queue what the kernel takes. Returns how many operations completed. */
int pl_tcp_stream_write(struct pl_tcp_stream *stream);
/* Reads once and hands over what is whole. Returns how much happened. May end in pl_tcp_peer_lose. */
int pl_tcp_stream_read(struct pl_tcp_stream *stream);
/* Whether the other end's host has not acknowledged what was repeated to it for longer
 * than `timeout` (ns). To be asked about once a second. */
bool pl_tcp_stream_silent(struct pl_tcp_stream *stream, int64_t now, int64_t timeout);
/* Sends at once, and notices within about `timeout` (ns) that an idle connection's other host is gone. */
void pl_tcp_socket_setup(int fd, int64_t timeout);
/* The first bytes of a frame on the wire. */
void pl_tcp_head(unsigned char bytes[PL_TCP_HEAD], const struct pl_header *header, size_t length);
/* The bytes of a goodbye. */
void pl_tcp_goodbye(unsigned char bytes[PL_TCP_HEAD]);

/* tcp_close.c */
void pl_tcp_close(struct pl_port *port);

#endif
