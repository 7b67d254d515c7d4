/* An algorithm drawn on a few ranks, from its real schedule run in virtual time.
 *
 *     round 1    0->1 1->2 2->3 3->0     256 KiB each          messages that begin together
 *     round 2    ...
 *
 * As SVG: a lane for each rank; above, what it sends; below, what it receives; between, where it reduces. The
 * steps are not segmented in the drawing, whatever they are when priced: it shows the pattern.
 */
#include "plan.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWN_RANKS = 8, ROUNDS_MAX = 40, A_LINE = 12 };

struct drawing {
    struct pl_priced *step;
    size_t steps, room;
    bool full; /* there was no memory */
    double end;
    int ranks;
};

static void note(void *context, const struct pl_priced *step)
{
    struct drawing *d = context;
    if (d->steps == d->room) {
        size_t room = d->room ? 2 * d->room : 256;
        struct pl_priced *more = realloc(d->step, room * sizeof *more);
        d->full = d->full || !more;
        if (!more)
            return;
        d->step = more;
        d->room = room;
    }
    d->step[d->steps++] = *step;
    d->end = step->end > d->end ? step->end : d->end;
}

static int by_begin(const void *a, const void *b)
{
    const struct pl_priced *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->peer != y->peer ? (x->peer < y->peer ? -1 : 1) : (x->rank > y->rank) - (x->rank < y->rank);
}

/* Few enough ranks to draw: with hosts, whole hosts, at least two of them if they fit. */
static int drawn_ranks(const struct pl_plan *plan)
{
    int step = plan->network.per_host ? plan->network.per_host : 1;
    int ranks = DRAWN_RANKS / step * step;
    if (ranks < 2 * step)
        ranks = 2 * step <= 2 * DRAWN_RANKS ? 2 * step : DRAWN_RANKS;
    return ranks < plan->ranks ? ranks : plan->ranks;
}

static int run(const struct pl_plan *plan, const struct pl_algorithm *algorithm, struct drawing *d)
{
    d->ranks = drawn_ranks(plan);
    struct pl_price_params params = {.algorithm = algorithm,
                                     .args = pl_plan_args(plan, d->ranks),
                                     .network = plan->network,
                                     .trace = note,
                                     .context = d};
    double nanoseconds;
    params.args.segment = (size_t)1 << 62;
    int error = pl_price_network(&params, &nanoseconds);
    if (!error && d->full)
        error = pl_fail(PL_ENOMEM, "no memory for the drawing");
    if (!error && d->steps)
        qsort(d->step, d->steps, sizeof *d->step, by_begin);
    return error;
}

static void print_round(const struct drawing *d, size_t from, size_t to, int round, FILE *file)
{
    size_t least = SIZE_MAX, most = 0;
    int printed = 0;
    char low[32], high[32];
    fprintf(file, "  round %-3d", round);
    for (size_t i = from; i < to; i++) {
        if (d->step[i].verb != PL_STEP_RECV)
            continue;
        if (printed && printed % A_LINE == 0)
            fprintf(file, "\n           ");
        fprintf(file, " %d->%d", d->step[i].peer, d->step[i].rank);
        printed++;
        least = d->step[i].bytes < least ? d->step[i].bytes : least;
        most = d->step[i].bytes > most ? d->step[i].bytes : most;
    }
    if (!most)
        fprintf(file, "   signals\n");
    else if (least == most)
        fprintf(file, "   %s each\n", pl_plan_bytes(low, (double)least));
    else
        fprintf(file, "   %s to %s\n", pl_plan_bytes(low, (double)least), pl_plan_bytes(high, (double)most));
}

/* Messages of one round begin at the same moment, or nearly. */
static size_t round_end(const struct drawing *d, size_t from, bool *messages)
{
    size_t i = from;
    *messages = false;
    for (; i < d->steps && d->step[i].begin <= d->step[from].begin + d->end * 1e-4; i++)
        *messages = *messages || d->step[i].verb == PL_STEP_RECV;
    return i;
}

int pl_plan_draw(const struct pl_plan *plan, const struct pl_algorithm *algorithm, FILE *file)
{
    struct drawing d = {0};
    char time[32];
    int error = run(plan, algorithm, &d), round = 0;
    if (!error)
        fprintf(file, "%s on %d ranks, %s:\n", algorithm->name, d.ranks, pl_plan_time(time, d.end));
    for (size_t i = 0, next; !error && i < d.steps; i = next) {
        bool messages;
        next = round_end(&d, i, &messages);
        if (messages && ++round <= ROUNDS_MAX)
            print_round(&d, i, next, round, file);
    }
    if (round > ROUNDS_MAX)
        fprintf(file, "  and %d rounds more\n", round - ROUNDS_MAX);
    free(d.step);
    return error;
}

enum { LEFT = 70, WIDTH = 860, LANE = 44, TOP = 50 };

static void draw_bar(FILE *file, const struct drawing *d, int rank, double part, double begin, double end,
                     const char *colour, const char *words)
{
    double scale = d->end > 0 ? WIDTH / d->end : 0, width = (end - begin) * scale;
    fprintf(file,
            "<rect x='%.2f' y='%.1f' width='%.2f' height='10' fill='%s' stroke='white' stroke-width='0.5'>"
            "<title>%s</title></rect>\n",
            LEFT + begin * scale, TOP + rank * LANE + part, width > 0.4 ? width : 0.4, colour, words);
}

static void draw_step(FILE *file, const struct drawing *d, const struct pl_priced *s)
{
    char words[96], bytes[32];
    pl_plan_bytes(bytes, (double)s->bytes);
    if (s->verb == PL_STEP_RECV) {
        snprintf(words, sizeof words, "%d to %d, %s", s->peer, s->rank, bytes);
        draw_bar(file, d, s->peer, 0, s->begin, s->end, "#1b6ca8", words);
        draw_bar(file, d, s->rank, 24, s->begin, s->end, "#66a182", words);
    } else if (s->end > s->begin) {
        snprintf(words, sizeof words, "rank %d reduces %s", s->rank, bytes);
        draw_bar(file, d, s->rank, 12, s->begin, s->end, "#d1495b", words);
    }
}

int pl_plan_draw_svg(const struct pl_plan *plan, const struct pl_algorithm *algorithm, const char *path)
{
    struct drawing d = {0};
    char time[32];
    int error = run(plan, algorithm, &d);
    FILE *file = error ? NULL : fopen(path, "w");
    if (!error && !file)
        error = pl_fail_errno("cannot write %s", path);
    if (error)
        goto free_steps;
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' "
            "font-size='12'>\n"
            "<rect width='100%%' height='100%%' fill='white'/>\n<text x='10' y='18' font-weight='bold'>%s, "
            "%s, on %d "
            "ranks: %s</text>\n<text x='10' y='36'><tspan fill='#1b6ca8'>sends</tspan> <tspan "
            "fill='#d1495b'>reduces"
            "</tspan> <tspan fill='#66a182'>receives</tspan></text>\n",
            LEFT + WIDTH + 20, TOP + d.ranks * LANE + 20, pl_collective_name(plan->collective),
            algorithm->name, d.ranks, pl_plan_time(time, d.end));
    for (int r = 0; r < d.ranks; r++)
        fprintf(file, "<text x='10' y='%d'>rank %d</text>\n", TOP + r * LANE + 21, r);
    for (size_t i = 0; i < d.steps; i++)
        draw_step(file, &d, &d.step[i]);
    fprintf(file, "</svg>\n");
    if (fclose(file))
        error = pl_fail_errno("cannot write %s", path);
free_steps:
    free(d.step);
    return error;
}
