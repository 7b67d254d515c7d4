/* Data with gaps on its way through a collective, which moves plain bytes: packed before, unpacked after.
 * One side of a call is staged whole or not at all. */
#ifndef PL_STAGING_H
#define PL_STAGING_H

#include "datatype.h"

struct pl_staging;

/* An empty one, or NULL: no memory (text set). */
struct pl_staging *pl_staging_create(void);
/* Gives back memory and types. Accepts NULL. */
void pl_staging_destroy(struct pl_staging *staging);

enum pl_stage { PL_STAGE_IN, PL_STAGE_OUT, PL_STAGES };

/* Adds `length` bytes of elements that lie at `at`; the type is held. Their packed form begins at *offset of
 * that stage. 0 or PL_ENOMEM. */
int pl_staging_add(struct pl_staging *staging, enum pl_stage stage, const struct pl_datatype *type,
                   const void *at, size_t length, size_t *offset);
/* The memory of a stage to which all has been added; NULL: there is none (text set). */
void *pl_staging_memory(struct pl_staging *staging, enum pl_stage stage);
/* OUT is packed too before the call: it is in place. */
void pl_staging_in_place(struct pl_staging *staging);

/* Before each start of the call, and after each of its ends that was no error. Accept NULL. */
void pl_staging_begin(struct pl_staging *staging);
void pl_staging_end(struct pl_staging *staging);

/* Whether `count` elements are one block of plain bytes, beginning at *offset. */
bool pl_staging_unneeded(const struct pl_datatype *type, size_t count, ptrdiff_t *offset);

#endif
