/* What lossy filters have not sent yet: it stays with the worker, and is added to the next update of the key.
 */
#ifndef PL_PS_RESIDUAL_H
#define PL_PS_RESIDUAL_H

#include "worker.h"

/* Applies the table's filters to a push: from then on it owns what it sends. 0 or an MPI error class. */
int pl_ps_residual_push(struct peal_ps *ps, struct pl_ps_operation *push);
void pl_ps_residuals_finish(struct peal_ps *ps);

#endif
