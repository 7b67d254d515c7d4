/* The meeting of ranks at rank 0: connections that only those two can read. */
#ifndef PL_MEET_H
#define PL_MEET_H

#include "launcher.h"

#include <stddef.h>
#include <stdint.h>

enum { PL_MEET_HOST = 16 };

/* One connection between rank 0 and another. */
struct pl_meet_link {
    int fd; /* -1: none */
    unsigned char receive_key[32], send_key[32];
    uint64_t received, sent;          /* frames */
    unsigned char host[PL_MEET_HOST]; /* at rank 0: who shares memory with the other has the same */
};

/* Rank 0: waits until all others have come; links[1 .. size-1]. `until` as pl_now. 0; PL_ETIMEOUT names those
 * who are missing; PL_ESYSTEM; on failure all are closed. */
int pl_meet_wait(struct pl_meet_link *links, const struct pl_meeting_place *place, int64_t until);
/* Another rank: dials rank 0 until it answers. 0; PL_ETIMEOUT, PL_EARG (refused), ... */
int pl_meet_dial(struct pl_meet_link *link, const struct pl_meeting_place *place, int64_t until);
/* What is the same for two ranks that can share memory. */
void pl_meet_own_host(unsigned char host[PL_MEET_HOST]);

/* One frame. Receiving allocates *bytes, with a NUL behind them. 0; PL_EPEER: the other is gone;
 * PL_EPROTOCOL: it cannot be read; PL_ETIMEOUT; PL_ENOMEM. */
int pl_meet_send(struct pl_meet_link *link, const void *bytes, size_t length, int64_t until);
int pl_meet_receive(struct pl_meet_link *link, char **bytes, size_t *length, int64_t until);
void pl_meet_close(struct pl_meet_link *link);

/* Reads or writes exactly so many bytes of a non-blocking descriptor. 0, PL_EPEER, PL_ETIMEOUT. */
int pl_meet_read(int fd, void *bytes, size_t length, int64_t until);
int pl_meet_write(int fd, const void *bytes, size_t length, int64_t until);

/* The k-th port at which the job may meet, k = 0, 1, ...; 0: no more. */
int pl_meet_port(const struct pl_meeting_place *place, int k);

#endif
