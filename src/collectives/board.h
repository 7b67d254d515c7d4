/* The board: tiny collectives on one host by hand, through memory that all ranks of
 * the communicator have mapped. Stands beside the schedules, which do the same; a
 * test shows that they agree.
 */
#ifndef PL_BOARD_H
#define PL_BOARD_H

#include "comm.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_board;
struct pl_coll_call;

/* Most bytes of a vector or block that the board serves, and of all the blocks that one rank writes. */
enum { PL_BOARD_VECTOR = 1024, PL_BOARD_BYTES = 2048 };

/* Most ranks: beyond, n looks at n cells each cost more than log2(n) messages. */
enum { PL_BOARD_RANKS = 64 };

/* Bytes of memory that a board of `size` ranks takes. `crowded`: they outnumber the cores (alike on all). */
size_t pl_board_bytes(int size, bool crowded);

/* A board over `memory` (mapped by all ranks, zeroed by the one whose memory it is
 * before any other sees it); NULL: no memory for this rank's own part. */
struct pl_board *pl_board_create(struct pl_comm *comm, void *memory, bool crowded);
/* Frees this rank's part and tells the others that it has left. */
void pl_board_destroy(struct pl_board *board);
/* How many ranks have left a board's memory. */
const _Atomic int *pl_board_left(const void *memory);

/* Whether it serves such calls: of even blocks and few bytes. Alike on all ranks. */
bool pl_board_serves(const struct pl_coll_call *call);
/* Makes one of them. 0 or an error with its text. */
int pl_board_call(struct pl_board *board, const struct pl_coll_call *call, uint32_t signature);

#endif
