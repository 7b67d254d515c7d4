/* Several connections with one peer, each over a network card of its own. */
#ifndef PL_TCP_LANES_H
#define PL_TCP_LANES_H

#include "tcp.h"

enum {
    PL_TCP_LANES = 4,  /* with the first one */
    PL_TCP_FLIGHT = 32 /* parts of a lane that are written and not acknowledged */
};

/* A lane's name on the wire, 1..255, but 0 for the first connection of all. */
enum { PL_TCP_TURNS = 64 };
static inline int pl_tcp_lane_name(int number, int turn)
{
    return number | turn * PL_TCP_LANES;
}

/* What a lane carries at a time. */
#define PL_TCP_PART ((size_t)128 * 1024)
/* On the wire before each part: kind and length, where it belongs, how much has come of the other direction.
 */
#define PL_TCP_PART_HEAD 24

/* Bytes [begin, end) of everything that is sent to the peer since the lanes are there. */
struct pl_tcp_range {
    uint64_t begin, end;
};

/* A frame from when it is sent until all of it is acknowledged. */
struct pl_tcp_lanes_frame {
    struct pl_list link;
    struct pl_tcp_range range;
    struct pl_operation *operation; /* NULL: it was copied, and is done for the caller */
    const unsigned char *payload;
    unsigned char head[PL_TCP_HEAD];
    unsigned char copy[];
};

/* What came before its turn. */
struct pl_tcp_early {
    struct pl_list link;
    struct pl_tcp_range range;
    unsigned char bytes[];
};

struct pl_tcp_lane {
    struct pl_tcp_stream *stream; /* NULL: there never was one */
    bool dead; /* its network is; the socket is kept, for its end would say something else */
    int turn;  /* how often the lane was dialed anew; its name on the wire says it, so old news harm no new
                  lane */
    int64_t since; /* when it came up (ns) */
    int64_t redial_at,
        pause; /* dead: when it is dialed again, by who had dialed it, and how long after that */
    /* Sending. */
    bool writing;
    struct pl_tcp_range part;
    unsigned char head[PL_TCP_PART_HEAD];
    size_t sent;                                                    /* of head and part */
    struct pl_tcp_range flight[PL_TCP_LANES * (PL_TCP_FLIGHT + 1)]; /* those of dead lanes come on top */
    int flights;
    /* Receiving. */
    unsigned char in[PL_TCP_PART_HEAD];
    size_t have; /* of `in` */
    uint64_t at; /* where the next byte of the part belongs ... */
    size_t left; /* ... and how many are to come */
    bool spoke;  /* anything came on it */
    bool goodbye;
};

struct pl_tcp_lanes {
    struct pl_tcp_peer *peer;
    struct pl_tcp_lane lane[PL_TCP_LANES];
    int living;
    /* Sending. */
    bool switched; /* the first lane carries parts from now on ... */
    size_t marker; /* ... once so many bytes of the mark are written */
    bool seen;     /* the same of the other direction */
    bool settled;  /* the peer has seen our mark, so all that was sent before it has come */
    uint64_t next, end, acknowledged;
    size_t copied; /* bytes of payloads kept */
    struct pl_list frames;
    struct pl_tcp_range again[PL_TCP_LANES * (PL_TCP_FLIGHT + 1)]; /* to be written once more */
    int agains;
    unsigned tell; /* lanes of which the peer does not know yet that they are dead, as bits */
    /* Receiving. */
    uint64_t expected, told; /* all before it has come, and been acknowledged */
    int parts;               /* that came since */
    bool due;                /* an acknowledgement is */
    unsigned char frame[PL_TCP_HEAD + PL_TCP_SMALL];
    size_t have, length; /* of the frame that comes */
    bool landing_on;     /* its payload lands: */
    struct pl_tcp_range payload;
    struct pl_landing landing;
    struct pl_tcp_range islands[PL_TCP_LANES * (PL_TCP_FLIGHT + 1)]; /* landed ahead of `expected`, sorted */
    int nislands;
    struct pl_list early; /* sorted */
    size_t early_bytes;
    bool has_final;
    uint64_t final; /* it said goodbye behind that */
};

/* tcp_lanes.c */
/* Dials what further lanes to this peer there can be; once, and only from the lower rank's first long message
 * or the higher one's. Its failing costs nothing. */
void pl_tcp_lanes_open(struct pl_tcp_peer *peer);
/* The peer has lanes from now on, if it had none. NULL: no memory. */
struct pl_tcp_lanes *pl_tcp_lanes_get(struct pl_tcp_peer *peer);
/* Whether a further lane of that name could be taken, or one in a dead lane's place. */
bool pl_tcp_lanes_want(const struct pl_tcp_peer *peer, int name);
/* An authenticated socket is a further lane. As pl_tcp_peer_up. */
int pl_tcp_lanes_add(struct pl_tcp_peer *peer, int name, int fd, struct pl_tcp_tls *tls,
                     const union pl_tcp_address *address);
/* A lane's network is dead: what it had under way goes by the others. There must be others. */
void pl_tcp_lanes_cut(struct pl_tcp_lanes *lanes, int number, const char *why);
/* The other end says that the lane of that name is dead. */
void pl_tcp_lanes_told_dead(struct pl_tcp_lanes *lanes, int name);
/* Once a second: lanes that are silent, and dead ones to be dialed again. Returns how many upcalls were made.
 */
int pl_tcp_lanes_tick(struct pl_tcp_lanes *lanes, int64_t now);
/* The end of all of them; what is under way ends with `error`. Returns how many upcalls were made. */
int pl_tcp_lanes_drop(struct pl_tcp_peer *peer, int error, const char *text);
/* Ends all sends: with `error`, or as done if all has been written. */
int pl_tcp_lanes_end_sends(struct pl_tcp_lanes *lanes, int error, const char *text);

/* tcp_lanes_send.c */
/* As the transport's send. */
int pl_tcp_lanes_send(struct pl_tcp_lanes *lanes, struct pl_operation *operation);
/* Writes what the kernels take. */
void pl_tcp_lanes_write(struct pl_tcp_lanes *lanes);
/* All before `offset` has come. False: it never was sent. */
bool pl_tcp_lanes_acknowledged(struct pl_tcp_lanes *lanes, uint64_t offset);
/* Completes what is acknowledged. Returns how many. */
int pl_tcp_lanes_release(struct pl_tcp_lanes *lanes);
/* Whether something has not been written yet. */
bool pl_tcp_lanes_unsent(const struct pl_tcp_lanes *lanes);
/* Begins with parts in our direction, if the first lane is between two frames; takes over the queue. */
void pl_tcp_lanes_switch(struct pl_tcp_lanes *lanes);
/* The goodbye of a lane. */
void pl_tcp_lanes_goodbye(struct pl_tcp_lanes *lanes, const struct pl_tcp_stream *stream,
                          unsigned char bytes[PL_TCP_HEAD]);

/* tcp_lanes_receive.c */
/* Reads one lane and hands over what is whole. Returns how much happened; may end in pl_tcp_peer_lose. */
int pl_tcp_lanes_read(struct pl_tcp_stream *stream);

#endif
