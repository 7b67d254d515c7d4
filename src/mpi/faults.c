/* Plans of faults: translated, and drawn from a seed.
 *
 * What is drawn shall be likely to matter: most steps are early (a run of a few
 * dozen messages is the usual case), some late; delays and times of notice range from
 * nothing to seconds, each order of magnitude as likely as the next; and at least one
 * rank survives. The draws are of a generator of their own, so that a plan depends on
 * seed, ranks and kinds alone.
 */
#include "faults.h"

#include "errors.h"

#include <stdlib.h>

struct draws {
    uint64_t state;
};

static uint64_t draw(struct draws *draws, uint64_t bound)
{
    uint64_t z = draws->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % bound;
}

/* Nanoseconds: 0, or up to a microsecond, ten, ... ten seconds. */
static int64_t draw_duration(struct draws *draws)
{
    int64_t most = 1000;
    for (uint64_t magnitude = draw(draws, 9); magnitude > 1; magnitude--)
        most *= 10;
    return most == 1000 && draw(draws, 2) ? 0 : (int64_t)draw(draws, (uint64_t)most) + 1;
}

static uint64_t draw_step(struct draws *draws)
{
    uint64_t most = 4;
    for (uint64_t doublings = draw(draws, 7); doublings; doublings--)
        most *= 2;
    return 1 + draw(draws, most);
}

static enum pl_fault_kind draw_kind(struct draws *draws, unsigned kinds)
{
    for (;;) {
        uint64_t kind = PL_FAULT_DELAY + draw(draws, PL_FAULT_FLIP);
        if (kinds >> kind & 1)
            return (enum pl_fault_kind)kind;
    }
}

/* `deaths` so far, which leave somebody alive. */
static struct pl_fault draw_fault(struct draws *draws, int ranks, unsigned kinds, int *deaths)
{
    struct pl_fault fault = {.kind = draw_kind(draws, kinds), .rank = -1, .peer = -1};
    fault.step = draw_step(draws);
    fault.duration = draw_duration(draws);
    bool kills = fault.kind == PL_FAULT_KILL;
    if (kills && ++*deaths >= ranks)
        fault.kind = PL_FAULT_DELAY;
    if (fault.kind != PL_FAULT_DELAY || draw(draws, 2)) {
        fault.rank = (int)draw(draws, (uint64_t)ranks);
        fault.peer =
            ranks > 1 ? (int)(((uint64_t)fault.rank + 1 + draw(draws, (uint64_t)ranks - 1)) % (uint64_t)ranks)
                      : fault.rank;
    }
    return fault;
}

static int64_t nanoseconds(double seconds)
{
    return seconds >= 0 && seconds < 1e9 ? (int64_t)(seconds * 1e9) : -1;
}

int pl_faults_of(int ranks, const struct peal_world_options *options, struct pl_fault **out)
{
    enum { KINDS = ((1u << (PL_FAULT_FLIP + 1)) - 1) & ~1u };
    unsigned kinds = options->kinds ? options->kinds : KINDS & ~(1u << PL_FAULT_FLIP);
    if (kinds & ~(unsigned)KINDS)
        return pl_fail(PL_EARG, "the kinds of faults to draw, %#x, are not bits of PEAL_FAULT_...", kinds);
    size_t count = (size_t)(options->fault_count + options->drawn);
    *out = NULL;
    if (!count)
        return 0;
    struct pl_fault *faults = calloc(count, sizeof *faults);
    if (!faults)
        return pl_fail(PL_ENOMEM, "no memory for a plan of %zu faults", count);
    for (int i = 0; i < options->fault_count; i++) {
        const struct peal_fault *given = &options->faults[i];
        faults[i] = (struct pl_fault){.kind = (enum pl_fault_kind)given->kind,
                                      .rank = given->rank,
                                      .peer = given->peer,
                                      .step = given->step,
                                      .at = nanoseconds(given->at),
                                      .duration = nanoseconds(given->seconds)};
    }
    struct draws draws = {options->seed ^ UINT64_C(0x7065616c)};
    int deaths = 0;
    for (size_t i = (size_t)options->fault_count; i < count; i++)
        faults[i] = draw_fault(&draws, ranks, kinds, &deaths);
    *out = faults;
    return 0;
}
