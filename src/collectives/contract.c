/* What the ranks of a collective call must agree on, packed into the signature that every message of it
 * carries so that it can be read again: who calls allreduce where others call bcast gets told just
 * that. What does not fit exactly (root, bytes) is hashed; lengths are compared with the message
 * itself besides. Of calls whose ranks know different lengths, bytes are left out.
 *
 *     31      28  27   23  22   17  16       10  9        8            0
 *     | coll + 1 | op + 1 | basic  | root % 127 | uneven | bytes, hashed |
 */
#include "contract.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { COLLECTIVE = 28, OP = 23, BASIC = 17, ROOT = 10, UNEVEN = 9, BYTES = 9 };

static_assert(PL_COLLECTIVES < 1 << (32 - COLLECTIVE), "a collective has four bits");

uint32_t pl_contract(const struct pl_coll_call *call, size_t bytes)
{
    uint64_t hash = (uint64_t)bytes * 0x9e3779b97f4a7c15ull;
    uint32_t op = call->op ? (uint32_t)call->op->kind + 1 : 0,
             basic = call->op ? (uint32_t)call->type->basic : 0;
    uint32_t root = (uint32_t)(call->root == PL_ROOT ? call->comm->rank : call->root);
    return ((uint32_t)call->collective + 1) << COLLECTIVE | (op & 31) << OP | (basic & 63) << BASIC |
           root % 127 << ROOT | (uint32_t)call->uneven << UNEVEN | (uint32_t)(hash >> (64 - BYTES));
}

static bool rooted(enum pl_collective collective)
{
    return collective == PL_BCAST || collective == PL_REDUCE || collective == PL_GATHER ||
           collective == PL_SCATTER;
}

void pl_contract_describe(uint32_t signature, char *text, size_t size)
{
    static const char *const ops[] = {"",           "MPI_SUM",     "MPI_MIN",   "MPI_MAX",
                                      "MPI_PROD",   "MPI_BAND",    "MPI_BOR",   "MPI_BXOR",
                                      "MPI_LAND",   "MPI_LOR",     "MPI_LXOR",  "MPI_MINLOC",
                                      "MPI_MAXLOC", "MPI_REPLACE", "MPI_NO_OP", "a user's operator"};
    uint32_t collective = (signature >> COLLECTIVE) - 1, op = signature >> OP & 31,
             basic = signature >> BASIC & 63;
    if (collective >= PL_COLLECTIVES || op >= sizeof ops / sizeof *ops || basic >= PL_BASIC_COUNT) {
        snprintf(text, size, "no collective");
        return;
    }
    static const char *const barriers[] = {[PL_BARRIER_ITSELF] = "barrier",
                                           [PL_BARRIER_FINALIZE] = "finalize",
                                           [PL_BARRIER_DISCONNECT] = "comm_disconnect",
                                           [PL_BARRIER_MEET] = "comm_accept or MPI_Comm_connect"};
    uint32_t root = signature >> ROOT & 127;
    if (collective == PL_BARRIER && root < sizeof barriers / sizeof *barriers) {
        snprintf(text, size, "%s", barriers[root]);
        return;
    }
    bool listed = (signature >> UNEVEN & 1) && collective != PL_NEIGHBOR;
    int length =
        snprintf(text, size, "%s%s", pl_collective_name((enum pl_collective)collective), listed ? "v" : "");
    if (op)
        length += snprintf(text + length, size - (size_t)length, " of %s with %s",
                           pl_basic_name((enum pl_basic)basic), ops[op]);
    if (rooted((enum pl_collective)collective) && length < (int)size)
        snprintf(text + length, size - (size_t)length, " from root %u", root);
}

void pl_coll_explain(struct pl_rank *rank, uint32_t mine, uint32_t theirs, char *text, size_t size)
{
    enum { ROOTS = 127 << ROOT };
    char here[96], there[96];
    pl_contract_describe(mine, here, sizeof here);
    pl_contract_describe(theirs, there, sizeof there);
    if (strcmp(here, there) != 0)
        snprintf(text, size, "%s there, %s here", there, here);
    else if ((mine ^ theirs) & ROOTS)
        snprintf(text, size, "%s with root %u there, %u here", here, (theirs & ROOTS) >> ROOT,
                 (mine & ROOTS) >> ROOT);
    else
        snprintf(text, size, "%s with another count or type there than here", here);
}
