/* train.c: data-parallel training.
 *
 * Every rank holds all weights and all images. A step takes the next `batch`
 * images of the epoch's order; each rank computes the gradient of its share, the
 * reducer sums the shares' gradients, and every rank makes the same step. Losses
 * are divided by the size of the whole batch where they arise, so the sum over
 * ranks is the batch's mean, however unequal the shares.
 *
 *   rank 0  [ forward | backward ...... ] update
 *                        \  \  \  buckets: allreduce
 *   rank 1  [ forward | backward ...... ] update
 *
 * Other ways to learn together (a parameter server, averaged weights) are in sync.c.
 *
 * Normally a rank's share is one pass: the largest products, the fewest calls. In
 * reproducible mode it is one pass a shard (shards.c). The test set is cut in
 * pieces that do not depend on the number of ranks, for the same reason.
 */
#include "train.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agree.h"

enum { TEST_PIECE = 50 };

const real trainer_momentum = (real)0.9, trainer_decay = (real)0.0005;

/* The shares' sizes are largest for a whole batch; the test set's pieces pass through too. */
static int largest_pass(const struct trainer *t)
{
    int parts = t->options->reproducible ? SHARDS : t->ranks;
    int share = (t->batch + parts - 1) / parts;
    return share > TEST_PIECE ? share : TEST_PIECE;
}

static int allocate(struct trainer *t, struct failure *failure)
{
    const struct dataset *train = &t->data->train;
    if (model_create(&t->model, t->options->model, train->height, train->width, largest_pass(t), failure) !=
        0)
        return -1;
    size_t length = t->model.parameters + 1;
    t->weights = malloc(length * sizeof *t->weights);
    t->sgd = (struct sgd){trainer_momentum, trainer_decay, calloc(length, sizeof(real))};
    t->order = malloc((size_t)train->count * sizeof *t->order);
    if (!t->weights || !t->sgd.steps || !t->order)
        return fail(failure, "no memory for %zu weights and the order of %d images", length, train->count);
    return t->options->reproducible ? shard_sum_create(&t->sum, length, failure) : 0;
}

static int batch_of(const struct options *options, const struct data *data)
{
    return options->batch < data->train.count ? options->batch : data->train.count;
}

long trainer_steps(const struct options *options, const struct data *data)
{
    return (data->train.count + batch_of(options, data) - 1) / batch_of(options, data);
}

size_t trainer_parameters(const struct options *options, const struct data *data, struct failure *failure)
{
    struct model model;
    if (model_create(&model, options->model, data->train.height, data->train.width, 1, failure) != 0)
        return 0;
    size_t parameters = model.parameters;
    model_destroy(&model);
    return parameters;
}

int trainer_create(struct trainer *t, struct sync *sync, const struct options *options,
                   const struct data *data, struct failure *failure)
{
    size_t starts[MODEL_LAYERS + 1];
    MPI_Comm comm = sync->workers;
    *t = (struct trainer){.comm = comm, .options = options, .data = data, .sync = sync};
    MPI_Comm_rank(comm, &t->rank);
    MPI_Comm_size(comm, &t->ranks);
    t->batch = batch_of(options, data);
    t->shards = shards_of_rank(t->rank, t->ranks);
    allocate(t, failure);
    if (agree(comm, failure) != 0) {
        trainer_destroy(t);
        return -1;
    }
    MPI_Alloc_mem((MPI_Aint)((t->model.parameters + 1) * sizeof(real)), MPI_INFO_NULL, &t->gradients);
    for (int i = 0; i < t->model.count; i++)
        starts[i] = t->model.layers[i].offset;
    starts[t->model.count] = t->model.parameters + 1;
    reducer_init(&t->reducer, comm, t->gradients, starts, t->model.count);
    model_initialise(&t->model, t->weights, options->seed);
    if (sync->ps && sync_begin(sync, t->weights, t->model.parameters))
        failure_set(failure, "the servers did not take the weights: %s", peal_ps_why(sync->ps));
    if (agree(comm, failure) != 0) {
        trainer_destroy(t);
        return -1;
    }
    return 0;
}

