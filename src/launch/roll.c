/* What mpiexec writes into the roll (roll_wire.h), and the table of how the ranks ended, at the end of a job
 * in which one died:
 *
 *     mpiexec: how the ranks ended:
 *     mpiexec:   rank      pid  host                after  how
 *     mpiexec:      3     4711  box                1.52 s  was killed by signal 9 (Killed)
 *     mpiexec:   0-2, 4-7: ended by mpiexec
 *
 * Those who ended in order, or because mpiexec told them to, share a line each: they explain nothing.
 */
#include "job.h"

#include "clock.h"
#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 32 };

int pl_job_roll_init(struct pl_job *job)
{
    job->started_at = pl_now();
    return pl_roll_create(job->options->ranks, &job->roll, &job->roll_fd);
}

void pl_job_roll_finish(struct pl_job *job)
{
    pl_roll_close(job->roll);
    if (job->roll_fd >= 0)
        close(job->roll_fd);
}

void pl_job_roll_ended(struct pl_job *job, int rank, int status, bool dead)
{
    const struct pl_roll_entry *entry = &job->roll->entry[rank];
    pl_roll_ended(job->roll, rank, status, dead);
    char text[128];
    int length = snprintf(text, sizeof text, "%d %d %.63s", status, entry->pid, entry->host);
    if (dead && job->begun)
        pl_branches_send(&job->branches, PL_FRAME_DIED, rank, text, (size_t)length);
}

/* "0-2, 4" of the ranks that are in `which`. */
static void list_ranks(const bool *which, int ranks, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < ranks && at + 40 < size; i++) {
        if (!which[i])
            continue;
        int first = i;
        while (i + 1 < ranks && which[i + 1])
            i++;
        at +=
            (size_t)snprintf(text + at, size - at, first == i ? "%s%d" : "%s%d-%d", at ? ", " : "", first, i);
    }
    if (at + 40 >= size)
        snprintf(text + at, size - at, " ...");
}

static bool by_us(const struct pl_member *member)
{
    int number = WIFSIGNALED(member->status) ? WTERMSIG(member->status) : 0;
    return member->late && (number == SIGTERM || number == SIGKILL);
}

static void say_row(const struct pl_job *job, int rank)
{
    const struct pl_roll_entry *entry = &job->roll->entry[rank];
    char text[256];
    pl_roll_how(entry, text, sizeof text);
    char place[sizeof entry->host + 8];
    snprintf(place, sizeof place, " on %s ", entry->host);
    const char *how = strstr(text, place); /* process N on HOST how */
    how = how ? how + strlen(place) : text;
    int replaced = job->members[rank].replaced;
    char again[32] = "";
    if (replaced)
        snprintf(again, sizeof again, "; replaced %d time%s", replaced, replaced > 1 ? "s" : "");
    pl_job_say("%6d %8d  %-16s %6.2f s  %s%s", rank, entry->pid, entry->host,
               (double)(entry->at - job->started_at) * 1e-9, how, again);
}

static void say_group(const struct pl_job *job, bool *which, const char *how)
{
    char text[256];
    list_ranks(which, job->options->ranks, text, sizeof text);
    if (text[0])
        pl_job_say("  %s: %s", text, how);
    memset(which, 0, sizeof *which * (size_t)job->options->ranks);
}

void pl_job_table(const struct pl_job *job)
{
    int ranks = job->options->ranks, rows = 0, dead = 0;
    bool *which = calloc((size_t)ranks, sizeof *which);
    for (int i = 0; i < ranks; i++)
        dead += job->roll->entry[i].state == PL_ROLL_DEAD && !by_us(&job->members[i]);
    if (!which || !dead || ranks < 2)
        goto free_which;
    pl_job_say("how the ranks ended:");
    pl_job_say("  rank      pid  host                after  how");
    for (int i = 0; i < ranks && rows < ROWS; i++)
        if (job->roll->entry[i].state == PL_ROLL_DEAD && !by_us(&job->members[i]))
            say_row(job, i), rows++;
    if (dead > rows)
        pl_job_say("  and %d more", dead - rows);
    for (int i = 0; i < ranks; i++)
        which[i] = job->roll->entry[i].state == PL_ROLL_DEAD && by_us(&job->members[i]);
    say_group(job, which, "ended by mpiexec");
    for (int i = 0; i < ranks; i++)
        which[i] = job->roll->entry[i].state == PL_ROLL_ENDED;
    say_group(job, which, "ended in order");
free_which:
    free(which);
}
