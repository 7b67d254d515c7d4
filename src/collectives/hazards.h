/* The builder's scoreboard; for schedule.c alone. */
#ifndef PL_HAZARDS_H
#define PL_HAZARDS_H

#include "schedule.h"

/* Notes that `step` reads or writes the slice (aliases resolved) and makes the edges that follow. */
void pl_hazards_read(struct pl_builder *b, uint32_t step, struct pl_slice slice);
void pl_hazards_write(struct pl_builder *b, uint32_t step, struct pl_slice slice);
/* `to` waits for `from`; once however often it is said. */
void pl_hazards_edge(struct pl_builder *b, uint32_t from, uint32_t to);
void pl_hazards_finish(struct pl_builder *b);
/* Room for `count` elements of `size` bytes at *array; false, with the builder's error set: no memory. */
bool pl_hazards_room(struct pl_builder *b, void *array, size_t *capacity, size_t count, size_t size);

#endif
