/* Histories: workers push, pull and tick while servers and workers are killed, at moments drawn from a seed,
 * in deterministic worlds; whatever dies, nothing that was acknowledged is lost and nothing is applied twice.
 *
 *     histories [-n SEEDS] [-f FIRST] [-s SEED] [SCENARIO]
 *     histories -x N SCENARIO             must fail within N seeds (planted bugs)
 *
 * Ranks are threads that run one at a time, so what all of them did is kept in plain memory, and each value
 * pulled is compared with it:
 *   - at the end, each key has what the living pushed, exactly, and of a dead worker's pushes at least those
 * that were acknowledged, at most those that it had begun;
 *   - each pull has at least the worker's own pushes, and what the mode promises of the others';
 *   - what a pull has shown is not lost later, though who pushed it has died: not if the servers have had
 * time to pass it on before the next of them dies ("handed-on").
 */
#include <mpi.h>
#include <peal.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 4, KEYS = 24, RANGE = 6000, ROUNDS = 25 };

struct scenario {
    const char *name;
    int workers, servers, spares, replicas;
    enum peal_ps_mode mode;
    int staleness;
    int kill_servers, kill_workers;
    int leave, join; /* numbers of servers that do, or -1 */
    bool handed_on;  /* a worker and a server die together, and the server before it in chains much later */
};

static const struct scenario scenarios[] = {
    {"calm", 3, 3, 0, 2, PEAL_PS_ASYNC, 0, 0, 0, -1, -1},
    {"server", 3, 3, 0, 2, PEAL_PS_ASYNC, 0, 1, 0, -1, -1},
    {"spare", 3, 4, 1, 2, PEAL_PS_ASYNC, 0, 1, 0, -1, -1},
    {"worker", 3, 3, 0, 2, PEAL_PS_BOUNDED, 2, 0, 1, -1, -1},
    {"both", 3, 4, 0, 2, PEAL_PS_BOUNDED, 1, 1, 1, -1, -1},
    {"two", 3, 5, 0, 3, PEAL_PS_ASYNC, 0, 2, 1, -1, -1},
    {"synchronous", 3, 4, 0, 2, PEAL_PS_SYNC, 0, 1, 1, -1, -1},
    {"joining", 2, 5, 1, 2, PEAL_PS_BOUNDED, 1, 1, 1, -1, 4},
    {"leaving", 3, 4, 0, 2, PEAL_PS_SYNC, 0, 1, 0, 1, -1},
    {"handed-on", 3, 4, 0, 3, PEAL_PS_ASYNC, 0, 2, 1, -1, -1, true},
    {NULL},
};

/* What has happened in the world, as an onlooker sees it. */
struct history {
    const struct scenario *s;
    uint64_t seed;
    int begun[WORKERS_MAX], acknowledged[WORKERS_MAX]; /* pushes of each worker */
    int ticked[WORKERS_MAX][ROUNDS + 2];               /* pushes it had begun when it ended each clock */
    int clock[WORKERS_MAX];
    int finished[WORKERS_MAX];
    int final[WORKERS_MAX]; /* it is at the last check: it lives */
    int wrong;
    int changes;
    double since, until; /* of the world's time: what pulls show then must last */
    double shown[KEYS];  /* the most that each key was */
};

static void wrong(struct history *h, const char *what, int worker, int key, double got, double least,
                  double most)
{
    if (h->wrong++ < 5)
        fprintf(stderr, "%s, seed %llu: %s: worker %d, key %d: %g, not in [%g, %g]\n", h->s->name,
                (unsigned long long)h->seed, what, worker, key, got, least, most);
}

/* The least and the most that worker `me` may see in a pull that began with clock c, and ended now. */
static void bounds(const struct history *h, int me, int c, int own, double *least, double *most)
{
    *least = *most = 0;
    for (int w = 0; w < h->s->workers; w++) {
        int seen = 0, known = c, begun = h->begun[w];
        if (h->s->mode == PEAL_PS_BOUNDED)
            known = c - h->s->staleness;
        if (known > h->clock[w])
            known = h->clock[w]; /* it is dead, or has ended */
        if (h->s->mode != PEAL_PS_ASYNC && known > 0)
            seen = h->ticked[w][known];
        if (w == me && h->s->mode != PEAL_PS_SYNC)
            seen = own;
        if (h->s->mode == PEAL_PS_SYNC && h->finished[w] == 0 && w == me)
            begun = h->ticked[w][c];
        *least += seen;
        *most += begun;
    }
}

static void check_pull(struct history *h, const char *what, int me, const float *got, int n, double least,
                       double most)
{
    for (int i = 0; i < n; i++)
        if ((double)got[i] < least || (double)got[i] > most)
            wrong(h, what, me, i, (double)got[i], least, most);
}

