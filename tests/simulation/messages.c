/* Point to point: each rank sends every other some messages of all lengths and modes, and receives them by
 * name or by wildcard. Messages of one sender that match the same receives must be received in the order
 * sent, whatever is delayed. */
#include "scenario.h"

#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = 16, EACH = 3, TAGS = 2, LONGEST = 70000, MESSAGES = RANKS_MAX * EACH };

struct message {
    int peer, tag, number; /* number: among those of its sender to its receiver */
    size_t length;
};

static const size_t lengths[] = {0, 1, 40, 1000, 4096, 4097, 5000, LONGEST};

/* What everybody sends everybody, the same on all ranks; of it, what `rank` sends and what it receives. */
static void draw_round(struct dice *dice, int rank, int size, struct message *out, int *outs,
                       struct message *in, int *ins)
{
    *outs = *ins = 0;
    for (int from = 0; from < size; from++)
        for (int to = 0; to < size; to++) {
            int count = (int)roll(dice, EACH + 1);
            for (int i = 0; i < count; i++) {
                struct message message = {to, (int)roll(dice, TAGS), i,
                                          lengths[roll(dice, sizeof lengths / sizeof *lengths)]};
                if (from == rank)
                    out[(*outs)++] = message;
                message.peer = from;
                if (to == rank)
                    in[(*ins)++] = message;
            }
        }
}

static uint64_t mark_of(int from, int to, int number)
{
    return (uint64_t)(from * 1000 + to * 10 + number);
}

static int start_send(const struct message *message, int rank, unsigned char *buffer, MPI_Request *request)
{
    fill(buffer, message->length, mark_of(rank, message->peer, message->number));
    int count = (int)message->length;
    if (peal_random(3) == 0)
        return MPI_Issend(buffer, count, MPI_BYTE, message->peer, message->tag, MPI_COMM_WORLD, request);
    return MPI_Isend(buffer, count, MPI_BYTE, message->peer, message->tag, MPI_COMM_WORLD, request);
}

/* The message that the receive got: of those from its source with its tag, the first not yet had. */
static int verify(const MPI_Status *status, const unsigned char *buffer, int rank, struct message *in,
                  int ins, int by_tag)
{
    int count;
    MPI_Get_count(status, MPI_BYTE, &count);
    for (int i = 0; i < ins; i++) {
        struct message *message = &in[i];
        if (message->peer != status->MPI_SOURCE || (by_tag && message->tag != status->MPI_TAG))
            continue;
        int number = message->number;
        message->peer = -1;
        if (message->tag != status->MPI_TAG || message->length != (size_t)count)
            return wrong("from rank %d came %d bytes with tag %d instead of %zu with tag %d: overtaken",
                         status->MPI_SOURCE, count, status->MPI_TAG, message->length, message->tag);
        return check(buffer, message->length, mark_of(status->MPI_SOURCE, rank, number), "a message");
    }
    return wrong("from rank %d came a message with tag %d that was not sent", status->MPI_SOURCE,
                 status->MPI_TAG);
}

struct round {
    struct message out[MESSAGES], in[MESSAGES];
    unsigned char *sent[MESSAGES], *received[MESSAGES];
    MPI_Request requests[2 * MESSAGES];
    MPI_Status statuses[2 * MESSAGES];
};

static int post_receives(struct round *round, int ins, int wild)
{
    for (int i = 0; i < ins; i++) {
        int source = wild ? MPI_ANY_SOURCE : round->in[i].peer;
        int tag = wild ? MPI_ANY_TAG : round->in[i].tag;
        MUST(MPI_Irecv(round->received[i], LONGEST, MPI_BYTE, source, tag, MPI_COMM_WORLD,
                       &round->requests[i]));
    }
    return 0;
}

static int play(struct round *round, struct dice *dice, int rank, int size)
{
    int outs, ins, wild = (int)roll(dice, 2), late = peal_random(2) != 0;
    draw_round(dice, rank, size, round->out, &outs, round->in, &ins);
    if (!late && post_receives(round, ins, wild))
        return 1;
    for (int i = 0; i < outs; i++) {
        if (peal_random(8) == 0)
            MUST(peal_sleep(1e-6 * (double)peal_random(1000)));
        MUST(start_send(&round->out[i], rank, round->sent[i], &round->requests[ins + i]));
    }
    if (late && post_receives(round, ins, wild))
        return 1;
    MUST(MPI_Waitall(outs, round->requests + ins, MPI_STATUSES_IGNORE));
    for (int i = 0; i < outs; i++)
        memset(round->sent[i], 0xee, round->out[i].length); /* it is ours again: nobody may read it */
    MUST(MPI_Waitall(ins, round->requests, round->statuses));
    for (int i = 0; i < ins; i++)
        if (verify(&round->statuses[i], round->received[i], rank, round->in, ins, !wild))
            return 1;
    return MPI_Barrier(MPI_COMM_WORLD);
}

static int body(void *unused)
{
    int rank, size, failed = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    struct dice dice = dice_of_world();
    struct round *round = calloc(1, sizeof *round);
    unsigned char *memory = calloc(2 * MESSAGES, LONGEST);
    for (int i = 0; i < MESSAGES; i++) {
        round->sent[i] = memory + (size_t)(2 * i) * LONGEST;
        round->received[i] = memory + (size_t)(2 * i + 1) * LONGEST;
    }
    for (int i = 0; i < 3 && !failed; i++)
        failed = play(round, &dice, rank, size);
    free(memory);
    free(round);
    return failed;
}

/* Rank 0 posts receives by name and by wildcard in turn; messages of one rank fill them in the order posted.
 */
static int mixed(void *unused)
{
    enum { COUNT = 6 };
    int rank, size, numbers[COUNT] = {0};
    MPI_Request requests[COUNT];
    MPI_Status statuses[COUNT];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int sender = 1 + (int)peal_random((uint64_t)size - 1);
    MPI_Bcast(&sender, 1, MPI_INT, 0, MPI_COMM_WORLD);
    uint64_t order = peal_random(1 << COUNT);
    for (int i = 0; i < COUNT && rank == sender; i++) {
        numbers[i] = i + 1;
        MUST(MPI_Isend(&numbers[i], 1, MPI_INT, 0, 5, MPI_COMM_WORLD, &requests[i]));
        MUST(peal_sleep(1e-6 * (double)peal_random(10)));
    }
    for (int i = 0; i < COUNT && rank == 0; i++) {
        MUST(MPI_Irecv(&numbers[i], 1, MPI_INT, order >> i & 1 ? sender : MPI_ANY_SOURCE,
                       order >> i & 1 ? 5 : MPI_ANY_TAG, MPI_COMM_WORLD, &requests[i]));
        MUST(peal_sleep(1e-6 * (double)peal_random(10)));
    }
    if (rank == 0 || rank == sender)
        MUST(MPI_Waitall(COUNT, requests, statuses));
    for (int i = 0; i < COUNT && rank == 0; i++)
        if (numbers[i] != i + 1)
            return wrong("receive %d got message %d", i + 1, numbers[i]);
    return 0;
}

const struct scenario mixed_scenario = {"mixed", mixed, 1, KIND(DELAY), 8};
/* The same with checksums, which must find nothing wrong. */
const struct scenario checked_scenario = {"checked", body, 3, KIND(DELAY), 8, "1"};

const struct scenario messages_scenario = {"messages", body, 3, KIND(DELAY), 8};
