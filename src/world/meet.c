/* A launcher made of the ranks themselves, for who was told rank, size and where rank 0
 * is: torchrun, a Kubernetes Job, srun without PMI, a script. Rank 0 keeps no server;
 * a barrier is one exchange over the connections of the meeting:
 *
 *     rank r  -- the words that r has put since the last one -->  rank 0
 *             <-- those of all ranks -----------------------------
 *
 * after which every rank has every word, and a get looks into its own table. Cost: two
 * messages a rank, and rank 0 sends the words of n ranks n times (a few hundred
 * bytes a rank; at 1,000 ranks some 300 MB, once, within seconds). Larger jobs have a
 * launcher with PMI. Rejected: a thread in rank 0 that serves gets for the life of the
 * job; it would be a second thing that can die.
 */
#include "clock.h"
#include "errors.h"
#include "kvs.h"
#include "launcher.h"
#include "log.h"
#include "meet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_KEY "hosts"

enum { WORDS_MAX_PER_RANK = 1 << 20 };

struct meeting {
    struct pl_launcher launcher;
    struct pl_meet_link *links; /* rank 0: [size], its own unused; else [1] */
    struct pl_kvs words;
    int *hosts;   /* [size] */
    char *unsaid; /* "key NUL value NUL ..." put since the last barrier */
    size_t fill;
    double seconds;
};

static int append(char **bytes, size_t *fill, const char *more, size_t length)
{
    char *grown = realloc(*bytes, *fill + length + 1);
    if (!grown)
        return pl_fail(PL_ENOMEM, "no memory for the words of a meeting");
    memcpy(grown + *fill, more, length);
    *bytes = grown;
    *fill += length;
    return 0;
}

static int put(struct pl_launcher *launcher, const char *key, const char *value)
{
    struct meeting *meeting = (struct meeting *)launcher;
    int error = append(&meeting->unsaid, &meeting->fill, key, strlen(key) + 1);
    return error ? error : append(&meeting->unsaid, &meeting->fill, value, strlen(value) + 1);
}

static int get(struct pl_launcher *launcher, const char *key, char *value, size_t size)
{
    const struct meeting *meeting = (const struct meeting *)launcher;
    const char *found = pl_kvs_get(&meeting->words, key);
    if (!found)
        return pl_fail(PL_EUNREACHABLE, "rank %d: no rank has put '%.60s'", launcher->rank, key);
    if (strlen(found) >= size)
        return pl_fail(PL_ETRUNCATE, "rank %d: the value of '%.60s' has %zu bytes, %zu fit", launcher->rank,
                       key, strlen(found), size);
    strcpy(value, found);
    return 0;
}

/* Enters the words of a barrier into the table. */
static int learn(struct meeting *meeting, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *key = bytes + at, *value = key + strlen(key) + 1;
        if (value >= bytes + length)
            return pl_fail(PL_EPROTOCOL, "the words of the meeting are cut short");
        int error = pl_kvs_put(&meeting->words, key, value);
        if (error)
            return error;
        at = (size_t)(value - bytes) + strlen(value) + 1;
    }
    return 0;
}

static int say_why(const struct meeting *meeting, int other, int error)
{
    char text[PL_ERROR_TEXT];
    snprintf(text, sizeof text, "%s", pl_fail_text());
    return pl_fail(error, "rank %d lost rank %d while the ranks met: %.300s", meeting->launcher.rank, other,
                   text);
}

/* Rank 0: collects the words of all, and sends them to all. */
static int exchange_at_root(struct meeting *meeting, int64_t until)
{
    int size = meeting->launcher.size, error = 0;
    for (int i = 1; i < size && !error; i++) {
        char *bytes;
        size_t length;
        error = pl_meet_receive(&meeting->links[i], &bytes, &length, until);
        if (error)
            return say_why(meeting, i, error);
        error = append(&meeting->unsaid, &meeting->fill, bytes, length);
        free(bytes);
    }
    for (int i = 1; i < size && !error; i++) {
        error =
            pl_meet_send(&meeting->links[i], meeting->unsaid ? meeting->unsaid : "", meeting->fill, until);
        if (error)
            return say_why(meeting, i, error);
    }
    return error ? error : learn(meeting, meeting->unsaid, meeting->fill);
}

static int exchange(struct meeting *meeting, int64_t until)
{
    char *bytes;
    size_t length;
    int error = pl_meet_send(meeting->links, meeting->unsaid ? meeting->unsaid : "", meeting->fill, until);
    if (!error)
        error = pl_meet_receive(meeting->links, &bytes, &length, until);
    if (error)
        return say_why(meeting, 0, error);
    error = learn(meeting, bytes, length);
    free(bytes);
    return error;
}

