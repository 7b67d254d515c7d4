/* Choosing: every algorithm has a price in closed form (its cost function) and every transport
 * has three numbers; the cheapest that answers the call rightly wins. There are no thresholds to tune: where
 * two algorithms cross follows from the numbers.
 *
 * The choice uses only what all ranks of a call agree on (collective, size, root, bytes, operator,
 * the communicator's transport), never rank or in-place, so it needs no message. It is made
 * once a kind of call: the schedule that results is cached (cache.c).
 */
#include "choose.h"

#include "log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Nanoseconds a message, a byte carried, a byte reduced. A message between ranks that share cores costs
 * a change of context. */
static const struct {
    const char *transport;
    struct pl_machine alone, oversubscribed;
} machines[] = {
    {"shm", {300, 0.10, 0.08}, {3000, 0.15, 0.10}},
    {"loopback", {300, 0.08, 0.08}, {3000, 0.12, 0.10}},
    {"tcp", {12000, 0.40, 0.10}, {25000, 0.60, 0.12}},
};

const struct pl_machine *pl_machine_of(const char *transport, bool oversubscribed)
{
    size_t i = 0, last = sizeof machines / sizeof *machines - 1;
    while (i < last && strcmp(machines[i].transport, transport) != 0)
        i++;
    return oversubscribed ? &machines[i].oversubscribed : &machines[i].alone;
}

static const struct pl_algorithm *find(enum pl_collective collective, const char *name, size_t length)
{
    for (const struct pl_algorithm *a = pl_algorithms(collective); a->name; a++)
        if (strlen(a->name) == length && memcmp(a->name, name, length) == 0)
            return a;
    return NULL;
}

static void warn_unknown(const char *item, size_t length, int collective)
{
    char valid[256] = "";
    size_t used = 0;
    if (collective == PL_COLLECTIVES) {
        for (int c = 0; c < PL_COLLECTIVES && used < sizeof valid; c++)
            used += (size_t)snprintf(valid + used, sizeof valid - used,
                                     " %s=", pl_collective_name((enum pl_collective)c));
    } else {
        for (const struct pl_algorithm *a = pl_algorithms((enum pl_collective)collective);
             a->name && used < sizeof valid; a++)
            used += (size_t)snprintf(valid + used, sizeof valid - used, " %s", a->name);
    }
    pl_warn("no such algorithm: '%.*s' is ignored; there are:%s", (int)length, item, valid);
}

void pl_forced_read(struct pl_forced *forced, const char *text, bool warn)
{
    while (*text) {
        size_t length = strcspn(text, ","), name = strcspn(text, "=,");
        int c = 0;
        while (c < PL_COLLECTIVES && (strlen(pl_collective_name((enum pl_collective)c)) != name ||
                                      memcmp(pl_collective_name((enum pl_collective)c), text, name) != 0))
            c++;
        const struct pl_algorithm *found = NULL;
        if (c < PL_COLLECTIVES && name < length)
            found = find((enum pl_collective)c, text + name + 1, length - name - 1);
        if (found)
            forced->algorithm[c] = found;
        else if (warn && length)
            warn_unknown(text, length, c);
        text += length + (text[length] == ',');
    }
}

const struct pl_algorithm *pl_choose(const struct pl_machine *machine, const struct pl_coll_args *args,
                                     bool reproducible, bool direct, const struct pl_algorithm *forced)
{
    const struct pl_algorithm *best = NULL;
    double least = 0;
    if (args->remote)
        return pl_inter_algorithm(args->collective);
    if (forced && pl_algorithm_fits(forced, args, reproducible) && (direct || !(forced->flags & PL_REACHES)))
        return forced;
    for (const struct pl_algorithm *a = pl_algorithms(args->collective); a->name; a++) {
        if (!pl_algorithm_fits(a, args, reproducible) || (!direct && (a->flags & PL_REACHES)))
            continue;
        double cost = a->cost(machine, args);
        if (!best || cost < least) {
            best = a;
            least = cost;
        }
    }
    assert(best);
    return best;
}
