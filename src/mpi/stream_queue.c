/* The queue behind the calls on streams. The program's thread submits a detour of its stream (memory.h) and
 * goes on; a thread of the library's does the call, on page-locked copies, when the stream has come there:
 *
 *   program   peal_allreduce_on_stream   peal_send_on_stream   ... other work ...        MPI_Barrier
 *                 | submits                  | submits                                       | waits for both
 *   stream    k --out--(tell)--[held    ]--back-- k --out--(tell)--[held   ]-- k            |
 *                          |        |                      |          |                     |
 *   worker                 +MPI_Allreduce                  +MPI_Send                        |
 *
 * Calls are done one by one, in the order in which they were made, whatever streams they are on, since that
 * is the order in which the other ranks meet them.
 *
 * The rank is lent: from the first such call until the next other call of MPI it is the worker's alone, and
 * that next call waits until the queue is empty. So there is no lock that every call would have to take, and
 * the program cannot hold the rank while it waits for a stream that waits for the rank. The driver is opened
 * once more, for the program's side: the worker's calls see host memory and leave the driver alone.
 *
 * Not taken, but done at once as ever, with the host waiting:
 *   - long data (more than 4 MiB a side): going by the devices themselves is many times faster;
 *   - ranks of one process: they share a device's few queues, and a held stream of one may be before what
 *     another needs to end its wait;
 *   - data with gaps, intercommunicators, MPI_THREAD_MULTIPLE;
 *   - while other requests are under way, whose device copies might come behind a held stream;
 *   - where the driver cannot hold a stream.
 */
#include "stream.h"

#include "mpi_request.h"

#include "log.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST = 4 * 1024 * 1024, /* bytes a side */
    MOST = 32,                 /* calls taken and not retired */
};

struct item {
    struct pl_list link;
    struct pl_streams *streams;
    struct pl_stream_call call;
    void *staged[2];
    uint32_t number;
    struct pl_ticket passed; /* the stream has come out of the detour */
    bool reached, done;
};

struct pl_streams {
    struct pl_mpi *mpi;
    struct pl_memory *memory; /* the program's side; the worker does not touch it */
    uint32_t *word, number;   /* the last call done, for streams; the last one taken */
    pthread_t worker;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct pl_list items; /* in the order of the calls; done ones until they are retired */
    int nitems;
    bool ending;
    int error; /* class of the first call that failed and has not been told */
};

/* ---- the worker ---- */

static struct item *first_undone(struct pl_streams *s)
{
    pl_list_each(node, &s->items)
    {
        struct item *item = pl_container(node, struct item, link);
        if (!item->done)
            return item;
    }
    return NULL;
}

