/* load.c: rank 0 reads files and broadcasts them; digits are drawn by all ranks,
 * each a part, and gathered. One reader, because a hundred ranks that open the same
 * file keep a file server busier than one broadcast keeps the network, and because
 * what one rank has read all ranks have read: they cannot disagree about it.
 */
#include "load.h"

#include "agree.h"

enum { DIGITS_TRAIN = 12000, DIGITS_TEST = 2000 };

static int share_dataset(MPI_Comm comm, int rank, struct dataset *d, struct failure *failure)
{
    int size[3] = {d->count, d->height, d->width};
    MPI_Bcast(size, 3, MPI_INT, 0, comm);
    if (rank != 0)
        dataset_create(d, size[0], size[1], size[2], failure);
    if (agree(comm, failure) != 0)
        return -1;
    broadcast(comm, d->images, (size_t)size[0] * (size_t)size[1] * (size_t)size[2]);
    broadcast(comm, d->labels, (size_t)size[0]);
    return 0;
}

/* The digits first .. first+count-1 of the seed. */
static int draw_dataset(MPI_Comm comm, uint64_t seed, int first, int count, struct dataset *d,
                        struct failure *failure)
{
    int rank, ranks;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    int part = (count + ranks - 1) / ranks, pixels = DIGIT_SIDE * DIGIT_SIDE;
    dataset_create(d, part * ranks, DIGIT_SIDE, DIGIT_SIDE, failure);
    if (agree(comm, failure) != 0)
        return -1;
    for (int i = rank * part; i < (rank + 1) * part; i++)
        d->labels[i] = (unsigned char)data_draw_digit(seed, (uint64_t)(first + i),
                                                      d->images + (size_t)i * (size_t)pixels);
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_BYTE, d->images, part * pixels, MPI_BYTE, comm);
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_BYTE, d->labels, part, MPI_BYTE, comm);
    d->count = count;
    return 0;
}

int load_data(MPI_Comm comm, const struct options *options, struct data *data, struct failure *failure)
{
    int rank, result;
    MPI_Comm_rank(comm, &rank);
    *data = (struct data){0};
    if (options->data[0] == '\0') {
        result = draw_dataset(comm, options->seed, 0, DIGITS_TRAIN, &data->train, failure);
        if (result == 0)
            result = draw_dataset(comm, options->seed, DIGITS_TRAIN, DIGITS_TEST, &data->test, failure);
    } else {
        if (rank == 0)
            data_read_directory(data, options->data, failure);
        result = agree(comm, failure);
        if (result == 0)
            result = share_dataset(comm, rank, &data->train, failure);
        if (result == 0)
            result = share_dataset(comm, rank, &data->test, failure);
    }
    if (result != 0) {
        dataset_destroy(&data->train);
        dataset_destroy(&data->test);
    }
    return result;
}
