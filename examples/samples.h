/* Samples for 09_sparse_logistic.c: from a file in LIBSVM's format, `label key:value key:value ...` a line,
 * or drawn: keys as words of a language are, a few often and most hardly ever, out of as many as one likes.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct feature {
    uint64_t key;
    float value;
};

struct samples {
    int count;
    int *labels;   /* [count]: 0 or 1 */
    size_t *first; /* [count + 1]: where each begins in `features` */
    struct feature *features;
};

static void samples_grow(struct samples *s, size_t features)
{
    s->labels = realloc(s->labels, ((size_t)s->count + 1) * sizeof *s->labels);
    s->first = realloc(s->first, ((size_t)s->count + 2) * sizeof *s->first);
    s->features = realloc(s->features, (features + 1024) * sizeof *s->features);
    if (!s->labels || !s->first || !s->features) {
        fprintf(stderr, "no memory for %d samples\n", s->count);
        exit(1);
    }
}

static inline void samples_free(struct samples *s)
{
    free(s->labels);
    free(s->first);
    free(s->features);
}

/* Every stride-th line from line `offset` on. Returns 0, or the number of the first line that makes no sense,
 * or -1. */
static inline int samples_read(struct samples *s, const char *path, int offset, int stride)
{
    char line[16384];
    FILE *file = fopen(path, "r");
    size_t n = 0;
    *s = (struct samples){0};
    if (!file)
        return -1;
    samples_grow(s, 0);
    s->first[0] = 0;
    for (int number = 0; fgets(line, sizeof line, file); number++) {
        char *at, *end;
        if (number % stride != offset)
            continue;
        samples_grow(s, n);
        s->labels[s->count] = strtod(line, &at) > 0;
        if (at == line || !strchr(line, '\n')) {
            fclose(file);
            return number + 1;
        }
        for (uint64_t key;
             n < s->first[s->count] + 1024 && (key = strtoull(at, &end, 10), end != at && *end == ':');
             at = end, n++)
            s->features[n] = (struct feature){key, strtof(end + 1, &end)};
        s->first[++s->count] = n;
    }
    fclose(file);
    return 0;
}

static inline uint64_t samples_mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * UINT64_C(0x7fb5d329728ea185);
    x = (x ^ (x >> 27)) * UINT64_C(0x81dadef4bc2dd44d);
    return x ^ (x >> 33);
}

/* What a key truly weighs: nine of ten nothing. */
static inline double samples_truth(uint64_t key)
{
    uint64_t h = samples_mix(key + 99);
    return h % 10 ? 0 : (double)(h >> 40) / 8388608.0 - 1;
}

/* `count` samples of 20 of `keys` keys, the k-th about as often as 1/k; those of different seeds differ. */
static inline void samples_draw(struct samples *s, int count, uint64_t keys, uint64_t seed)
{
    uint64_t state = seed * 1000003;
    size_t n = 0;
    *s = (struct samples){0};
    samples_grow(s, 0);
    s->first[0] = 0;
    while (s->count < count) {
        double sum = 0;
        samples_grow(s, n);
        for (int i = 0; i < 20; i++) {
            double u =
                (double)(samples_mix(++state * UINT64_C(0x9e3779b97f4a7c15)) >> 11) / 9007199254740992.0;
            uint64_t key = samples_mix((uint64_t)pow((double)keys, u)); /* spread over all 64 bits */
            s->features[n++] = (struct feature){key, 1};
            sum += samples_truth(key);
        }
        s->labels[s->count] = sum > 0;
        s->first[++s->count] = n;
    }
}

#endif
