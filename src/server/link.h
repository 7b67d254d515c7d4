/* Links: frames between members, in order for each pair. */
#ifndef PL_PS_LINK_H
#define PL_PS_LINK_H

#include "cache.h"
#include "frame.h"
#include "mpi.h"

#include <stdbool.h>
#include <stdint.h>

struct peal_ps;

enum { PL_PS_SLOTS = 2 };

/* What may come from one peer: receives that wait, matched in the order of `next`. */
struct pl_ps_link {
    int rank;
    MPI_Comm comm; /* that the two share, and the rank's number in it */
    int peer;
    bool open, dead;
    uint8_t
        life; /* the how-manieth process with this rank it leads to, or led: 0, and more for replacements */
    bool stalled; /* the oldest frame has come, and must wait for a newer view */
    int next;
    size_t length;                /* of the stalled frame */
    struct pl_ps_cache *in, *out; /* of lists of keys; NULL: none yet */
    struct pl_ps_frame *frames[PL_PS_SLOTS];
    MPI_Request requests[PL_PS_SLOTS]; /* all but the oldest's, which is in `oldest` */
};

struct pl_ps_links {
    int count;
    struct pl_ps_link *link; /* [count], by rank */
    int *listening;          /* [open]: ranks */
    MPI_Request *oldest;     /* [open]: of each link in `listening`, the receive whose turn it is */
    int open;
    int *indices; /* room for MPI_Testsome */
    MPI_Status *statuses;

    MPI_Request *sending; /* [outgoing] */
    struct pl_ps_frame **sent;
    int *to, *gone; /* ranks; room for MPI_Testsome */
    int outgoing, room;
};

/* Starts to listen to those members that may send to this one. 0 or an MPI error class. */
int pl_ps_links_open(struct peal_ps *ps);
/* A replacement of the rank, which had died, the `life`-th: a link over `comm`, of which it is rank `peer` on
 * the other side. Takes the communicator over. */
int pl_ps_link_renew(struct peal_ps *ps, int rank, MPI_Comm comm, int peer, uint8_t life);
/* Ends what is under way; then the memory. */
void pl_ps_links_close(struct peal_ps *ps);
void pl_ps_links_free(struct peal_ps *ps);

/* Sends a frame, of which it takes its own reference. To a dead peer: nothing happens. */
void pl_ps_send(struct peal_ps *ps, int rank, struct pl_ps_frame *frame);
/* Frames on their way to the rank that have not left yet. */
int pl_ps_sending_to(const struct peal_ps *ps, int rank);

/* Takes what has come and lets go of what has left. Returns whether there was anything. */
bool pl_ps_links_pump(struct peal_ps *ps);
/* Tries stalled frames again. */
bool pl_ps_links_retry(struct peal_ps *ps);

#endif
