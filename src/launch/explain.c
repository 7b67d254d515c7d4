/* Who waits for whom: read from the roll, where each rank writes what it waits for once it has waited for a
 * fifth of a second, and says every tenth of a second that it still does.
 *
 *     mpiexec: 3 of 4 ranks wait:
 *     mpiexec:   rank 0 waits in MPI_Recv since 61.2 s for rank 1: for a message from rank 1 with tag 5 ...
 *     mpiexec:   rank 1 waits in MPI_Recv since 61.2 s for rank 0: ...
 *     mpiexec:   rank 2 computes (or is in another library): it has not waited in MPI for a while
 *     mpiexec: ranks 0 and 1 wait for each other: nobody will go on
 *
 * A cycle is followed along single arrows only: a rank that waits for several, or for any, may be freed by
 * another. A rank that does not say that it waits computes, whatever it is that takes it ten minutes; it is
 * told of only when it was asked for, or when others have waited for it for as long as --explain-after says,
 * and is called what it is.
 */
#include "job.h"

#include "clock.h"
#include "errors.h"
#include "waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((int64_t)1000000000)

enum { SILENT_MS = 1500, LINES = 64 };

struct view {
    struct pl_roll_wait wait;
    uint32_t state;
    bool waits;
};

static struct view *look(const struct pl_job *job, int64_t now)
{
    struct view *views = calloc((size_t)job->layout->ranks, sizeof *views);
    for (int i = 0; views && i < job->layout->ranks; i++) {
        const struct pl_roll_entry *entry = &job->roll->entry[i];
        views[i].state = atomic_load(&entry->state);
        views[i].waits = views[i].state == PL_ROLL_RUNS && pl_roll_read(entry, &views[i].wait) &&
                         now - views[i].wait.beat < SILENT_MS * (SECOND / 1000);
    }
    return views;
}

/* What a stopped or sleeping process is told by: the letter of /proc/PID/stat. */
static char process_state(int pid)
{
    char path[32], line[256], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return '?';
    const char *close = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    if (close && close[1] == ' ')
        state = close[2];
    fclose(file);
    return state;
}

static void say_waiting(int rank, const struct view *view, int64_t now)
{
    char whom[120] = "";
    size_t at = 0;
    for (int i = 0; i < view->wait.awaited && at < sizeof whom - 16; i++)
        at += (size_t)snprintf(whom + at, sizeof whom - at, "%s%d", i ? ", " : " for rank ",
                               view->wait.rank[i]);
    if (view->wait.any)
        snprintf(whom + at, sizeof whom - at, "%s", at ? " or any" : " for any rank");
    pl_job_say("  rank %d waits in %s since %.1f s%s%s%.300s", rank,
               view->wait.call[0] ? view->wait.call : "MPI", (double)(now - view->wait.since) / 1e9, whom,
               view->wait.text[0] ? ": " : "", view->wait.text);
}

static void say_other(const struct pl_job *job, int rank, const struct view *view)
{
    const struct pl_roll_entry *entry = &job->roll->entry[rank];
    char how[200];
    char state = view->state == PL_ROLL_RUNS && job->members[rank].group ? process_state(entry->pid) : '?';
    if (view->state == PL_ROLL_RUNS && !pl_layout_is_here(job->layout, rank)) {
        pl_job_say("  rank %d runs on %s: what it does is not seen from here", rank,
                   pl_job_host_of(job, rank));
    } else if (view->state == PL_ROLL_DEAD) {
        pl_roll_how(entry, how, sizeof how);
        pl_job_say("  rank %d is dead: %s", rank, how);
    } else if (view->state == PL_ROLL_ENDED) {
        pl_job_say("  rank %d has ended in order", rank);
    } else if (state == 'T' || state == 't') {
        pl_job_say("  rank %d (pid %d) is stopped: it goes on after kill -CONT %d", rank, entry->pid,
                   entry->pid);
    } else {
        pl_job_say("  rank %d (pid %d) %s; it does not wait in MPI", rank, entry->pid,
                   state == 'R'   ? "computes"
                   : state == 'S' ? "sleeps, or reads something"
                   : state == 'D' ? "waits for a disk"
                                  : "computes, or does something else");
    }
}

/* The one rank that this one waits for, or -1: none, or several would do. */
static int waits_for(const struct view *views, int ranks, int rank)
{
    const struct view *view = &views[rank];
    if (!view->waits || view->wait.any || view->wait.awaited != 1 || view->wait.rank[0] < 0 ||
        view->wait.rank[0] >= ranks)
        return -1;
    return view->wait.rank[0];
}

/* Names a cycle, if there is one, else who all others wait for in the end. */
static void judge(const struct view *views, int ranks)
{
    char text[200];
    int *waits = malloc((size_t)ranks * sizeof *waits);
    if (!waits)
        return;
    for (int i = 0; i < ranks; i++)
        waits[i] = waits_for(views, ranks, i);
    bool told = pl_waits_cycle(waits, ranks, text, sizeof text);
    if (told)
        pl_job_say("a cycle, nobody in it will go on: rank %s", text);
    for (int start = 0; start < ranks && !told; start++) {
        int end = pl_waits_end(waits, ranks, start);
        if (views[end].waits || end == start)
            continue;
        told = true;
        pl_job_say(views[end].state == PL_ROLL_RUNS
                       ? "no cycle: rank %d waits for rank %d, which is busy (a straggler)"
                   : views[end].state == PL_ROLL_ENDED ? "rank %d waits for rank %d, which has ended"
                                                       : "rank %d waits for rank %d, which is dead",
                   start, end);
    }
    free(waits);
}

void pl_job_explain(struct pl_job *job)
{
    int64_t now = pl_now();
    int ranks = job->layout->ranks, waiting = 0, lines = 0;
    struct view *views = look(job, now);
    if (!views)
        return;
    for (int i = 0; i < ranks; i++)
        waiting += views[i].waits;
    pl_job_say("%d of %d ranks wait in MPI:", waiting, ranks);
    for (int i = 0; i < ranks && lines < LINES; i++, lines++)
        if (views[i].waits)
            say_waiting(i, &views[i], now);
        else
            say_other(job, i, &views[i]);
    if (ranks > LINES)
        pl_job_say("  and %d more", ranks - LINES);
    judge(views, ranks);
    free(views);
}

void pl_job_explain_hang(struct pl_job *job, int64_t now)
{
    double after = job->options->explain_after;
    if (!job->roll || !job->begun || after <= 0 || now < job->explain_at || job->phase != PL_RUNNING)
        return;
    struct view *views = look(job, now);
    int64_t longest = 0;
    for (int i = 0; views && i < job->layout->ranks; i++)
        if (views[i].waits && now - views[i].wait.since > longest)
            longest = now - views[i].wait.since;
    free(views);
    int64_t patience = (int64_t)(after * 1e9);
    if (longest < patience) {
        job->explained = 0;
        job->explain_at = now + (patience - longest < SECOND / 4 ? SECOND / 4 : patience - longest);
        return;
    }
    pl_job_say("no news for %.0f s (--explain-after):", (double)longest / 1e9);
    pl_job_explain(job);
    job->explain_at =
        now + (patience << (job->explained < 6 ? ++job->explained : 6)); /* not again and again */
}