void trainer_destroy(struct trainer *t)
{
    if (!t)
        return;
    if (t->gradients)
        MPI_Free_mem(t->gradients);
    shard_sum_destroy(&t->sum);
    free(t->order);
    free(t->sgd.steps);
    free(t->weights);
    model_destroy(&t->model);
    *t = (struct trainer){0};
}

/* One pass: what is done with a layer's gradient when it is there. */
struct pass {
    struct trainer *t;
    int index, count; /* of the rank's passes of this step */
};

static void layer_ready(void *context, int layer)
{
    struct pass *pass = context;
    struct trainer *t = pass->t;
    const struct layer *l = &t->model.layers[layer];
    size_t end = l->offset + l->parameters + (layer == t->model.count - 1);
    if (t->options->reproducible && l->parameters > 0)
        shard_sum_add(&t->sum, pass->index, pass->count, l->offset, end, t->gradients);
    if (pass->index == pass->count - 1 && t->sync->kind == SYNC_RING)
        reducer_ready(&t->reducer, layer);
}

/* Images to the model and their labels beside: order[first ..]. */
static void fetch(struct model *m, const struct dataset *d, const int *order, int n, unsigned char *labels)
{
    size_t pixels = (size_t)d->height * (size_t)d->width;
    real *input = model_input(m);
    for (int i = 0; i < n; i++) {
        dataset_image(d, order[i], input + (size_t)i * pixels);
        labels[i] = d->labels[order[i]];
    }
}

/* The gradient of n images, as part of a batch of `batch`. */
static void compute(struct pass *pass, const int *order, int n, int batch)
{
    struct trainer *t = pass->t;
    struct model *m = &t->model;
    real *target = t->options->reproducible ? t->sum.leaf : t->gradients;
    if (n == 0) {
        memset(target, 0, (m->parameters + 1) * sizeof *target);
        for (int i = m->count - 1; i >= 0; i--)
            layer_ready(pass, i);
        return;
    }
    unsigned char *labels = t->model.labels;
    fetch(m, &t->data->train, order, n, labels);
    const real *scores = model_forward(m, t->weights, n);
    target[m->parameters] =
        (real)layer_loss(scores, labels, n, MODEL_CLASSES, (real)1 / (real)batch, model_delta(m));
    model_backward(m, t->weights, target, n, layer_ready, pass);
}

/* One step without allreduce; returns this worker's part of the mean loss. */
static double step_apart(struct trainer *t, const int *order, int batch, double rate)
{
    struct pass pass = {t, 0, 1};
    struct run share = share_of(batch, t->rank, t->ranks);
    size_t n = t->model.parameters;
    bool alone = t->sync->kind == SYNC_AVERAGE;
    int error = alone ? 0 : sync_take(t->sync, t->weights, n);
    if (!error)
        compute(&pass, order + share.first, share.count, alone && share.count ? share.count : batch);
    if (!error && !alone)
        error = sync_give(t->sync, t->gradients, n);
    if (error)
        return NAN;
    if (alone && share.count)
        sgd_update(&t->sgd, (real)rate, 0, n, t->gradients, t->weights);
    if (alone && ++t->steps % t->options->period == 0)
        sync_average(t->sync, t->weights, n);
    return (double)t->gradients[n] * (alone ? (double)share.count / batch : 1);
}

static void sleep_if_slow(const struct trainer *t)
{
    struct timespec time = {t->options->slow / 1000, t->options->slow % 1000 * 1000000L};
    if (t->options->slow && t->rank == 0)
        nanosleep(&time, NULL);
}

/* One step on the batch order[0 .. batch-1]; returns its mean loss. */
static double step(struct trainer *t, const int *order, int batch, double rate)
{
    struct pass pass = {t, 0, 1};
    if (!t->options->reproducible) {
        struct run share = share_of(batch, t->rank, t->ranks);
        compute(&pass, order + share.first, share.count, batch);
    } else if (t->shards.count == 0) {
        compute(&pass, order, 0, batch);
    }
    for (pass.count = t->shards.count; t->options->reproducible && pass.index < pass.count; pass.index++) {
        struct run share = share_of(batch, t->shards.first + pass.index, SHARDS);
        compute(&pass, order + share.first, share.count, batch);
    }
    double loss = 0;
    for (int i = 0; i < t->reducer.count; i++) {
        struct bucket b = reducer_wait(&t->reducer, i);
        size_t to = b.to;
        if (i == 0)
            loss = (double)t->gradients[--to];
        sgd_update(&t->sgd, (real)rate, b.from, to, t->gradients, t->weights);
    }
    return loss;
}

