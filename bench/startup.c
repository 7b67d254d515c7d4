/* What starting costs: MPI_Init, one barrier, MPI_Finalize. With "memory" each rank then says how much is its own:
 * kilobytes, of which those it shares with others are counted by their share (Pss). bench/startup starts it. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

static long kilobytes(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)) && sscanf(line + strlen(name), " %ld", &value) == 1)
            break;
    if (file)
        fclose(file);
    return value;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Barrier(MPI_COMM_WORLD);
    if (argc > 1 && !strcmp(argv[1], "memory")) {
        long own = kilobytes("Pss:");
        MPI_Barrier(MPI_COMM_WORLD);
        printf("rank %ld\n", own);
    }
    MPI_Finalize();
    return 0;
}
