/* Who owns what: consistent hashing with virtual nodes. */
#ifndef PL_PS_RING_H
#define PL_PS_RING_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_PS_SERVERS_MAX = 250, PL_PS_PARTS_MAX = 4096, PL_PS_REPLICAS_MAX = 4 };

/* A number that any change of `x` changes altogether (D. Steele et al., splitmix64). */
static inline uint64_t pl_ps_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* How many parts the tables are cut into for so many servers: a power of two. */
int pl_ps_parts(int servers);

/* The servers that should keep each part: chains[part][0..copies-1], its owner first. serving[i] says whether
 * server i takes part; at least `copies` of them do. false: no memory. */
bool pl_ps_ring(int parts, const bool *serving, int servers, int copies,
                uint8_t (*chains)[PL_PS_REPLICAS_MAX]);

#endif