/* Percent of the test set that is read right. */
static double test(struct trainer *t)
{
    const struct dataset *d = &t->data->test;
    int pieces = (d->count + TEST_PIECE - 1) / TEST_PIECE, correct = 0, all = 0, order[TEST_PIECE];
    struct run mine = share_of(pieces, t->rank, t->ranks);
    for (int piece = mine.first; piece < mine.first + mine.count; piece++) {
        int first = piece * TEST_PIECE, n = d->count - first < TEST_PIECE ? d->count - first : TEST_PIECE;
        for (int i = 0; i < n; i++)
            order[i] = first + i;
        fetch(&t->model, d, order, n, t->model.labels);
        correct += layer_correct(model_forward(&t->model, t->weights, n), t->model.labels, n, MODEL_CLASSES);
    }
    MPI_Allreduce(&correct, &all, 1, MPI_INT, MPI_SUM, t->comm);
    return 100.0 * all / d->count;
}

/* One epoch's steps; returns the mean loss, which is not finite if it was not once. */
static double run_epoch(struct trainer *t, int epoch, struct progress *progress)
{
    int count = t->data->train.count;
    long steps = (count + t->batch - 1) / t->batch, all = steps * t->options->epochs;
    double begin = MPI_Wtime(), sum = 0;
    data_order(t->order, count, t->options->seed, epoch);
    for (long i = 0; i < steps; i++) {
        int first = (int)(i * t->batch), batch = count - first < t->batch ? count - first : t->batch;
        double rate = sgd_rate(t->options->rate, epoch * steps + i, all);
        sleep_if_slow(t);
        sum += (t->sync->kind == SYNC_RING ? step : step_apart)(t, t->order + first, batch, rate) * batch;
        if (!isfinite(sum))
            break;
        int done = first + batch;
        progress_step(progress, epoch + 1, i + 1, sum / done, done / (MPI_Wtime() - begin));
    }
    if (t->sync->kind != SYNC_RING) { /* each has its own part */
        double mine = sum;
        if (isfinite(mine) && t->sync->ps && sync_meet(t->sync, t->weights, t->model.parameters))
            mine = NAN;
        MPI_Allreduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, t->comm);
        if (isfinite(sum) && t->sync->kind == SYNC_AVERAGE)
            sync_average(t->sync, t->weights, t->model.parameters);
    }
    return sum / count;
}

int trainer_run(struct trainer *t, struct progress *progress, struct metrics *total, struct failure *failure)
{
    double all[2] = {0, 0}; /* seconds in MPI and altogether, summed over ranks and epochs */
    *total = (struct metrics){0};
    for (int epoch = 0; epoch < t->options->epochs; epoch++) {
        double begin = MPI_Wtime(), spent[2];
        t->reducer.seconds = t->sync->seconds = 0;
        struct metrics m = {.loss = run_epoch(t, epoch, progress)};
        if (!isfinite(m.loss))
            return fail(failure, "epoch %d: the loss is no longer a number; a smaller --lr than %g may help",
                        epoch + 1, t->options->rate);
        double mine[2] = {t->reducer.seconds + t->sync->seconds, MPI_Wtime() - begin};
        MPI_Allreduce(mine, spent, 2, MPI_DOUBLE, MPI_SUM, t->comm);
        m.accuracy = test(t);
        m.rate = t->data->train.count / (spent[1] / t->ranks);
        m.comm = 100 * spent[0] / spent[1];
        progress_epoch(progress, epoch + 1, &m);
        for (int i = 0; i < 2; i++)
            all[i] += spent[i];
        *total = m;
    }
    total->rate = (double)t->data->train.count * t->options->epochs / (all[1] / t->ranks);
    total->comm = 100 * all[0] / all[1];
    return 0;
}
