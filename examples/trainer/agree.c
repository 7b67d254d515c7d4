/* agree.c: a rank that meets an error must not leave alone: the others would wait
 * for it in the next collective for ever. So after each step that can fail all
 * ranks compare, in one small allreduce, who failed first; that rank's reason
 * goes to everyone and rank 0 prints it once.
 */
#include "agree.h"

int agree(MPI_Comm comm, struct failure *failure)
{
    int rank, size, mine, first;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    mine = failure->text[0] ? rank : size;
    MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm);
    if (first == size)
        return 0;
    MPI_Bcast(failure->text, sizeof failure->text, MPI_CHAR, first, comm);
    return -1;
}

void broadcast(MPI_Comm comm, void *bytes, size_t size)
{
    const size_t most = (size_t)16 << 20;
    char *at = bytes;
    for (; size > 0; at += size < most ? size : most, size -= size < most ? size : most)
        MPI_Bcast(at, (int)(size < most ? size : most), MPI_BYTE, 0, comm);
}
