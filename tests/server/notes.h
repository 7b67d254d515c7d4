/* Memory that all ranks of a job on one host share beside MPI, so that what a rank noted outlives it. */
#ifndef PS_NOTES_H
#define PS_NOTES_H

#include <mpi.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* `bytes` of it, zeros at first, in a file that is the job's; its name goes to path (the caller removes it).
 */
static inline void *notes_open(const char *name, char *path, size_t size, size_t bytes)
{
    snprintf(path, size, "/tmp/peal-%s-%d", name, (int)getppid());
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)bytes))
        MPI_Abort(MPI_COMM_WORLD, 2);
    void *notes = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (notes == MAP_FAILED)
        MPI_Abort(MPI_COMM_WORLD, 2);
    close(fd);
    return notes;
}

#endif
