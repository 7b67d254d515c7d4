/* The wire of the parameter server: frames between the members of one, all of them here.
 *
 * A frame is one MPI message of bytes, PL_PS_FRAME at most, in the machine's byte order (a parameter server
 * lives on machines of one kind). It begins with a header:
 *
 *     0     1     2     3     4        6        8                16               24
 *     +-----+-----+-----+-----+--------+--------+----------------+----------------+----------------+
 *     |kind |table| enc |flags| origin |  runs  |     epoch      |       id       |      base      |
 *     +-----+-----+-----+-----+--------+--------+----------------+----------------+----------------+
 *     32            36            40            44            48
 *     +-------------+-------------+-------------+-------------+
 *     |    clock    |   entries   |    scale    |    slot     |
 *     +-------------+-------------+-------------+-------------+
 *
 * and most go on with runs: neighbouring entries of one operation that belong to one part of the tables,
 *
 *     +----------------+----------+----------+------+------+
 *     |      key       | position |  count   | part | zero |    24 bytes
 *     +----------------+----------+----------+------+------+
 *
 * The j-th entry of a run has the sequence number base + position + j among all that worker `origin` ever
 * sent; what makes it exactly-once is that a part remembers, for each worker, the next number it expects.
 *
 *     PUSH    worker -> head -> ... -> tail      header  runs  keys[entries]  values[entries][width]
 *     RESTORE worker -> head -> ... -> tail      header  runs  keys           rows[entries][1 +
 * states][width] CLEAR   worker -> head -> ... -> tail      header  runs (one a part: position = part) CLOCK
 * worker -> head -> ... -> tail      the same APPLY   head -> ... -> tail                header  runs
 * (position: the clock that ends) ACK     the other way, for each of these   header (id of what it answers)
 *
 *     PULL    worker -> head                     header  runs  keys
 *     VALUES  head -> worker                     header  values[entries][width]
 *     DUMP    worker -> head                     header  run (part; key: where to go on)
 *     DUMPED  head -> worker                     header  run (key: where to go on, or ~0)  keys  rows
 *
 *     ROWS    member -> who joins after it       header  run (part)  keys  rows
 *     META    the same, after the rows           header  run (part)  next[workers]  clocks[workers]
 *     JOINED  server -> manager                  header
 *
 *     VIEW    manager -> all                     header  the view (view.h)
 *     QUERY   new manager -> all                 header (id: the manager that died)
 *     ANSWER  all -> new manager                 header  the view
 *     BARRIER worker -> manager, and back        header (clock: its number; id: 2 verdict, back + 1)
 *     BYE     worker -> manager; and, with clock 1, from a server to who has left: nothing more will come
 *             (id 1: to anybody)
 *     LEAVE, JOIN   server -> manager            header
 *     COME    manager -> all                     header (clock: a server)  the port of its replacement
 *     ARRIVED replacement -> servers             header
 *
 * In a frame with the flag DENSE the entries of a run are the keys key, key + 1, ..., and there is no list.
 * With CACHE the frame has been shortened on its link: runs and keys are those of the slot (cache.h).
 */
#ifndef PL_PS_WIRE_H
#define PL_PS_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum { PL_PS_FRAME = 128 * 1024, PL_PS_TAG = 7 };

enum pl_ps_kind {
    PL_PS_PUSH = 1,
    PL_PS_RESTORE,
    PL_PS_CLEAR,
    PL_PS_CLOCK,
    PL_PS_APPLY,
    PL_PS_ACK,
    PL_PS_PULL,
    PL_PS_VALUES,
    PL_PS_DUMP,
    PL_PS_DUMPED,
    PL_PS_ROWS,
    PL_PS_META,
    PL_PS_JOINED,
    PL_PS_VIEW,
    PL_PS_QUERY,
    PL_PS_ANSWER,
    PL_PS_BARRIER,
    PL_PS_BYE,
    PL_PS_LEAVE,
    PL_PS_JOIN,
    PL_PS_COME,
    PL_PS_ARRIVED,
    PL_PS_KINDS,
};

enum pl_ps_encoding { PL_PS_FLOAT32, PL_PS_FLOAT16, PL_PS_INTEGER8 };

enum pl_ps_flag {
    PL_PS_DENSE = 1,
    PL_PS_PENDING = 2, /* rows of updates that wait for the end of the clock `clock` */
    PL_PS_CACHED = 4,  /* runs and keys are in `slot` of the link */
    PL_PS_KEEP = 8,    /* put runs and keys into `slot` */
};

enum { PL_PS_NOBODY = 0xffff };

struct pl_ps_header {
    uint8_t kind, table, encoding, flags;
    uint16_t origin; /* the worker's number, or PL_PS_NOBODY */
    uint16_t runs;
    uint64_t epoch; /* of the view that the sender has */
    uint64_t id;    /* of the sender's choice; the answer has the same */
    uint64_t base;
    uint32_t clock;
    uint32_t entries;
    float scale; /* of INTEGER8 */
    uint32_t slot;
};

struct pl_ps_run {
    uint64_t key;
    uint32_t position, count;
    uint16_t part, zero;
    uint32_t zeros;
};

_Static_assert(sizeof(struct pl_ps_header) == 48, "the header is 48 bytes on the wire");
_Static_assert(sizeof(struct pl_ps_run) == 24, "a run is 24 bytes on the wire");

#endif
