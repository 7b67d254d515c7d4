/* A test double of src/p2p: N ranks in one thread, messages in an array, completed in an order drawn
 * from a seed. A call of pl_progress by any rank moves the messages of all. */
#ifndef PL_FAKE_P2P_H
#define PL_FAKE_P2P_H

#include "comm.h"
#include "rank.h"

enum { FAKE_RANKS = 64, FAKE_MESSAGES = 20000 };

struct fake_world {
    int size;
    struct pl_rank rank[FAKE_RANKS];
    struct pl_comm *comm[FAKE_RANKS];
    struct pl_request *send[FAKE_MESSAGES], *recv[FAKE_MESSAGES];
    int sends, recvs;
    bool eager;  /* some sends complete before they are matched; else none does */
    int fail_at; /* the how-manieth match from now on fails on both sides; 0: none */
    int cancelled, starts;
    uint64_t random;
};

struct fake_world *fake_world_create(int size, uint64_t seed, bool eager);
void fake_world_destroy(struct fake_world *world);

#endif
