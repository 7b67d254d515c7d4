/* random.h: a small generator whose stream depends on its seed alone.
 *
 * SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators", OOPSLA 2014): one 64-bit word of state, so a stream for every
 * (seed, purpose, index) costs nothing, which is what makes image i of the
 * generator, or the order of epoch e, independent of who asks and when. rand()
 * was rejected: its stream differs between C libraries.
 */
#ifndef TRAIN_RANDOM_H
#define TRAIN_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

enum random_purpose { RANDOM_WEIGHTS = 1, RANDOM_ORDER = 2, RANDOM_DIGITS = 3 };

static inline uint64_t random_word(struct random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct random random_stream(uint64_t seed, enum random_purpose purpose, uint64_t index)
{
    struct random r = {seed};
    r.state = random_word(&r) ^ (uint64_t)purpose;
    r.state = random_word(&r) ^ index;
    return (struct random){random_word(&r)};
}

/* In [0, 1). */
static inline double random_unit(struct random *r)
{
    return (double)(random_word(r) >> 11) * 0x1p-53;
}

/* In [low, high). */
static inline double random_between(struct random *r, double low, double high)
{
    return low + (high - low) * random_unit(r);
}

/* In 0 .. bound-1; bound > 0. */
static inline uint32_t random_below(struct random *r, uint32_t bound)
{
    return (uint32_t)(((random_word(r) >> 32) * bound) >> 32);
}

#endif
