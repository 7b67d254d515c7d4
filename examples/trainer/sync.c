/* sync.c: the ways other than allreduce in which workers learn together.
 *
 *   ps, ps-bounded:S, ps-async     average:K
 *
 *      servers                      worker 0   step step step step  +--> mean of the weights
 *      w -= step(gradient)          worker 1   step step step step  +--> on every worker, every K steps
 *       ^ push   | pull
 *      workers, each at its own share of the batch
 *
 * The step is made on the server by the same rule as elsewhere (sgd.c), from gradients divided by the size of
 * the whole batch. Synchronous: one step a batch from the sum of the shares, so the weights are those of
 * allreduce, up to rounding. Otherwise each share is an update by itself, and each decays the momentum: a
 * gradient moves the weights by rate / (1 - momentum) in all either way. An element counts its updates, which
 * tells the server where in the schedule the training is; the first one is the initial weight itself.
 */
#include "sync.h"

#include <stdlib.h>
#include <string.h>

static void make_step(uint64_t key, size_t n, float *weights, float *const *states, const float *gradients,
                      const void *context)
{
    const struct sync_schedule *s = context;
    float *restrict v = states[0], *restrict count = states[1];
    for (size_t i = 0; i < n; i++) {
        if (count[i] == 0) {
            weights[i] = gradients[i];
        } else {
            real rate = (real)sgd_rate(s->rate, (long)count[i] - 1, s->updates);
            for (float same = count[i]; i < n && count[i] == same; i++) {
                v[i] = s->momentum * v[i] + gradients[i] + s->decay / (real)s->shares * weights[i];
                weights[i] -= rate * v[i];
                count[i] += 1;
            }
            i--;
            continue;
        }
        count[i] = 1;
    }
}

static int create_server(struct sync *s, MPI_Comm comm, const struct options *o, size_t parameters,
                         struct failure *failure)
{
    static const enum peal_ps_mode modes[] = {
        [SYNC_PS] = PEAL_PS_SYNC, [SYNC_BOUNDED] = PEAL_PS_BOUNDED, [SYNC_ASYNC] = PEAL_PS_ASYNC};
    const struct peal_ps_table table = {.name = "weights",
                                        .range = parameters,
                                        .updater = PEAL_PS_USER,
                                        .function = make_step,
                                        .states = 2,
                                        .context = &s->schedule};
    const struct peal_ps_options options = {.servers = o->servers,
                                            .replicas = o->replicas,
                                            .mode = modes[o->sync],
                                            .staleness = o->staleness,
                                            .tables = &table,
                                            .table_count = 1};
    char text[256];
    int ranks;
    MPI_Comm_size(comm, &ranks);
    if (peal_ps_check(&options, ranks, text, sizeof text))
        return fail(failure, "%s", text);
    if (peal_ps_create(comm, &options, &s->ps))
        return fail(failure, "the parameter server could not be made");
    return 0;
}

int sync_create(struct sync *s, MPI_Comm comm, const struct options *o, size_t parameters, long steps,
                real momentum, real decay, struct failure *failure)
{
    int ranks, works;
    *s = (struct sync){.kind = o->sync, .workers = comm};
    MPI_Comm_size(comm, &ranks);
    if (o->sync == SYNC_RING || o->sync == SYNC_AVERAGE)
        return 0;
    int shares = o->sync == SYNC_PS ? 1 : ranks - o->servers;
    s->schedule = (struct sync_schedule){o->rate, momentum, decay, steps * shares, shares};
    if (create_server(s, comm, o, parameters, failure) != 0)
        return -1;
    works = peal_ps_role(s->ps) == PEAL_PS_WORKER;
    MPI_Comm_split(comm, works ? 0 : MPI_UNDEFINED, 0, &s->workers);
    return 0;
}

void sync_destroy(struct sync *s)
{
    if (!s->ps)
        return;
    if (s->workers == MPI_COMM_NULL)
        peal_ps_serve(s->ps);
    else
        MPI_Comm_free(&s->workers);
    peal_ps_destroy(&s->ps);
}

int sync_begin(struct sync *s, const real *weights, size_t parameters)
{
    int error = 0;
    if (peal_ps_worker(s->ps) == 0)
        error = peal_ps_push_range(s->ps, 0, 0, parameters, weights, NULL);
    if (!error)
        error = peal_ps_clock(s->ps, NULL);
    return error ? error : peal_ps_barrier(s->ps, NULL);
}

int sync_take(struct sync *s, real *weights, size_t parameters)
{
    double begin = MPI_Wtime();
    int error = peal_ps_pull_range(s->ps, 0, 0, parameters, weights, NULL);
    s->seconds += MPI_Wtime() - begin;
    return error;
}

int sync_give(struct sync *s, const real *gradients, size_t parameters)
{
    double begin = MPI_Wtime();
    int error = peal_ps_push_range(s->ps, 0, 0, parameters, gradients, NULL);
    if (!error)
        error = peal_ps_clock(s->ps, NULL);
    s->seconds += MPI_Wtime() - begin;
    return error;
}

int sync_meet(struct sync *s, real *weights, size_t parameters)
{
    int error = peal_ps_barrier(s->ps, NULL);
    return error ? error : sync_take(s, weights, parameters);
}

void sync_average(struct sync *s, real *weights, size_t parameters)
{
    int workers;
    double begin = MPI_Wtime();
    MPI_Comm_size(s->workers, &workers);
    MPI_Allreduce(MPI_IN_PLACE, weights, (int)parameters, MPI_FLOAT, MPI_SUM, s->workers);
    for (size_t i = 0; i < parameters; i++)
        weights[i] /= (real)workers;
    s->seconds += MPI_Wtime() - begin;
}
