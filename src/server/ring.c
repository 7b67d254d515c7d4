/* Consistent hashing (D. Karger et al., 1997) with virtual nodes and bounded loads (V. Mirrokni et al.,
 * 2018).
 *
 * A key's hash says which part of the tables it is in, for good: the parts are equal arcs of the ring. A part
 * is what moves, is copied and is counted for exactly-once; which server has it changes.
 *
 *              A2                       each server has POINTS points on the ring; a part belongs to
 *         .----o----.                   the next point clockwise whose server is not full:
 *     B1 o           o C1               no server owns more than 1/8 over its share
 *        |   parts   |
 *        |  :  :  :  |                  part p: next point is C1's, so C owns it, and its chain is
 *     C2 o           o A1               C, then the servers after C in their own order:
 *         '----o----'                   C -> A -> B; all that C owns goes down one chain, so that a
 *              B2                       message to C is one message to A
 *
 * A server that comes takes points between the others' and so a share from each; one that goes leaves its
 * share to all. Without the bound 64 points leave a server 1/8 above its share on average, and one of 64
 * servers half above it.
 */
#include "ring.h"

#include <stdlib.h>

enum { POINTS = 64, PARTS_EACH = 32, PARTS_LEAST = 64 };

struct point {
    uint64_t hash;
    int server;
};

int pl_ps_parts(int servers)
{
    int parts = PARTS_LEAST;
    while (parts < PARTS_EACH * servers && parts < PL_PS_PARTS_MAX)
        parts *= 2;
    return parts;
}

static int by_hash(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash) : x->server - y->server;
}

static int place_points(struct point *points, const bool *serving, int servers)
{
    int n = 0;
    for (int s = 0; s < servers; s++)
        for (int i = 0; serving[s] && i < POINTS; i++)
            points[n++] = (struct point){pl_ps_mix(pl_ps_mix((uint64_t)s + 1) ^ ((uint64_t)i << 32)), s};
    qsort(points, (size_t)n, sizeof *points, by_hash);
    return n;
}

static int first_at(const struct point *points, int n, uint64_t hash)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (points[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void follow(uint8_t *chain, int owner, const bool *serving, int servers, int copies)
{
    for (int i = 0, s = owner; i < copies; s = (s + 1) % servers)
        if (serving[s])
            chain[i++] = (uint8_t)s;
}

bool pl_ps_ring(int parts, const bool *serving, int servers, int copies,
                uint8_t (*chains)[PL_PS_REPLICAS_MAX])
{
    struct point *ring = malloc((size_t)servers * POINTS * sizeof *ring);
    if (!ring)
        return false;
    int load[PL_PS_SERVERS_MAX] = {0}, live = 0;
    for (int s = 0; s < servers; s++)
        live += serving[s];
    int n = place_points(ring, serving, servers);
    int most = (parts * 9 + live * 8 - 1) / (live * 8);
    for (int p = 0; p < parts; p++) {
        int at = first_at(ring, n, (uint64_t)p * (UINT64_MAX / (uint64_t)parts));
        while (load[ring[at % n].server] >= most)
            at++;
        load[ring[at % n].server]++;
        follow(chains[p], ring[at % n].server, serving, servers, copies);
    }
    free(ring);
    return true;
}
