/* One rank, and what it is told where there is no device, no memory left on it, or PEAL_CUDA is off. */
#include "fakecuda.h"

#include <mpi-ext.h>
#include <mpi.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fails(const char *why)
{
    fprintf(stderr, "failures: %s\n", why);
    return 1;
}

static int missing(void)
{
    int in = 3, out = 0;
    if (cuInit(0) != PL_CU_NO_DEVICE)
        return fails("the double has a device");
    MPI_Init(NULL, NULL);
    if (MPIX_Query_cuda_support())
        return fails("the query says that there is a device");
    MPI_Allreduce(&in, &out, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return out == 3 ? 0 : fails("host buffers do not work");
}

static int off(void)
{
    int in = 3, out = 0;
    if (MPIX_Query_cuda_support())
        return fails("the query says yes before MPI_Init");
    MPI_Init(NULL, NULL);
    if (MPIX_Query_cuda_support())
        return fails("the query says yes");
    MPI_Allreduce(&in, &out, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return out == 3 ? 0 : fails("host buffers do not work");
}

/* The two buffers are there, and nothing more can be had: what needs no memory of its own on the device still
 * works. */
static int exhausted(void)
{
    enum { BYTES = 1 << 20 };
    pl_cu_context context;
    pl_cu_address a = 0, b = 0, c = 0;
    MPI_Comm two;
    char text[MPI_MAX_ERROR_STRING];
    int length, code;
    MPI_Init(NULL, NULL);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (MPIX_Query_cuda_support() != 1 || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context))
        return fails("no device");
    if (cuMemAlloc_v2(&a, BYTES) || cuMemAlloc_v2(&b, BYTES) ||
        cuMemAlloc_v2(&c, BYTES) != PL_CU_OUT_OF_MEMORY)
        return fails("the double's memory does not end after two allocations");
    MPI_Comm_dup(MPI_COMM_WORLD, &two);
    code = MPI_Sendrecv((void *)(uintptr_t)a, BYTES, MPI_BYTE, 0, 0, (void *)(uintptr_t)b, BYTES, MPI_BYTE, 0,
                        0, two, MPI_STATUS_IGNORE);
    if (code) {
        MPI_Error_string(code, text, &length);
        return fails(text);
    }
    MPI_Comm_free(&two);
    MPI_Finalize();
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    return !strcmp(what, "missing") ? missing() : !strcmp(what, "off") ? off() : exhausted();
}
