/* The shared-memory transport: ranks of one host, one user, one process-id namespace. */
#ifndef PL_SHM_H
#define PL_SHM_H

#include "transport.h"

extern const struct pl_transport pl_shm;

#endif
