/* main.c: peal-train, a data-parallel trainer on mpi.h alone.
 *
 * Rank 0 reads the command line and speaks; the others get the options from it,
 * so ranks cannot disagree about them. Every step that can fail ends with an
 * agreement (agree.h): an error anywhere is printed once, by rank 0, and all
 * ranks leave through MPI_Finalize with the same exit code: 0 for done, 2 for
 * what was asked for wrongly, 1 for what went wrong.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agree.h"
#include "load.h"
#include "options.h"
#include "progress.h"
#include "save.h"
#include "train.h"

#ifndef PEAL_VERSION
#define PEAL_VERSION "unknown version"
#endif

enum { EXIT_DONE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2 };

static int complain(int rank, int code, const struct failure *failure)
{
    fflush(stdout);
    if (rank == 0)
        fprintf(stderr, "peal-train: %s\n", failure->text);
    return code;
}

static void introduce(const struct trainer *t)
{
    static const char *const ways[] = {"", ", parameter server", ", parameter server, bounded delay",
                                       ", parameter server, asynchronous", ", averaged weights"};
    const struct options *o = t->options;
    printf("%s, %zu weights, %d images to train and %d to test (%s), batch %d over %d rank%s%s%s\n", o->model,
           t->model.parameters, t->data->train.count, t->data->test.count,
           o->data[0] ? o->data : "drawn digits", t->batch, t->ranks, t->ranks == 1 ? "" : "s",
           o->reproducible ? ", reproducible" : "", ways[o->sync]);
    fflush(stdout);
}

/* What the ranks that train do. */
static int train(int rank, struct sync *sync, const struct options *options, const struct data *data,
                 struct save *save)
{
    struct failure failure = {""};
    struct trainer trainer;
    struct progress progress;
    struct metrics total;
    int code = EXIT_DONE;
    if (trainer_create(&trainer, sync, options, data, &failure) != 0)
        return complain(rank, EXIT_WRONG, &failure);
    if (rank == 0)
        introduce(&trainer);
    progress_init(&progress, rank == 0, options->epochs, trainer_steps(options, data));
    if (trainer_run(&trainer, &progress, &total, &failure) != 0) {
        progress_clear(&progress);
        code = complain(rank, EXIT_WRONG, &failure);
        goto destroy_trainer;
    }
    if (rank == 0) {
        struct failure unprinted = {""};
        save_finish(save, &trainer.model, trainer.weights, &failure);
        if (progress_final(&progress, &total, &unprinted) != 0)
            complain(rank, EXIT_WRONG, &unprinted);
        if (failure.text[0] == '\0')
            failure = unprinted;
        else
            complain(rank, EXIT_WRONG, &failure);
    }
    if (agree(sync->workers, &failure) != 0)
        code = EXIT_WRONG;
destroy_trainer:
    progress_finish(&progress);
    trainer_destroy(&trainer);
    return code;
}

/* All ranks: some train, others may serve. */
static int train_or_serve(int rank, const struct options *options, const struct data *data, struct save *save)
{
    struct failure failure = {""};
    struct sync sync = {.workers = MPI_COMM_NULL};
    int code = EXIT_DONE;
    size_t parameters = trainer_parameters(options, data, &failure);
    if (agree(MPI_COMM_WORLD, &failure) == 0)
        sync_create(&sync, MPI_COMM_WORLD, options, parameters,
                    trainer_steps(options, data) * options->epochs, trainer_momentum, trainer_decay,
                    &failure);
    else
        return complain(rank, EXIT_WRONG, &failure);
    if (agree(MPI_COMM_WORLD, &failure) != 0)
        return complain(rank, EXIT_USAGE, &failure);
    if (sync.workers != MPI_COMM_NULL)
        code = train(rank, &sync, options, data, save);
    sync_destroy(&sync);
    return code;
}

static int run(int rank, int argc, char **argv)
{
    struct failure failure = {""};
    struct options options = {.model = ""};
    struct save save = {NULL};
    struct data data;
    if (rank == 0)
        options_read(&options, argc, argv, &failure);
    if (agree(MPI_COMM_WORLD, &failure) != 0)
        return complain(rank, EXIT_USAGE, &failure);
    broadcast(MPI_COMM_WORLD, &options, sizeof options);
    if (options.help || options.version) {
        if (rank == 0)
            printf("%s", options.help ? options_help() : "peal-train " PEAL_VERSION "\n");
        return EXIT_DONE;
    }
    if (rank == 0 && options.save[0])
        save_open(&save, options.save, &failure);
    if (agree(MPI_COMM_WORLD, &failure) != 0)
        return complain(rank, EXIT_USAGE, &failure);
    int code = EXIT_DONE;
    if (load_data(MPI_COMM_WORLD, &options, &data, &failure) != 0)
        code = complain(rank, EXIT_USAGE, &failure);
    else
        code = train_or_serve(rank, &options, &data, &save);
    save_abandon(&save);
    dataset_destroy(&data.train);
    dataset_destroy(&data.test);
    return code;
}

int main(int argc, char **argv)
{
    int rank;
    openblas_set_num_threads(1);
    if (options_reproducible(argc, argv))
        setenv("PEAL_REPRODUCIBLE", "1", 1);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int code = run(rank, argc, argv);
    MPI_Finalize();
    return code;
}
