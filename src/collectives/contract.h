/* The signature of a collective call; its reading is pl_coll_explain. */
#ifndef PL_CONTRACT_H
#define PL_CONTRACT_H

#include "collectives.h"

enum { /* where its parts begin (contract.c) */
       PL_CONTRACT_COLLECTIVE = 28,
       PL_CONTRACT_OP = 23,
       PL_CONTRACT_BASIC = 17,
       PL_CONTRACT_ROOT = 10,
       PL_CONTRACT_UNEVEN = 9,
       PL_CONTRACT_BYTES = 9, /* how many of them */
};
_Static_assert(PL_COLLECTIVES < 1 << (32 - PL_CONTRACT_COLLECTIVE), "a collective has four bits");

/* `bytes`: what all ranks know to be the same; else 0. */
static inline uint32_t pl_contract(const struct pl_coll_call *call, size_t bytes)
{
    uint64_t hash = (uint64_t)bytes * 0x9e3779b97f4a7c15ull;
    uint32_t op = call->op ? (uint32_t)call->op->kind + 1 : 0,
             basic = call->op ? (uint32_t)call->type->basic : 0;
    uint32_t root = (uint32_t)(call->root == PL_ROOT ? call->comm->rank : call->root);
    return ((uint32_t)call->collective + 1) << PL_CONTRACT_COLLECTIVE | (op & 31) << PL_CONTRACT_OP |
           (basic & 63) << PL_CONTRACT_BASIC | root % 127 << PL_CONTRACT_ROOT |
           (uint32_t)call->uneven << PL_CONTRACT_UNEVEN | (uint32_t)(hash >> (64 - PL_CONTRACT_BYTES));
}

/* Says it in words: "allreduce of int32 with MPI_SUM". */
void pl_contract_describe(uint32_t signature, char *text, size_t size);

#endif
