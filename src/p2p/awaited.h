/* What a rank waits for: for reports of hangs. */
#ifndef PL_AWAITED_H
#define PL_AWAITED_H

#include <stdbool.h>
#include <stddef.h>

struct pl_rank;

/* Writes the ranks of this world that requests under way wait for, each once, at most `most`. *any: a receive
 * takes whoever comes. Returns how many. With the rank's lock held. */
int pl_awaited(const struct pl_rank *rank, int *ranks, int most, bool *any);

/* "for a message from rank 1 with tag 5 in MPI_COMM_WORLD; 2 messages that nobody receives, the first from
 * rank 3 with tag 9": what is posted, what is not yet fetched, and what came unexpected. "" when there is
 * nothing. */
void pl_awaited_text(const struct pl_rank *rank, char *text, size_t size);

#endif
