/* mpi-ext.h: what Peal offers beyond the MPI standard under MPIX_ names: living on after a process has died
 * (the interface known as ULFM). Include it after or instead of mpi.h.
 *
 *     MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
 *     if (MPI_Allreduce(..., comm) != MPI_SUCCESS) {       somebody died, or comm was revoked
 *         MPIX_Comm_revoke(comm);                          nobody waits for who has left the loop
 *         MPIX_Comm_shrink(comm, &smaller);                those who live
 *     }
 *
 * Start the job with `mpiexec --continue`, or the first death ends it. docs/faults.md has more.
 */
#ifndef MPI_EXT_H
#define MPI_EXT_H

#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MPIX_CUDA_AWARE_SUPPORT 1 /* the function below is there, and tells for this machine */

/* 1: buffers of MPI calls may be in the memory of CUDA devices here: there is a driver, it has a device, and
 * PEAL_CUDA is not off. 0: they may not. May be called at any time. */
int MPIX_Query_cuda_support(void);
int PMPIX_Query_cuda_support(void);

#define MPIX_FT 1 /* the functions below are there */

/* Error classes; the values are those of MPICH. */
#define MPIX_ERR_PROC_FAILED         101 /* a process that the call needs has died or is out of reach */
#define MPIX_ERR_PROC_FAILED_PENDING 102 /* so has one that could have sent: the receive is still pending */
#define MPIX_ERR_REVOKED             103 /* MPIX_Comm_revoke was called on the communicator by some rank */

/* Makes the communicator useless on all its ranks: what is under way on it and all later calls, but those
 * below and MPI_Comm_free, end with MPIX_ERR_REVOKED. Not collective. */
int MPIX_Comm_revoke(MPI_Comm comm);
/* *flag: whether this rank knows that it was. */
int MPIX_Comm_is_revoked(MPI_Comm comm, int *flag);
/* Collective over the living: a new communicator without the dead, in the old order. Also on a revoked one.
 */
int MPIX_Comm_shrink(MPI_Comm comm, MPI_Comm *newcomm);
/* Collective over the living: *flag is and-ed over all of them and the result is the same on all, whoever
 * dies meanwhile. MPIX_ERR_PROC_FAILED, on all, when one has died whose death not all had acknowledged; the
 * flag is agreed on all the same. Also on a revoked one. */
int MPIX_Comm_agree(MPI_Comm comm, int *flag);
int MPIX_Comm_iagree(MPI_Comm comm, int *flag, MPI_Request *request);
/* The dead as this rank knows them, in the order it heard of them; it only grows at the end. */
int MPIX_Comm_get_failed(MPI_Comm comm, MPI_Group *failedgrp);
/* Acknowledges the first `num_to_ack` of them: receives from MPI_ANY_SOURCE no longer fail because of these.
 * *num_acked: how many are acknowledged now. */
int MPIX_Comm_ack_failed(MPI_Comm comm, int num_to_ack, int *num_acked);
/* The same, older: acknowledges all; and the group of those acknowledged. */
int MPIX_Comm_failure_ack(MPI_Comm comm);
int MPIX_Comm_failure_get_acked(MPI_Comm comm, MPI_Group *failedgrp);

int PMPIX_Comm_revoke(MPI_Comm comm);
int PMPIX_Comm_is_revoked(MPI_Comm comm, int *flag);
int PMPIX_Comm_shrink(MPI_Comm comm, MPI_Comm *newcomm);
int PMPIX_Comm_agree(MPI_Comm comm, int *flag);
int PMPIX_Comm_iagree(MPI_Comm comm, int *flag, MPI_Request *request);
int PMPIX_Comm_get_failed(MPI_Comm comm, MPI_Group *failedgrp);
int PMPIX_Comm_ack_failed(MPI_Comm comm, int num_to_ack, int *num_acked);
int PMPIX_Comm_failure_ack(MPI_Comm comm);
int PMPIX_Comm_failure_get_acked(MPI_Comm comm, MPI_Group *failedgrp);

#ifdef __cplusplus
}
#endif
#endif
