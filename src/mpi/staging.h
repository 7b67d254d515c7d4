/* Staging: collectives on data with gaps, or in device memory. The engine moves plain bytes; so what has
 * gaps is packed into temporaries before the call, and unpacked from them when it is complete. */
#ifndef PL_STAGING_H
#define PL_STAGING_H

#include "collective.h"

struct pl_staging;

/* Looks whether a call needs staging. If so *staging is set and *a becomes the same call on the temporaries,
 * whose contents pl_staging_pack writes; else *staging is NULL and *a as it was. Arguments that are wrong in
 * ways that preparing the call finds are left to that. *memory: not NULL, the call is on plain bytes of that
 * driver's, which the engine can work on. 0 or an error. */
int pl_staging_create(struct pl_mpi *mpi, const struct pl_comm *comm, enum pl_collective collective,
                      struct pl_arguments *a, struct pl_staging **staging, struct pl_memory **memory);
/* The call is prepared: the packed type's handle, if there is one, goes. Accepts NULL. */
void pl_staging_prepared(struct pl_mpi *mpi, struct pl_staging *staging);
/* Before each start of the call. Accepts NULL. 0 or an error: of a device. */
int pl_staging_pack(struct pl_staging *staging);
/* The call is complete, without an error. Accepts NULL. 0 or an error: of a device. */
int pl_staging_unpack(struct pl_staging *staging);
void pl_staging_destroy(struct pl_staging *staging); /* accepts NULL */

#endif
