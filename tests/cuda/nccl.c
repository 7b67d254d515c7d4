/* Allreduce by NCCL and by Peal on the same buffers, one rank for each GPU: mpiexec -n GPUS nccl BYTES.
 * NCCL (libnccl.so.2) is opened at run time. Where it cannot run the same, one line says why and the exit
 * status is 77: it has no two ranks on one GPU, and needs a driver.
 */
#include "fakecuda.h"

#include <mpi.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NCCL_FLOAT = 7, NCCL_SUM = 0 }; /* ncclFloat32, ncclSum */

typedef struct {
    char bytes[128];
} nccl_id;

static struct {
    int (*id)(nccl_id *id);
    int (*init)(void **comm, int ranks, nccl_id id, int rank);
    int (*allreduce)(const void *in, void *out, size_t count, int type, int op, void *comm,
                     pl_cu_stream stream);
    int (*destroy)(void *comm);
    const char *(*text)(int result);
} nccl;

static int rank, ranks;

/* Ends all ranks, with a reason, if one has one. */
static void unless(int fails, const char *format, ...)
{
    char mine[200] = "";
    int failed = fails ? rank : ranks, first;
    va_list args;
    va_start(args, format);
    vsnprintf(mine, sizeof mine, format, args);
    va_end(args);
    MPI_Allreduce(&failed, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first == ranks)
        return;
    if (rank == first)
        printf("not compared with NCCL: %s\n", mine);
    fflush(stdout); /* before the others' exit ends the job */
    MPI_Finalize();
    exit(77);
}

static int open_library(void)
{
    void *library = dlopen("libnccl.so.2", RTLD_NOW);
    static const char *const names[] = {"ncclGetUniqueId", "ncclCommInitRank", "ncclAllReduce",
                                        "ncclCommDestroy", "ncclGetErrorString"};
    void **slots[] = {(void **)&nccl.id, (void **)&nccl.init, (void **)&nccl.allreduce,
                      (void **)&nccl.destroy, (void **)&nccl.text};
    for (int i = 0; i < 5; i++)
        if (!library || !(*slots[i] = dlsym(library, names[i])))
            return 0;
    return 1;
}

/* A GPU for each rank of the host; 0: there are not enough. */
static int take_device(void)
{
    MPI_Comm host;
    int local;
    pl_cu_device device;
    pl_cu_context context;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &local);
    MPI_Comm_free(&host);
    return !cuInit(0) && !cuDeviceGet(&device, local) && !cuDevicePrimaryCtxRetain(&context, device) &&
           !cuCtxSetCurrent(context);
}

static double seconds(int with_nccl, void *comm, char *a, char *b, size_t bytes)
{
    int times = bytes > 16 << 20 ? 10 : 100, result = 0;
    double began = 0;
    for (int i = -3; i < times; i++) {
        if (i == 0) {
            MPI_Barrier(MPI_COMM_WORLD);
            began = MPI_Wtime();
        }
        if (with_nccl) {
            result |= nccl.allreduce(a, b, bytes / 4, NCCL_FLOAT, NCCL_SUM, comm, NULL);
            result |= cuStreamSynchronize(NULL);
        } else {
            MPI_Allreduce(a, b, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        }
    }
    double mine = (MPI_Wtime() - began) / times, all;
    unless(result, "an allreduce of %zu bytes failed", bytes);
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return all;
}

int main(int argc, char **argv)
{
    size_t largest = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 20;
    pl_cu_address a, b;
    nccl_id id;
    void *comm = NULL;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    unless(ranks < 2, "it takes two GPUs and two ranks");
    unless(!take_device(), "there are fewer GPUs than ranks, and NCCL has no two ranks on one");
    unless(!open_library(), "there is no libnccl.so.2");
    int result = rank ? 0 : nccl.id(&id);
    unless(result, "ncclGetUniqueId: %s", nccl.text(result));
    MPI_Bcast(&id, sizeof id, MPI_BYTE, 0, MPI_COMM_WORLD);
    result = nccl.init(&comm, ranks, id, rank);
    unless(result, "ncclCommInitRank: %s", nccl.text(result));
    unless(cuMemAlloc_v2(&a, largest) || cuMemAlloc_v2(&b, largest), "no memory on the GPU");
    cuMemsetD8Async(a, 0, largest, NULL);
    if (!rank)
        printf("%12s %12s %12s %8s\n", "bytes", "NCCL us", "Peal us", "ratio");
    for (size_t bytes = 4096; bytes <= largest; bytes *= 4) {
        double theirs = seconds(1, comm, (char *)(uintptr_t)a, (char *)(uintptr_t)b, bytes);
        double ours = seconds(0, NULL, (char *)(uintptr_t)a, (char *)(uintptr_t)b, bytes);
        if (!rank)
            printf("%12zu %12.1f %12.1f %8.2f\n", bytes, theirs * 1e6, ours * 1e6, ours / theirs);
    }
    nccl.destroy(comm);
    cuMemFree_v2(a);
    cuMemFree_v2(b);
    MPI_Finalize();
    return 0;
}
