/* `peal bench --tune`: the three numbers of the model by which algorithms are chosen.
 *
 *   alpha   8 bytes to the right neighbour while as many come from the left
 *   beta    what a byte more costs, between messages of 256 KiB and 1 MiB:
 *           a short message has overheads of its own, which would make bytes look dear
 *   gamma   a byte of MPI_Reduce_local, sum of floats, 256 KiB
 *
 * All ranks exchange at once and all ranks reduce at once, as in a collective: they share the memory's
 * bandwidth, and with more ranks than cores the cores. Rejected: ping-pong, where one of two ranks always
 * rests; and fitting a line through all sizes, which the largest one decides alone.
 */
#include "bench.h"

#include "config.h"
#include "errors.h"
#include "tool.h"
#include "tuning.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHORT = 8, LONG = 256 << 10, LONGER = 1 << 20, REDUCED = 256 << 10 };

extern char **environ;

struct tune {
    int left, right;
    size_t bytes;
    float *in, *out;
};

static void once_shift(void *context)
{
    const struct tune *t = context;
    MPI_Sendrecv(t->in, (int)t->bytes, MPI_BYTE, t->right, 1, t->out, (int)t->bytes, MPI_BYTE, t->left, 1,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void once_reduce(void *context)
{
    const struct tune *t = context;
    MPI_Reduce_local(t->in, t->out, (int)(t->bytes / sizeof(float)), MPI_FLOAT, MPI_SUM);
}

static void rewrite(void *context, int batch)
{
    const struct tune *t = context;
    for (size_t i = 0; i < t->bytes / sizeof(float); i++)
        t->in[i] = t->out[i] = (float)((i + (size_t)batch) % 8);
}

static double nanoseconds(const struct pl_bench *bench, struct tune *tune, void (*once)(void *), size_t bytes)
{
    struct pl_timing timing = bench->timing;
    struct pl_work work = {once, rewrite, tune};
    timing.seconds = timing.seconds < 0.5 ? 0.5 : timing.seconds;
    tune->bytes = bytes;
    return pl_measure(&timing, &work).median * 1e3;
}

/* The transport between the ranks, and whether they share cores: as the library decides both. */
static void name_of(const struct pl_bench *bench, char name[PL_TUNING_NAME])
{
    struct pl_config config;
    MPI_Comm host;
    int here;
    pl_config_read(&config, environ);
    config.transports[strcspn(config.transports, ",")] = '\0';
    PMPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    PMPI_Comm_size(host, &here);
    PMPI_Comm_free(&host);
    bool one_host = here == bench->size;
    pl_tuning_name(name, one_host ? config.transports : "tcp",
                   one_host && here > sysconf(_SC_NPROCESSORS_ONLN));
}

static int measure(const struct pl_bench *bench, struct pl_machine *machine)
{
    struct tune tune = {.left = (bench->rank + bench->size - 1) % bench->size,
                        .right = (bench->rank + 1) % bench->size};
    tune.in = malloc(LONGER);
    tune.out = malloc(LONGER);
    if (!tune.in || !tune.out) {
        fprintf(stderr, "peal bench: no memory for buffers of %d bytes\n", LONGER);
        PMPI_Abort(MPI_COMM_WORLD, PL_TOOL_BAD);
    }
    double tiny = nanoseconds(bench, &tune, once_shift, SHORT);
    double shorter = nanoseconds(bench, &tune, once_shift, LONG);
    double longer = nanoseconds(bench, &tune, once_shift, LONGER);
    machine->alpha = tiny;
    machine->beta = longer > shorter ? (longer - shorter) / (LONGER - LONG) : longer / LONGER;
    machine->gamma = nanoseconds(bench, &tune, once_reduce, REDUCED) / REDUCED;
    free(tune.in);
    free(tune.out);
    return 0;
}

int pl_bench_tune(struct pl_bench *bench, const char *path)
{
    char name[PL_TUNING_NAME];
    struct pl_machine machine;
    if (bench->size < 2) {
        fprintf(stderr, "peal bench: --tune needs two ranks: mpiexec -n 2 peal bench --tune %s\n", path);
        return PL_TOOL_USAGE;
    }
    name_of(bench, name);
    measure(bench, &machine);
    if (bench->rank)
        return PL_TOOL_OK;
    if (pl_tuning_save(path, name, &machine)) {
        fprintf(stderr, "peal bench: %s\n", pl_fail_text());
        return PL_TOOL_BAD;
    }
    printf("%s alpha %.6g ns, beta %.4g ns a byte (%.3g GB/s), gamma %.4g ns a byte (%.3g GB/s)\n", name,
           machine.alpha, machine.beta, 1 / machine.beta, machine.gamma, 1 / machine.gamma);
    printf("written to %s; PEAL_TUNING=%s makes the library use it\n", path, path);
    return PL_TOOL_OK;
}
