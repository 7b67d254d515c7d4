/* A profiling library: its MPI_ functions count and call the PMPI_ ones behind them. At
 * MPI_Finalize it tells what it counted. Loaded by LD_PRELOAD or linked in front; the
 * program (profiled.c) is compiled without knowing of it. */
#include <mpi.h>
#include <stdio.h>

static int sends, receives, waits, allreduces, splits;

int MPI_Send(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    sends++;
    return PMPI_Send(buf, count, datatype, dest, tag, comm);
}

int MPI_Irecv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    receives++;
    return PMPI_Irecv(buf, count, datatype, source, tag, comm, request);
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    waits++;
    return PMPI_Wait(request, status);
}

int MPI_Allreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype datatype, MPI_Op op,
                  MPI_Comm comm)
{
    allreduces++;
    return PMPI_Allreduce(sendbuf, recvbuf, count, datatype, op, comm);
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *newcomm)
{
    splits++;
    return PMPI_Comm_split(comm, color, key, newcomm);
}

/* The library itself must not call any of these: they would be counted, too. */
int MPI_Send_c(const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
    sends += 100;
    return PMPI_Send_c(buf, count, datatype, dest, tag, comm);
}

int MPI_Allreduce_c(const void *sendbuf, void *recvbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op,
                    MPI_Comm comm)
{
    allreduces += 100;
    return PMPI_Allreduce_c(sendbuf, recvbuf, count, datatype, op, comm);
}

int MPI_Finalize(void)
{
    printf("profile: %d sends, %d receives, %d waits, %d allreduces, %d splits\n", sends, receives, waits,
           allreduces, splits);
    fflush(stdout);
    return PMPI_Finalize();
}