static int barrier(struct pl_launcher *launcher)
{
    struct meeting *meeting = (struct meeting *)launcher;
    int64_t until = pl_now() + (int64_t)(meeting->seconds * 1e9);
    int error = launcher->rank ? exchange(meeting, until) : exchange_at_root(meeting, until);
    meeting->fill = 0;
    return error;
}

static int host_of(struct pl_launcher *launcher, int rank)
{
    return ((const struct meeting *)launcher)->hosts[rank];
}

/* Whoever waits for this rank sees its connection end; there is nobody to ask. */
static void abort_job(struct pl_launcher *launcher, int code, const char *text, bool called)
{
    (void)launcher, (void)code, (void)text, (void)called;
}

static void finalize(struct pl_launcher *launcher)
{
    (void)launcher;
}

static void close_it(struct pl_launcher *launcher)
{
    struct meeting *meeting = (struct meeting *)launcher;
    int links = launcher->rank ? 1 : launcher->size;
    for (int i = 0; meeting->links && i < links; i++)
        pl_meet_close(&meeting->links[i]);
    pl_kvs_finish(&meeting->words);
    free(meeting->links);
    free(meeting->hosts);
    free(meeting->unsaid);
    free(meeting);
}

static const struct pl_launcher_calls calls = {put, get, barrier, host_of, abort_job, finalize, close_it};

/* Rank 0 has heard from each where it is: numbers the hosts in the order of their first rank. */
static int number_hosts(struct meeting *meeting)
{
    int size = meeting->launcher.size, hosts = 0;
    char *text = malloc((size_t)size * 12 + 1);
    if (!text)
        return pl_fail(PL_ENOMEM, "no memory for the hosts of %d ranks", size);
    size_t at = 0;
    pl_meet_own_host(meeting->links[0].host);
    for (int i = 0; i < size; i++) {
        int j = 0;
        while (j < i && memcmp(meeting->links[i].host, meeting->links[j].host, PL_MEET_HOST))
            j++;
        meeting->hosts[i] = j < i ? meeting->hosts[j] : hosts++;
        at += (size_t)snprintf(text + at, 12, "%s%d", i ? "," : "", meeting->hosts[i]);
    }
    int error = put(&meeting->launcher, HOSTS_KEY, text);
    free(text);
    return error;
}

static int read_hosts(struct meeting *meeting)
{
    const char *text = pl_kvs_get(&meeting->words, HOSTS_KEY);
    for (int i = 0; i < meeting->launcher.size; i++) {
        char *end;
        long host = text ? strtol(text, &end, 10) : -1;
        if (!text || end == text || host < 0 || host >= meeting->launcher.size)
            return pl_fail(PL_EPROTOCOL, "rank 0 did not tell who is on which host");
        meeting->hosts[i] = (int)host;
        text = *end ? end + 1 : end;
    }
    return 0;
}

static int meet(struct meeting *meeting, const struct pl_meeting_place *place)
{
    int64_t until = pl_now() + (int64_t)(meeting->seconds * 1e9);
    int error =
        place->rank ? pl_meet_dial(meeting->links, place, until) : pl_meet_wait(meeting->links, place, until);
    if (!error && !place->rank)
        error = number_hosts(meeting);
    if (!error)
        error = barrier(&meeting->launcher);
    return error ? error : read_hosts(meeting);
}

int pl_launcher_meet(struct pl_launcher **out, const struct pl_meeting_place *place, double seconds)
{
    struct meeting *meeting = calloc(1, sizeof *meeting);
    int links = place->rank ? 1 : place->size;
    if (!meeting)
        return pl_fail(PL_ENOMEM, "no memory for a meeting");
    meeting->launcher = (struct pl_launcher){.calls = &calls, .rank = place->rank, .size = place->size};
    meeting->seconds = seconds;
    meeting->links = calloc((size_t)links, sizeof *meeting->links);
    meeting->hosts = calloc((size_t)place->size, sizeof *meeting->hosts);
    for (int i = 0; meeting->links && i < links; i++)
        meeting->links[i].fd = -1;
    int error = pl_kvs_init(&meeting->words, (size_t)place->size * WORDS_MAX_PER_RANK);
    if (!error && (!meeting->links || !meeting->hosts))
        error = pl_fail(PL_ENOMEM, "no memory for a meeting of %d ranks", place->size);
    if (!error)
        error = meet(meeting, place);
    if (error) {
        close_it(&meeting->launcher);
        return error;
    }
    snprintf(meeting->launcher.space, sizeof meeting->launcher.space, "%s", place->job);
    *out = &meeting->launcher;
    return 0;
}
