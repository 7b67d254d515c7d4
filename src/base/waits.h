/* Who waits for whom, as a graph of single arrows: for reports of hangs. */
#ifndef PL_WAITS_H
#define PL_WAITS_H

#include <stdbool.h>
#include <stddef.h>

/* waits[r]: the one that r waits for; -1: none, or several, any of which would do. */

/* Writes a cycle as "0 -> 3 -> 0" and returns true when there is one. */
bool pl_waits_cycle(const int *waits, int n, char *text, size_t size);

/* Who keeps `start` waiting in the end: the end of its chain, which is `start` itself when it waits for none.
 * In a cycle: one of it. */
int pl_waits_end(const int *waits, int n, int start);

#endif