static void check_end(struct history *h, int me, const float *got, double least, double most)
{
    check_pull(h, "end", me, got, KEYS, least, most);
    for (int i = 0; i < KEYS; i++)
        if ((double)got[i] < h->shown[i])
            wrong(h, "shown, and lost", me, i, (double)got[i], h->shown[i], most);
}

static void one_round(struct history *h, peal_ps *ps, const uint64_t *keys, int me)
{
    float ones[RANGE], got[KEYS];
    MPI_Request requests[3];
    double least, most, unused;
    for (int i = 0; i < RANGE; i++)
        ones[i] = 1;
    h->begun[me] += 2;
    peal_ps_push(ps, 0, KEYS, keys, ones, &requests[0]);
    peal_ps_push_range(ps, 1, 0, RANGE, ones, &requests[1]);
    peal_ps_push(ps, 0, KEYS, keys, ones, &requests[2]);
    int own = h->begun[me];
    bounds(h, me, h->clock[me], own, &least, &unused);
    if (peal_ps_pull(ps, 0, KEYS, keys, got, NULL) == MPI_SUCCESS) {
        bounds(h, me, h->clock[me], own, &unused, &most);
        check_pull(h, "pull", me, got, KEYS, least, most);
        double now = MPI_Wtime();
        for (int i = 0; i < KEYS; i++)
            if (now > h->since && now < h->until && (double)got[i] > h->shown[i])
                h->shown[i] = (double)got[i];
    }
    if (MPI_Waitall(3, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS)
        h->acknowledged[me] += 2;
    else
        wrong(h, peal_ps_why(ps), me, -1, 0, 0, 0);
    h->ticked[me][h->clock[me] + 1] = h->begun[me];
    h->clock[me]++;
    if (peal_ps_clock(ps, NULL) != MPI_SUCCESS)
        wrong(h, peal_ps_why(ps), me, -1, 0, 0, 0);
}

static void work(struct history *h, peal_ps *ps)
{
    int me = peal_ps_worker(ps);
    uint64_t keys[KEYS];
    float got[KEYS], range[RANGE]; /* nothing that a killed rank would leave behind */
    for (int i = 0; i < KEYS; i++)
        keys[i] = (uint64_t)i * 7919;
    for (int round = 0; round < ROUNDS; round++) {
        one_round(h, ps, keys, me);
        if (peal_random(4) == 0)
            peal_sleep(1e-5 * (double)peal_random(100));
    }
    h->final[me] = 1;
    peal_ps_barrier(ps, NULL);
    double least = 0, most = 0;
    for (int w = 0; w < h->s->workers; w++) {
        least += h->final[w] ? h->begun[w] : h->acknowledged[w];
        most += h->begun[w];
    }
    if (peal_ps_pull(ps, 0, KEYS, keys, got, NULL) == MPI_SUCCESS)
        check_end(h, me, got, least, most);
    else
        wrong(h, peal_ps_why(ps), me, -1, 0, 0, 0);
    if (peal_ps_pull_range(ps, 1, 0, RANGE, range, NULL) == MPI_SUCCESS)
        check_pull(h, "end of range", me, range, RANGE, least / 2, most / 2);
    peal_ps_barrier(ps, NULL);
    h->finished[me] = 1;
    struct peal_ps_stats stats;
    peal_ps_stats(ps, &stats);
    h->changes += (int)stats.views;
    if (h->s->mode == PEAL_PS_BOUNDED && stats.staleness > h->s->staleness)
        wrong(h, "staleness", me, -1, stats.staleness, 0, h->s->staleness);
}

static int body(void *argument)
{
    struct history *h = argument;
    const struct scenario *s = h->s;
    const struct peal_ps_table tables[] = {{.filters = PEAL_PS_CACHE}, {.range = RANGE}};
    const struct peal_ps_options options = {.servers = s->servers,
                                            .spares = s->spares,
                                            .replicas = s->replicas,
                                            .mode = s->mode,
                                            .staleness = s->staleness,
                                            .tables = tables,
                                            .table_count = 2};
    peal_ps *ps;
    int rank;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps) != MPI_SUCCESS)
        return 1;
    if (rank - s->workers == s->leave || rank - s->workers == s->join)
        peal_sleep(1e-5 * (double)peal_random(200));
    if (rank - s->workers == s->leave)
        peal_ps_leave(ps);
    if (rank - s->workers == s->join)
        peal_ps_join(ps);
    if (peal_ps_role(ps) & PEAL_PS_WORKER)
        work(h, ps);
    else
        peal_ps_serve(ps);
    return peal_ps_destroy(&ps) != MPI_SUCCESS || ps;
}

static uint64_t draw(uint64_t *state, uint64_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % bound;
}

