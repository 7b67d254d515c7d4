/* Which host each rank runs on, as PMI_process_mapping tells it. */
#ifndef PL_MAPPING_H
#define PL_MAPPING_H

#include <stdint.h>

enum { PL_MAPPING_BLOCKS = 256 };

struct pl_mapping {
    int count;
    int64_t ranks; /* that one pass over the blocks places */
    struct {
        int first, hosts, per_host;
    } blocks[PL_MAPPING_BLOCKS];
};

/* Parses "(vector,(first,hosts,per_host),...)". PL_EPROTOCOL, with *mapping
 * untouched, if it is not of that form, has a number out of range, or more
 * blocks than fit. */
int pl_mapping_parse(struct pl_mapping *mapping, const char *text);

/* The host index (0..) of a rank (>= 0). */
int pl_mapping_host(const struct pl_mapping *mapping, int rank);

#endif
