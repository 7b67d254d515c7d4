/* Tables: descriptions checked, defaults filled in, initial values.
 *
 * A table with a range keeps neighbours together in blocks of up to 16 KiB, so that a range travels as whole
 * blocks and is updated in one loop; but in no fewer than some 256 blocks, so that a small table is spread
 * too. A table without one treats every key alone.
 *
 * An initial value is a function of seed, key and place alone. So reading a key that nobody has touched need
 * not create it, and the copies of a part agree without a word.
 */
#include "table.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { BLOCKS = 256 };

static float or_default(float value, float fallback)
{
    return value != 0 ? value : fallback;
}

static const char *check(const struct peal_ps_table *t)
{
    if (t->width < 0 || t->width > PL_PS_WIDTH_MAX)
        return "its width should be 1 to 4096 floats";
    if ((int)t->updater < PEAL_PS_SUM || t->updater > PEAL_PS_USER)
        return "its updater is none of enum peal_ps_updater";
    if (t->updater == PEAL_PS_USER && !t->function)
        return "PEAL_PS_USER needs a function";
    if (t->states < 0 || t->states > PL_PS_STATES_MAX)
        return "a user's updater has 0 to 6 states";
    if ((int)t->initial < PEAL_PS_ZERO || t->initial > PEAL_PS_NORMAL)
        return "its initial value is none of enum peal_ps_initial";
    if (t->filters & ~(PEAL_PS_FP16 | PEAL_PS_INT8 | PEAL_PS_CACHE | PEAL_PS_SKIP))
        return "its filters are none of enum peal_ps_filter";
    if ((t->filters & PEAL_PS_FP16) && (t->filters & PEAL_PS_INT8))
        return "values travel as fp16 or as int8, not both";
    if ((t->filters & PEAL_PS_SKIP) && !(t->threshold > 0))
        return "PEAL_PS_SKIP needs a threshold above 0";
    return NULL;
}

/* The updater that the description names, into it: one of the built-in ones or of the program's. */
static const char *resolve(struct peal_ps_table *t, const struct peal_ps_options *options)
{
    static const char *const names[] = {
        [PEAL_PS_SUM] = "sum",           [PEAL_PS_ASSIGN] = "assign",   [PEAL_PS_SGD] = "sgd",
        [PEAL_PS_MOMENTUM] = "momentum", [PEAL_PS_ADAGRAD] = "adagrad", [PEAL_PS_ADAM] = "adam",
        [PEAL_PS_FTRL] = "ftrl"};
    for (size_t i = 0; t->updater_name && i < sizeof names / sizeof *names; i++)
        if (!strcmp(t->updater_name, names[i])) {
            t->updater = (enum peal_ps_updater)i;
            return NULL;
        }
    for (int i = 0; t->updater_name && options->functions && i < options->function_count; i++) {
        const struct peal_ps_named *named = &options->functions[i];
        if (!named->name || strcmp(t->updater_name, named->name))
            continue;
        t->updater = PEAL_PS_USER;
        t->function = named->function;
        t->states = named->states;
        return NULL;
    }
    return t->updater_name ? "its updater_name is no updater's, nor in `functions`" : NULL;
}

const char *pl_ps_table_init(struct pl_ps_table *table, const struct peal_ps_options *options, int number)
{
    static const int states[] = {
        [PEAL_PS_SUM] = 0,     [PEAL_PS_ASSIGN] = 0, [PEAL_PS_SGD] = 0, [PEAL_PS_MOMENTUM] = 1,
        [PEAL_PS_ADAGRAD] = 1, [PEAL_PS_ADAM] = 3,   [PEAL_PS_FTRL] = 2};
    struct peal_ps_table *t = &table->is;
    *t = options->tables[number];
    const char *wrong = resolve(t, options);
    if (!wrong)
        wrong = check(t);
    if (wrong)
        return wrong;
    t->name = t->updater_name = NULL;
    t->rate = or_default(t->rate, 0.01f);
    t->momentum = or_default(t->momentum, 0.9f);
    t->beta1 = or_default(t->beta1, 0.9f);
    t->beta2 = or_default(t->beta2, 0.999f);
    t->epsilon = or_default(t->epsilon, 1e-8f);
    t->beta = or_default(t->beta, 1);
    table->width = t->width ? t->width : 1;
    table->states = t->updater == PEAL_PS_USER ? t->states : states[t->updater];
    table->row = table->width * (1 + table->states);
    table->salt = pl_ps_mix((uint64_t)number + 1);
    table->block_shift = 0;
    while (t->range && table->width << (table->block_shift + 1) <= PL_PS_BLOCK_FLOATS &&
           t->range >> (table->block_shift + 1) >= BLOCKS)
        table->block_shift++;
    pl_ps_updater_choose(table);
    return NULL;
}

static double unit(uint64_t random)
{
    return ((double)(random >> 11) + 0.5) / 9007199254740992.0;
}

void pl_ps_initial(const struct pl_ps_table *table, uint64_t key, float *values)
{
    float a = table->is.initial_a, b = table->is.initial_b;
    uint64_t base = pl_ps_mix(key ^ pl_ps_mix(table->is.seed ^ table->salt));
    for (int i = 0; i < table->width; i++) {
        uint64_t random = pl_ps_mix(base + (uint64_t)i);
        switch (table->is.initial) {
        case PEAL_PS_ZERO:
            values[i] = 0;
            break;
        case PEAL_PS_CONSTANT:
            values[i] = a;
            break;
        case PEAL_PS_UNIFORM:
            values[i] = (float)(a + (b - a) * unit(random));
            break;
        case PEAL_PS_NORMAL:
            values[i] = (float)(a + b * sqrt(-2 * log(unit(random))) *
                                        cos(6.283185307179586 * unit(pl_ps_mix(random))));
            break;
        }
    }
}
