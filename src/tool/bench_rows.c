/* The loops of the benchmark: types, operators, sizes, out of place and in place; a row of each.
 *
 * The check is a call of its own, after the timed ones: contents that may be reduced in place again and again
 * (zeros) could not tell right from wrong, and checking costs nothing of the time.
 */
#include "bench.h"

#include <string.h>

struct running {
    struct pl_point point;
    const struct pl_call *call;
    const struct pl_pairs *pairs;
    int partner;
};

static void once_call(void *context)
{
    const struct running *r = context;
    r->call->run(&r->point);
}

static void rewrite_call(void *context, int batch)
{
    struct running *r = context;
    r->point.salt = batch;
    pl_call_prepare_many(r->call, &r->point);
}

static void once_pairs(void *context)
{
    const struct running *r = context;
    if (r->partner >= 0)
        r->pairs->run(&r->point, r->partner);
}

static void rewrite_pairs(void *context, int batch)
{
    struct running *r = context;
    r->point.salt = batch;
    pl_pairs_prepare(r->pairs, &r->point);
}

static long of_all_ranks(size_t wrong)
{
    long mine = (long)wrong, all;
    PMPI_Allreduce(&mine, &all, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

static struct pl_point point_of(const struct pl_bench *bench, const struct pl_number *number)
{
    return (struct pl_point){.rank = bench->rank,
                             .size = bench->size,
                             .root = bench->root,
                             .number = number,
                             .in = bench->in,
                             .out = bench->out,
                             .window = 1,
                             .counts = bench->counts,
                             .places = bench->places};
}

/* Elements of a block when the larger buffer shall have `bytes`; at least one. */
static size_t count_for(const struct pl_bench *bench, const struct pl_call *call,
                        const struct pl_number *number, size_t bytes)
{
    size_t blocks = call->in_blocks || call->out_blocks ? (size_t)bench->size : 1;
    size_t count = bytes / number->size / blocks;
    return call->flags & PL_CALL_EMPTY ? 0 : count ? count : 1;
}

static void measure_way(const struct pl_bench *bench, struct running *running, int way, struct pl_row *row)
{
    const struct pl_call *call = running->call;
    struct pl_work work = {once_call, rewrite_call, running};
    running->point.in_place = way;
    row->way[way].there = true;
    row->way[way].us = pl_measure(&bench->timing, &work);
    row->way[way].algbw =
        row->way[way].us.median > 0 ? (double)row->bytes / row->way[way].us.median / 1e3 : 0;
    row->way[way].busbw = row->way[way].algbw * call->bus(bench->size);
    row->way[way].wrong = -1;
    if (!bench->check)
        return;
    running->point.salt = 99;
    pl_call_prepare(call, &running->point);
    PMPI_Barrier(MPI_COMM_WORLD);
    call->run(&running->point);
    row->way[way].wrong = of_all_ranks(pl_call_wrong(call, &running->point));
}

static void call_row(struct pl_bench *bench, const struct pl_call *call, const struct pl_number *number,
                     const struct pl_operator *op, size_t count)
{
    struct running running = {.point = point_of(bench, number), .call = call};
    running.point.op = op;
    running.point.count = count;
    struct pl_row row = {.test = call->name,
                         .type = call->flags & PL_CALL_EMPTY ? "none" : number->name,
                         .op = call->flags & PL_CALL_REDUCES ? op->name : "none",
                         .root = call->flags & PL_CALL_ROOTED ? bench->root : -1,
                         .bytes = pl_call_bytes(call, &running.point),
                         .count = count};
    for (int way = 0; way < (call->flags & PL_CALL_ONE_WAY ? 1 : 2); way++)
        measure_way(bench, &running, way, &row);
    if (!bench->rank)
        pl_report_row(&bench->report, &row);
}

static void call_sizes(struct pl_bench *bench, const struct pl_call *call, const struct pl_number *number,
                       const struct pl_operator *op)
{
    size_t before = 0;
    for (size_t bytes = bench->begin; bytes <= bench->end; bytes *= (size_t)bench->factor) {
        size_t count = count_for(bench, call, number, bytes);
        if (count != before || bytes == bench->begin)
            call_row(bench, call, number, op, count);
        before = count;
        if ((call->flags & PL_CALL_EMPTY) || bytes > bench->end / (size_t)bench->factor)
            break;
    }
}

static bool wanted(const char *asked, const char *name)
{
    return !strcmp(asked, "all") || !strcmp(asked, name);
}

void pl_bench_call(struct pl_bench *bench, const struct pl_call *call)
{
    if (!bench->rank)
        pl_report_test(&bench->report, call->name, "", false);
    for (const struct pl_number *n = pl_numbers; n->name; n++) {
        if (!wanted(bench->type, n->name))
            continue;
        for (const struct pl_operator *o = pl_operators; o->name; o++) {
            bool first = o == pl_operators, reduces = call->flags & PL_CALL_REDUCES;
            if (reduces ? wanted(bench->op, o->name) && !(o->integers_only && n->floating) : first)
                call_sizes(bench, call, n, o);
        }
        if (call->flags & PL_CALL_EMPTY)
            return;
    }
}

size_t pl_bench_room_call(const struct pl_bench *bench, const struct pl_call *call)
{
    size_t most = 0;
    for (const struct pl_number *n = pl_numbers; n->name; n++) {
        struct pl_point point = point_of(bench, n);
        point.count = count_for(bench, call, n, bench->end);
        size_t bytes = pl_call_bytes(call, &point);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void pairs_row(struct pl_bench *bench, const struct pl_pairs *test, const struct pl_number *number,
                      size_t count)
{
    struct running running = {.point = point_of(bench, number), .pairs = test};
    struct pl_work work = {once_pairs, rewrite_pairs, &running};
    int pairs;
    running.partner = pl_pairs_partner(test, bench->rank, bench->size, &pairs);
    running.point.count = count;
    running.point.window = pl_pairs_window(test, count * number->size);
    double each = test->windowed ? 1.0 / running.point.window : 0.5;
    struct pl_spread us = pl_measure(&bench->timing, &work);
    struct pl_row row = {.test = test->name,
                         .type = number->name,
                         .op = "none",
                         .root = -1,
                         .bytes = count * number->size,
                         .count = count};
    row.way[0].there = true;
    row.way[0].us = (struct pl_spread){us.least * each, us.q1 * each, us.median * each, us.q3 * each};
    row.rate = pairs * test->directions / row.way[0].us.median * 1e6;
    row.way[0].algbw = row.way[0].busbw = (double)row.bytes * row.rate / 1e9;
    row.way[0].wrong =
        bench->check ? of_all_ranks(pl_pairs_wrong(test, &running.point, running.partner)) : -1;
    if (!bench->rank)
        pl_report_row(&bench->report, &row);
}

void pl_bench_pairs(struct pl_bench *bench, const struct pl_pairs *test)
{
    if (!bench->rank)
        pl_report_test(&bench->report, test->name, test->what, true);
    for (const struct pl_number *n = pl_numbers; n->name; n++)
        for (size_t bytes = bench->begin, before = 0; wanted(bench->type, n->name) && bytes <= bench->end;
             bytes *= (size_t)bench->factor) {
            size_t count = bytes / n->size ? bytes / n->size : 1;
            if (count != before)
                pairs_row(bench, test, n, count);
            before = count;
            if (bytes > bench->end / (size_t)bench->factor)
                break;
        }
}

size_t pl_bench_room_pairs(const struct pl_bench *bench, const struct pl_pairs *test)
{
    size_t most = 0;
    for (size_t bytes = bench->begin; bytes <= bench->end; bytes *= (size_t)bench->factor) {
        size_t room = (bytes + PL_NUMBER_MAX) * (size_t)pl_pairs_window(test, bytes);
        most = room > most ? room : most;
        if (bytes > bench->end / (size_t)bench->factor)
            break;
    }
    return most;
}
