/* Which rank runs on which host. */
#ifndef PL_LAYOUT_H
#define PL_LAYOUT_H

#include "hosts.h"
#include "options.h"

#include <stddef.h>

struct pl_layout {
    struct pl_hosts hosts; /* those that have ranks, in the order of their first */
    int *host_of;          /* [ranks]: number of the host in `hosts` */
    int *local_rank;       /* [ranks]: how many ranks before it are on its host */
    int *on_host;          /* [hosts.count]: how many ranks it has */
    int ranks;
};

/* Places the ranks of `options`; where no hosts are named, all on this one. Sets options->ranks
 * and the ranks of programs for which no number was given. 0; PL_EARG, PL_ESYSTEM, PL_ENOMEM. */
int pl_layout_make(struct pl_layout *layout, struct pl_options *options);

/* A layout with these hosts (taken over) and ranks, to be filled in and closed by pl_layout_count. */
int pl_layout_init(struct pl_layout *layout, struct pl_hosts *hosts, int ranks);
void pl_layout_count(struct pl_layout *layout);
void pl_layout_finish(struct pl_layout *layout);

/* Whether a rank runs on mpiexec's own host. */
static inline bool pl_layout_is_here(const struct pl_layout *layout, int rank)
{
    return layout->hosts.list[layout->host_of[rank]].local;
}

/* Hosts that agents serve are all but mpiexec's own, numbered by `position`. */
/* The number in the layout of the host that has number `position` among those that agents serve. */
int pl_layout_served(const struct pl_layout *layout, int position);
/* The other way round; -1: mpiexec's own host. */
int pl_layout_position(const struct pl_layout *layout, int host);
/* How many hosts agents serve. */
int pl_layout_served_count(const struct pl_layout *layout);

/* Writes the layout as PMI_process_mapping has it. PL_EARG if it takes more than `size` bytes. */
int pl_layout_mapping(const struct pl_layout *layout, char *text, size_t size);

#endif
