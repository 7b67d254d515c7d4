/* A cycle is followed along single arrows only: a rank that waits for several, or for any, may be freed by
 * another, so a cycle that is named is one out of which nobody comes. From each rank at most n steps are
 * taken; n^2 in the worst case, which for a report of a hang is little (a marking walk would be linear, and a
 * page longer).
 */
#include "waits.h"

#include <stdio.h>

static int next(const int *waits, int n, int at)
{
    return at >= 0 && at < n && waits[at] < n ? waits[at] : -1;
}

static void write_cycle(const int *waits, int start, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%d", start);
    int at = start;
    do {
        at = waits[at];
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, " -> %d", at);
    } while (at != start);
}

bool pl_waits_cycle(const int *waits, int n, char *text, size_t size)
{
    for (int start = 0; start < n; start++) {
        int at = next(waits, n, start);
        for (int steps = 0; at >= 0 && at != start && steps < n; steps++)
            at = next(waits, n, at);
        if (at != start)
            continue;
        write_cycle(waits, start, text, size);
        return true;
    }
    return false;
}

int pl_waits_end(const int *waits, int n, int start)
{
    int at = start;
    for (int steps = 0; steps < n && next(waits, n, at) >= 0; steps++)
        at = next(waits, n, at);
    return at;
}
