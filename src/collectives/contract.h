/* The signature of a collective call; its reading is pl_coll_explain. */
#ifndef PL_CONTRACT_H
#define PL_CONTRACT_H

#include "collectives.h"

/* `bytes`: what all ranks know to be the same; else 0. */
uint32_t pl_contract(const struct pl_coll_call *call, size_t bytes);

/* Says it in words: "allreduce of int32 with MPI_SUM". */
void pl_contract_describe(uint32_t signature, char *text, size_t size);

#endif
