/* A block (first, hosts, per_host) places per_host ranks on each of the hosts
 * first, first+1, ...; the vector of blocks is gone over again until every rank
 * has its place.
 *
 *     (vector,(0,2,3))            rank 0 1 2 3 4 5     block
 *                                 host 0 0 0 1 1 1
 *     (vector,(0,2,1))            host 0 1 0 1 0 1     cyclic
 *     (vector,(0,1,2),(1,2,1))    host 0 0 1 2 0 0     mixed
 *
 * The host of a rank is computed when asked for, in the number of blocks: a
 * table for every rank would cost memory at 100,000 ranks and be asked for few.
 */
#include "mapping.h"

#include "errors.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 1 << 24 };

static bool take(const char **at, const char *word)
{
    while (**at == ' ')
        ++*at;
    size_t length = strlen(word);
    if (strncmp(*at, word, length))
        return false;
    *at += length;
    return true;
}

static bool take_number(const char **at, int least, int *number)
{
    while (**at == ' ')
        ++*at;
    if (**at < '0' || **at > '9')
        return false;
    char *end;
    errno = 0;
    long n = strtol(*at, &end, 10);
    if (errno || n < least || n > NUMBER_MAX)
        return false;
    *at = end;
    *number = (int)n;
    return true;
}

static bool take_block(const char **at, struct pl_mapping *map)
{
    if (map->count == PL_MAPPING_BLOCKS)
        return false;
    int first, hosts, per_host;
    bool whole = take(at, ",") && take(at, "(") && take_number(at, 0, &first) && take(at, ",") &&
                 take_number(at, 1, &hosts) && take(at, ",") && take_number(at, 1, &per_host) &&
                 take(at, ")");
    if (!whole)
        return false;
    map->blocks[map->count].first = first;
    map->blocks[map->count].hosts = hosts;
    map->blocks[map->count++].per_host = per_host;
    map->ranks += (int64_t)hosts * per_host;
    return true;
}

int pl_mapping_parse(struct pl_mapping *mapping, const char *text)
{
    struct pl_mapping map = {0};
    const char *at = text;
    bool whole = take(&at, "(") && take(&at, "vector");
    while (whole && !take(&at, ")"))
        whole = take_block(&at, &map);
    if (!whole || !map.count || *at)
        return pl_fail(PL_EPROTOCOL, "PMI_process_mapping '%.80s' is not understood near character %d", text,
                       (int)(at - text));
    *mapping = map;
    return 0;
}

int pl_mapping_host(const struct pl_mapping *mapping, int rank)
{
    int64_t left = rank % mapping->ranks;
    for (int i = 0; i < mapping->count; i++) {
        int64_t here = (int64_t)mapping->blocks[i].hosts * mapping->blocks[i].per_host;
        if (left < here)
            return mapping->blocks[i].first + (int)(left / mapping->blocks[i].per_host);
        left -= here;
    }
    return 0;
}
