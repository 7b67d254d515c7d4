/* A job in words: what an agent must know to start its part of it. */
#ifndef PL_DESCRIPTION_H
#define PL_DESCRIPTION_H

#include "layout.h"
#include "options.h"

#include <stddef.h>

/* The hosts that agents serve, all but mpiexec's own, are numbered in the layout's order; an agent
 * serves the first of its part itself and hands the rest on. */
struct pl_part {
    int first, last; /* of those hosts: [first, last) */
};

struct pl_description {
    struct pl_options options;
    struct pl_layout layout;
    struct pl_part part;
    char **environment; /* NULL-terminated */
    char *wdir;         /* where mpiexec runs */
    /* What the above leads into. */
    char *bytes;
    char **words;
};

/* The job as bytes, but for the part; allocated, *length of them. 0 or PL_ENOMEM. */
int pl_description_pack(const struct pl_options *options, const struct pl_layout *layout, char **environment,
                        char **bytes, size_t *length);
/* The part as it stands before those bytes; text[32]. Returns its length. */
size_t pl_description_part(struct pl_part part, char *text);

/* Copies and checks the bytes (part and job). 0; PL_EPROTOCOL; PL_ENOMEM. */
int pl_description_read(struct pl_description *description, const char *bytes, size_t length);
void pl_description_finish(struct pl_description *description);

#endif
