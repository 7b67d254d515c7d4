/* What a rank of a process knows from its launcher about the others' lives, and tells it. */
#ifndef PL_WATCH_H
#define PL_WATCH_H

#include "rank.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_roll;

struct pl_watch_roll {
    struct pl_roll *roll; /* NULL: the launcher keeps none */
    uint32_t news;        /* deaths taken notice of */
    int64_t since, beat;  /* of the wait that was told last, ns */
    int silent;           /* the host + 1 of which the launcher knew nothing when it was asked last */
};

/* Finds the roll, if the launcher keeps one; of a rank that knows its number and the world's size. */
void pl_watch_open(struct pl_watch_roll *watch, int size);
void pl_watch_close(struct pl_watch_roll *watch);

/* Takes notice of deaths (pl_peer_lost). */
void pl_watch_look(struct pl_watch_roll *watch, struct pl_rank *rank);
/* Writes down what this rank waits for, and that it still does. */
void pl_watch_report(struct pl_watch_roll *watch, struct pl_rank *rank);
/* How a rank died, if it did; gives the launcher a moment to hear of it. */
bool pl_watch_obituary(struct pl_watch_roll *watch, struct pl_rank *rank, int peer, char *text, size_t size);

#endif
