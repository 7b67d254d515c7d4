/* Sparse logistic regression on the parameter server: each worker pulls the weights that its samples touch,
 * learns, and pushes gradients; the servers apply FTRL, whose l1 makes most weights exactly zero.
 *
 *     mpiexec -n 4 ./09_sparse_logistic train.txt test.txt      # LIBSVM files
 *     mpiexec -n 4 ./09_sparse_logistic                         # draws samples: 20,000 of 5,000 keys
 *     mpiexec -n 4 ./09_sparse_logistic 5000000 200000          # keys, samples
 *
 * A third of the ranks serve, the others work, at most 4 clocks apart; alone, one rank is both.
 */
#include <mpi.h>
#include <peal.h>

#include "samples.h"

enum { WEIGHTS, SCORES, BATCH = 100, EPOCHS = 6 };

struct batch {
    uint64_t *keys; /* [n], those of its samples, sorted, each once */
    size_t n;
    float *weights, *gradients; /* [n] */
};

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void open_batch(struct batch *b, const struct samples *s, int from, int to)
{
    size_t all = s->first[to] - s->first[from];
    b->keys = malloc((all + 1) * sizeof *b->keys);
    b->n = 0;
    for (size_t i = 0; i < all; i++)
        b->keys[i] = s->features[s->first[from] + i].key;
    qsort(b->keys, all, sizeof *b->keys, by_number);
    for (size_t i = 0; i < all; i++)
        if (!i || b->keys[i] != b->keys[i - 1])
            b->keys[b->n++] = b->keys[i];
    b->weights = calloc(b->n + 1, sizeof *b->weights);
    b->gradients = calloc(b->n + 1, sizeof *b->gradients);
}

static void close_batch(struct batch *b)
{
    free(b->keys);
    free(b->weights);
    free(b->gradients);
}

static size_t place_of(const struct batch *b, uint64_t key)
{
    const uint64_t *at = bsearch(&key, b->keys, b->n, sizeof key, by_number);
    return (size_t)(at - b->keys);
}

/* The gradients of samples [from, to); returns how many were told right. */
static int learn(struct batch *b, const struct samples *s, int from, int to)
{
    int right = 0;
    for (int i = from; i < to; i++) {
        double sum = 0;
        for (size_t f = s->first[i]; f < s->first[i + 1]; f++)
            sum += (double)(b->weights[place_of(b, s->features[f].key)] * s->features[f].value);
        double error = 1 / (1 + exp(-sum)) - s->labels[i];
        right += (sum > 0) == s->labels[i];
        for (size_t f = s->first[i]; f < s->first[i + 1]; f++)
            b->gradients[place_of(b, s->features[f].key)] += (float)error * s->features[f].value;
    }
    return right;
}

static void check(peal_ps *ps, int error)
{
    if (!error)
        return;
    fprintf(stderr, "09_sparse_logistic: %s\n", peal_ps_why(ps));
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Goes through the samples once, and returns how many were right before each was learned from. */
static int go_through(peal_ps *ps, const struct samples *s, int teach)
{
    int right = 0;
    for (int from = 0; from < s->count; from += BATCH) {
        int to = from + BATCH < s->count ? from + BATCH : s->count;
        struct batch b;
        open_batch(&b, s, from, to);
        check(ps, peal_ps_pull(ps, WEIGHTS, b.n, b.keys, b.weights, NULL));
        right += learn(&b, s, from, to);
        if (teach) {
            check(ps, peal_ps_push(ps, WEIGHTS, b.n, b.keys, b.gradients, NULL));
            check(ps, peal_ps_clock(ps, NULL));
        }
        close_batch(&b);
    }
    return right;
}

/* What share of all workers' test samples is right, by way of a table of two sums; and of their keys, which
 * have a weight. */
static double test(peal_ps *ps, const struct samples *s)
{
    float mine[2] = {(float)go_through(ps, s, 0), (float)s->count}, all[2];
    check(ps, peal_ps_push_range(ps, SCORES, 0, 2, mine, NULL));
    check(ps, peal_ps_barrier(ps, NULL));
    check(ps, peal_ps_pull_range(ps, SCORES, 0, 2, all, NULL));
    return (double)all[0] / (double)all[1];
}

static void tell_zeros(peal_ps *ps, const struct samples *s)
{
    struct batch b;
    size_t zeros = 0;
    open_batch(&b, s, 0, s->count);
    check(ps, peal_ps_pull(ps, WEIGHTS, b.n, b.keys, b.weights, NULL));
    for (size_t i = 0; i < b.n; i++)
        zeros += b.weights[i] == 0;
    printf("worker 0 knows %zu keys; %zu of them weigh nothing\n", b.n, zeros);
    close_batch(&b);
}

static void work(peal_ps *ps, int argc, char **argv)
{
    int me = peal_ps_worker(ps), workers = peal_ps_workers(ps);
    struct samples train, tests;
    double goal = 0.88;
    if (argc == 3 && strtoull(argv[1], NULL, 10) == 0) {
        int bad = samples_read(&train, argv[1], me, workers),
            worse = samples_read(&tests, argv[2], me, workers);
        if (bad || worse) {
            fprintf(stderr, "09_sparse_logistic: %s, line %d\n", argv[bad ? 1 : 2], bad ? bad : worse);
            MPI_Abort(MPI_COMM_WORLD, 2);
        }
        goal = 0.999;
    } else {
        uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
        int count = argc > 2 ? atoi(argv[2]) : 20000;
        if (keys < 1 || count < 10 * workers) {
            fprintf(stderr,
                    "09_sparse_logistic: arguments are TRAIN TEST (files), or KEYS SAMPLES (numbers)\n");
            MPI_Abort(MPI_COMM_WORLD, 2);
        }
        goal = argc > 1 ? 0.6 : goal;
        samples_draw(&train, count / workers, keys, (uint64_t)me + 1);
        samples_draw(&tests, count / workers / 5, keys, (uint64_t)me + 1001);
    }
    double begin = MPI_Wtime();
    for (int epoch = 0; epoch < EPOCHS; epoch++)
        go_through(ps, &train, 1);
    double seconds = MPI_Wtime() - begin;
    check(ps, peal_ps_barrier(ps, NULL));
    double accuracy = test(ps, &tests);
    if (!me) {
        tell_zeros(ps, &train);
        printf("%d workers: accuracy %.3f%% on new samples, %.0f samples/s: %s\n", workers, 100 * accuracy,
               (double)train.count * workers * EPOCHS / seconds, accuracy > goal ? "right" : "WRONG");
    }
    samples_free(&train);
    samples_free(&tests);
}

int main(int argc, char **argv)
{
    int ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    struct peal_ps_table tables[] = {
        [WEIGHTS] =
            {.name = "weights", .updater = PEAL_PS_FTRL, .rate = 1.0f, .beta = 1, .l1 = 1.0f, .l2 = 0.01f},
        [SCORES] = {.name = "scores", .range = 2},
    };
    struct peal_ps_options options = {.servers = ranks < 3 ? 1 : ranks / 3,
                                      .beside = ranks == 1,
                                      .mode = PEAL_PS_BOUNDED,
                                      .staleness = 4,
                                      .tables = tables,
                                      .table_count = 2};
    peal_ps *ps;
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps))
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (peal_ps_role(ps) & PEAL_PS_WORKER)
        work(ps, argc, argv);
    else
        check(ps, peal_ps_serve(ps));
    peal_ps_destroy(&ps);
    MPI_Finalize();
    return 0;
}
