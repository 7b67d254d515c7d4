/* The manager: one of the servers, which makes the views. */
#ifndef PL_PS_MANAGER_H
#define PL_PS_MANAGER_H

#include "ps.h"

struct pl_ps_manager {
    bool changed;                    /* somebody died, left or came: a new view is due */
    bool gone[PL_PS_SERVERS_MAX];    /* servers that died */
    bool *quit;                      /* [workers]: died or finished */
    bool leaving[PL_PS_SERVERS_MAX]; /* asked to */
    bool coming[PL_PS_SERVERS_MAX];  /* spares that asked to join */
    bool joined[PL_PS_SERVERS_MAX];  /* have all that the view gives them */
    bool arrived[PL_PS_SERVERS_MAX]; /* replacements that all have links to */
    int admitting;                   /* the server whose replacement is being met; -1: none */
    uint8_t *listed;                 /* [size]: whom it was told to wait for */
    uint32_t *barrier, *told;        /* [workers]: who is at which barrier; which it was told has ended */
    uint32_t *verdict;               /* [workers]: what each brought to it; all learn the largest */
    bool taking_over;
    bool *asked;               /* [size]: whose answer is awaited */
    struct pl_ps_view *latest; /* of the answers; NULL: this member's own */
};

int pl_ps_manager_create(struct peal_ps *ps);
void pl_ps_manager_destroy(struct peal_ps *ps);
/* JOINED, BARRIER, BYE, LEAVE, JOIN, ANSWER. */
void pl_ps_manager_frame(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);
/* QUERY, at anybody: PL_PS_STALL until this member has heard that those are dead who were before the lives in
 * it, as far as it has met them. */
int pl_ps_manager_query(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);
bool pl_ps_manager_step(struct peal_ps *ps);
/* The server `server`, or the worker, has died. */
void pl_ps_manager_server_lost(struct peal_ps *ps, int server);
void pl_ps_manager_worker_lost(struct peal_ps *ps, int worker);
/* This member has a link to a replacement. */
void pl_ps_manager_server_back(struct peal_ps *ps, int server);
/* Whether a member of that rank still takes part, as far as is known here. */
bool pl_ps_manager_counts(const struct peal_ps *ps, int rank);

#endif