/* Who dies, and when: different servers, different workers. */
static int choose_faults(const struct scenario *s, uint64_t seed, double length, struct peal_fault *faults)
{
    uint64_t state = seed * 77 + 5, server = draw(&state, (uint64_t)s->servers),
             worker = draw(&state, (uint64_t)s->workers);
    int n = 0;
    faults[n++] =
        (struct peal_fault){.kind = PEAL_FAULT_DELAY, .rank = -1, .peer = -1, .seconds = 2e-5, .step = 1};
    for (int i = 0; i < s->kill_servers + s->kill_workers; i++) {
        bool is_server = i < s->kill_servers;
        int rank =
            is_server ? s->workers + (int)((server + (uint64_t)i) % (uint64_t)s->servers) : (int)worker;
        faults[n++] = (struct peal_fault){.kind = PEAL_FAULT_KILL,
                                          .rank = rank,
                                          .at = length * (0.15 + 0.8 * (double)draw(&state, 1000) / 1000),
                                          .seconds = 1e-4};
    }
    return n;
}

/* A worker and a server at nearly the same moment, so that what the one pushed last is at a server that was
 * about to pass it on to the other; and that server, when all is calm again. Returns how many faults. */
static int choose_handed_on(const struct scenario *s, uint64_t seed, double length, struct peal_fault *faults,
                            struct history *h)
{
    uint64_t state = seed * 77 + 5, server = draw(&state, (uint64_t)s->servers);
    double at = length * (0.15 + 0.3 * (double)draw(&state, 1000) / 1000);
    double later = at + 1e-7 * (double)draw(&state, 600), second = at + length * 0.4;
    int next = (int)((server + 1) % (uint64_t)s->servers), worker = (int)draw(&state, (uint64_t)s->workers);
    faults[0] =
        (struct peal_fault){.kind = PEAL_FAULT_DELAY, .rank = -1, .peer = -1, .seconds = 2e-5, .step = 1};
    faults[1] =
        (struct peal_fault){.kind = PEAL_FAULT_KILL, .rank = s->workers + next, .at = at, .seconds = 1e-4};
    faults[2] = (struct peal_fault){.kind = PEAL_FAULT_KILL, .rank = worker, .at = later, .seconds = 1e-4};
    faults[3] = (struct peal_fault){
        .kind = PEAL_FAULT_KILL, .rank = s->workers + (int)server, .at = second, .seconds = 1e-4};
    h->since = at + length * 0.2;
    h->until = second;
    return 4;
}

static int run(const struct scenario *s, uint64_t seed, double length, double *took, bool log, long *changes,
               long *killed)
{
    struct history history = {.s = s, .seed = seed};
    struct peal_fault faults[8];
    struct peal_world_result result;
    int count = s->handed_on ? choose_handed_on(s, seed, length, faults, &history)
                             : choose_faults(s, seed, length, faults);
    struct peal_world_options options = {.deterministic = 1,
                                         .seed = seed,
                                         .faults = faults,
                                         .fault_count = length > 0 ? count : 1,
                                         .time_limit = 100,
                                         .log = log ? "history.log" : NULL};
    int code = peal_run(s->workers + s->servers, body, &history, &options, &result);
    if (took)
        *took = result.seconds;
    *changes += history.changes;
    *killed += result.killed;
    if (!code && !history.wrong)
        return 0;
    fprintf(stderr, "%s, seed %llu: code %d, %d values wrong. %s\n", s->name, (unsigned long long)seed, code,
            history.wrong, result.text);
    return 1;
}

static int run_scenario(const struct scenario *s, uint64_t first, long seeds, bool one)
{
    double length = 0;
    long changes = 0, killed = 0;
    int failed = run(s, 1, 0, &length, false, &changes, &killed); /* nobody dies: how long it takes */
    changes = 0;
    for (uint64_t seed = first; !failed && seed < first + (uint64_t)seeds; seed++)
        failed = run(s, seed, length, NULL, one, &changes, &killed);
    if (!failed)
        printf("%s: %ld seeds, %ld killed, %ld views seen by workers\n", s->name, seeds, killed, changes);
    return failed;
}

int main(int argc, char **argv)
{
    long seeds = 20;
    uint64_t first = 1;
    bool one = false, must_fail = false;
    int failed = 0, ran = 0;
    const char *name = NULL;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || i + 1 == argc) {
            name = argv[i];
            continue;
        }
        long number = atol(argv[i + 1]);
        one = argv[i][1] == 's';
        must_fail = must_fail || argv[i][1] == 'x';
        bool count = argv[i][1] == 'n' || argv[i][1] == 'x';
        seeds = count ? number : one ? 1 : seeds;
        first = count ? first : (uint64_t)number;
        i++;
    }
    for (const struct scenario *s = scenarios; s->name && !failed; s++)
        if (!name || !strcmp(name, s->name)) {
            failed = run_scenario(s, first, seeds, one);
            ran++;
        }
    if (must_fail && ran && !failed)
        fprintf(stderr, "the planted bug was not found within %ld seeds\n", seeds);
    return must_fail ? !failed : failed || !ran;
}
