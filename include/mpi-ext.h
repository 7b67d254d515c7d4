/* mpi-ext.h: what Peal offers beyond the MPI standard under MPIX_ names. Include it after or instead of mpi.h. */
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

#ifdef __cplusplus
}
#endif
#endif