static void *work(void *argument)
{
    struct pl_streams *s = argument;
    pthread_mutex_lock(&s->lock);
    while (!s->ending) {
        struct item *item = first_undone(s);
        if (!item || !item->reached) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        int code = item->call.run(&item->call);
        pthread_mutex_lock(&s->lock);
        if (code && !s->error)
            s->error = code;
        item->done = true;
        __atomic_store_n(s->word, item->number, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* On a thread of the driver's. */
static void tell(void *argument)
{
    struct item *item = argument;
    struct pl_streams *s = item->streams;
    pthread_mutex_lock(&s->lock);
    item->reached = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Signals are the program's threads' to take. */
static int start_worker(struct pl_streams *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&s->worker, NULL, work, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void free_streams(struct pl_streams *s)
{
    if (s->word)
        s->memory->driver->unpin(s->memory, s->word);
    if (s->memory)
        s->memory->driver->close(s->memory);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

/* The rank's, made on first use; NULL: it cannot be. */
static struct pl_streams *streams_of(struct pl_mpi *mpi)
{
    if (mpi->streams)
        return mpi->streams;
    struct pl_streams *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->mpi = mpi;
    pl_list_init(&s->items);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (mpi->rank->memory->driver->open(&s->memory) < 0)
        s->memory = NULL;
    s->word = s->memory ? s->memory->driver->pin(s->memory, sizeof *s->word) : NULL;
    if (s->word)
        *s->word = 0;
    if (!s->word || start_worker(s)) {
        free_streams(s);
        return NULL;
    }
    return mpi->streams = s;
}

void pl_streams_end(struct pl_mpi *mpi)
{
    struct pl_streams *s = mpi->streams;
    if (!s || pthread_equal(s->worker, pthread_self()))
        return;
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->worker, NULL);
    free_streams(s);
    mpi->streams = NULL;
}

/* ---- the program's side ---- */

static void drop(struct pl_streams *s, struct item *item)
{
    pthread_mutex_lock(&s->lock);
    pl_list_remove(&item->link);
    s->nitems--;
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < 2; i++)
        if (item->staged[i])
            s->memory->driver->unpin(s->memory, item->staged[i]);
    free(item);
}

/* Frees the item when the stream has come out of its detour; with `wait`, waits for that. A stream that
 * failed never comes: then the call is not done, unless it has begun. False: not yet. */
static bool retire(struct pl_streams *s, struct item *item, bool wait)
{
    pthread_mutex_lock(&s->lock);
    bool done = item->done;
    pthread_mutex_unlock(&s->lock);
    if (!done && !wait)
        return false;
    const struct pl_memory_driver *driver = s->memory->driver;
    int status = wait ? driver->wait(s->memory, &item->passed) : driver->poll(s->memory, &item->passed);
    if (status > 0)
        return false;
    pthread_mutex_lock(&s->lock);
    while (item->reached && !item->done)
        pthread_cond_wait(&s->changed, &s->lock);
    if (status < 0 && !s->error)
        s->error = pl_error_class(status);
    pthread_mutex_unlock(&s->lock);
    if (status < 0)
        pl_warn("%s: %s", item->call.name, pl_fail_text());
    drop(s, item);
    return true;
}

static struct item *first_item(struct pl_streams *s)
{
    struct pl_list *node = pl_list_first(&s->items);
    return node ? pl_container(node, struct item, link) : NULL;
}

void pl_streams_reclaim(struct pl_mpi *mpi)
{
    struct pl_streams *s = mpi->lent;
    struct item *item;
    if (!s || pthread_equal(s->worker, pthread_self()))
        return;
    while ((item = first_item(s)))
        retire(s, item, true);
    mpi->lent = NULL;
}

/* A page-locked stand-in for a buffer of a device. */
static bool stage(struct pl_streams *s, struct item *item, int which, const void *buffer, size_t bytes)
{
    if (!bytes || !pl_memory_holds(s->memory, buffer))
        return true;
    item->staged[which] = s->memory->driver->pin(s->memory, bytes);
    return item->staged[which] != NULL;
}

static struct pl_detour detour_of(struct pl_streams *s, struct item *item)
{
    struct pl_stream_call *call = &item->call;
    struct pl_detour detour = {.tell = tell, .argument = item, .word = s->word, .number = item->number};
    if (item->staged[0]) {
        detour.before[0] = (struct pl_move){item->staged[0], call->in, call->in_bytes};
        call->in = item->staged[0];
    }
    if (item->staged[1]) {
        detour.after = (struct pl_move){call->out, item->staged[1], call->out_bytes};
        if (call->out_read)
            detour.before[1] = (struct pl_move){item->staged[1], call->out, call->out_bytes};
        call->out = item->staged[1];
    }
    return detour;
}

static struct item *add(struct pl_streams *s, const struct pl_stream_call *call)
{
    struct item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->streams = s;
    item->call = *call;
    item->number = ++s->number;
    pthread_mutex_lock(&s->lock);
    pl_list_append(&s->items, &item->link);
    s->nitems++;
    pthread_mutex_unlock(&s->lock);
    if (stage(s, item, 0, call->in, call->in_bytes) && stage(s, item, 1, call->out, call->out_bytes))
        return item;
    drop(s, item);
    return NULL;
}

static bool may_take(const struct pl_mpi *mpi, const struct pl_stream_call *call)
{
    const struct pl_rank *rank = mpi->rank;
    return rank->memory && !rank->threaded && !rank->fabric && call->in_bytes <= LONGEST &&
           call->out_bytes <= LONGEST &&
           (mpi->lent || (!pl_handle_any(&mpi->handles[PL_CLASS_REQUEST]) && pl_list_empty(&mpi->given_up)));
}

static int told(struct pl_streams *s)
{
    pthread_mutex_lock(&s->lock);
    int error = s->error;
    s->error = 0;
    pthread_mutex_unlock(&s->lock);
    return error;
}

bool pl_streams_take(struct pl_mpi *mpi, const struct pl_stream_call *call, void *stream, int *code)
{
    struct pl_streams *s = may_take(mpi, call) ? streams_of(mpi) : NULL;
    if (!s)
        return false;
    struct item *item;
    while ((item = first_item(s)) && retire(s, item, s->nitems >= MOST))
        ;
    if ((*code = told(s)))
        return true;
    item = add(s, call);
    if (!item)
        return false;
    struct pl_detour detour = detour_of(s, item);
    if (!mpi->lent)
        mpi->lent = s;
    int error = s->memory->driver->detour(s->memory, stream, &detour, &item->passed);
    if (!error)
        return true;
    pthread_mutex_lock(&s->lock);
    while (item->reached && !item->done)
        pthread_cond_wait(&s->changed, &s->lock);
    bool done = item->done;
    pthread_mutex_unlock(&s->lock);
    drop(s, item);
    if (!done) /* nothing has happened: the caller meets the same error, or does without */
        return false;
    *code = pl_error_class(error);
    pl_warn("%s: %s", call->name, pl_fail_text());
    return true;
}
