/* Copies that two ranks share (shm_copy.c), with two ports of one process: the owner's part is run when
 * and as the test wants it. */
#include "config.h"
#include "errors.h"
#include "shm.h"
#include "shm_port.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { READER, OWNER, LENGTH = (16 << 20) + 4321 };

static void arrived(void *context, int peer, const struct pl_header *header, size_t length,
                    const void *payload, struct pl_landing *landing)
{
}

static void landed(void *context, int peer, const struct pl_landing *landing, size_t length, int status)
{
}

static void lost(void *context, int peer, int error, const char *cause)
{
}

static void describe(void *context, char *text, size_t size)
{
}

static const struct pl_upcalls upcalls = {arrived, landed, lost, describe};
static struct pl_port *port[2];
static struct pl_endpoint *to[2];
static unsigned char *source, *target;
static int outcome; /* of the operation: 1 while it is under way */

static void done(struct pl_operation *operation, int status)
{
    outcome = status;
}

static struct pl_operation operation = {.done = done};

static void set_up(void)
{
    static struct pl_config config = {.timeout = 1};
    for (int rank = 0; rank < 2; rank++) {
        struct pl_port_params params = {
            .rank = rank, .size = 2, .local_size = 2, .config = &config, .upcalls = &upcalls};
        cr_assert_eq(pl_shm.open(&params, &port[rank]), 0, "%s", pl_fail_text());
    }
    for (int rank = 0; rank < 2; rank++) {
        unsigned char card[PL_CARD_MAX];
        size_t length = sizeof card;
        cr_assert_eq(pl_shm.address(port[!rank], card, &length), 0);
        cr_assert_eq(pl_shm.connect(port[rank], !rank, card, length, &to[rank]), 0, "%s", pl_fail_text());
        struct pl_operation hello = {.done = done};
        cr_assert_eq(pl_shm.send(to[rank], &hello), 0, "both have a ring to the other");
    }
    for (int rank = 0; rank < 2; rank++)
        pl_shm.progress(port[rank]);
    source = malloc(LENGTH);
    target = calloc(1, LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        source[i] = (unsigned char)(i * 31 + i / 4096);
    if (!pl_shm.reaches(to[READER]))
        cr_skip_test("process_vm_readv is not allowed here");
}

static void tear_down(void)
{
    pl_shm.close(port[OWNER]);
    pl_shm.close(port[READER]);
    free(source);
    free(target);
}

TestSuite(shm_copy, .init = set_up, .fini = tear_down, .timeout = 60);

static int get(size_t length)
{
    outcome = PL_PENDING;
    return pl_shm.get(to[READER], target, (uintptr_t)source, NULL, length, &operation);
}

static struct pl_shm_share *share(void)
{
    return &pl_shm_port_of(port[READER])->segment->shares[0];
}

/* An owner that is busy elsewhere: the reader does it all, and who comes later finds nothing to do. */
Test(shm_copy, the_owner_comes_too_late)
{
    cr_assert_eq(get(LENGTH), 0);
    cr_assert(!memcmp(source, target, LENGTH));
    cr_assert_eq(atomic_load(&share()->done), 0);
    memset(target, 7, LENGTH);
    cr_assert_eq(pl_shm.progress(port[OWNER]), 1, "the word for help arrives");
    for (size_t i = 0; i < LENGTH; i++)
        cr_assert_eq(target[i], 7, "byte %zu was written after the copy was over", i);
}

static _Atomic bool stop;

static void *owner(void *unused)
{
    while (!atomic_load(&stop))
        pl_shm.progress(port[OWNER]);
    return NULL;
}

Test(shm_copy, both_copy)
{
    enum { ROUNDS = 50 };
    pthread_t thread;
    long written = 0;
    pthread_create(&thread, NULL, owner, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = LENGTH - (size_t)round * 300001;
        memset(target, round, LENGTH);
        int result = get(length);
        while (result == PL_PENDING && outcome == PL_PENDING)
            pl_shm.progress(port[READER]);
        cr_assert_eq(result == PL_PENDING ? outcome : result, 0);
        cr_assert(!memcmp(source, target, length), "round %d", round);
        for (size_t i = length; i < LENGTH; i++)
            cr_assert_eq(target[i], (unsigned char)round, "byte %zu is beyond the copy", i);
        written += atomic_load(&share()->done);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    cr_expect_gt(written, 0, "in none of %d rounds the owner had a part", ROUNDS);
}

/* Takes the first chunk it sees and keeps it. */
static void *taker(void *unused)
{
    for (;;) {
        uint64_t next = atomic_load(&share()->next);
        if (next >> 32 && atomic_compare_exchange_strong(&share()->next, &next, next + 1))
            return NULL;
    }
}

static void take_one(void)
{
    pthread_t thread;
    int result;
    do { /* the taker may miss a whole copy */
        atomic_store(&share()->next, 0);
        pthread_create(&thread, NULL, taker, NULL);
        result = get(LENGTH);
        pthread_join(thread, NULL);
    } while (result == 0);
    cr_assert_eq(result, PL_PENDING);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(pl_shm.progress(port[READER]), 0);
    cr_assert_eq(outcome, PL_PENDING, "a chunk is not there yet");
}

/* The owner could not write after all: the reader does it again alone. */
Test(shm_copy, the_owner_fails)
{
    take_one();
    atomic_store(&share()->failed, 1);
    atomic_store(&share()->done, 1);
    cr_assert_eq(pl_shm.progress(port[READER]), 1);
    cr_assert_eq(outcome, 0);
    cr_assert(!memcmp(source, target, LENGTH));
}

/* The owner dies with a chunk in its hand. */
Test(shm_copy, the_owner_dies)
{
    take_one();
    struct pl_shm_port *reader = pl_shm_port_of(port[READER]);
    pl_shm_condemn(reader, reader->peers[OWNER], PL_EPEER, "the owner is gone");
    pl_shm.progress(port[READER]);
    cr_assert_eq(outcome, PL_EPEER);
    cr_assert(strstr(pl_fail_text(), "the owner is gone"));
}

/* What was freed serves again. */
Test(shm_copy, many_at_a_time)
{
    for (int i = 0; i < 3 * PL_SHM_SHARES; i++)
        cr_assert_eq(get((128 << 10) + (size_t)i), 0);
    cr_assert(!memcmp(source, target, 128 << 10));
}

/* A task that makes no sense costs the link, not memory. */
Test(shm_copy, nonsense)
{
    struct pl_shm_port *mine = pl_shm_port_of(port[OWNER]);
    struct pl_shm_task tasks[] = {
        {.length = 1, .index = PL_SHM_SHARES}, {.length = 0}, {.length = UINT64_MAX}};
    for (size_t i = 0; i < 3; i++) {
        struct pl_header header;
        memcpy(&header, &tasks[i], sizeof header);
        cr_assert_not(pl_shm_help(mine, mine->peers[READER], &header));
    }
}
