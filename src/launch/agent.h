/* mpiexec's deputy on another host. */
#ifndef PL_AGENT_H
#define PL_AGENT_H

#include "branches.h"
#include "channel.h"
#include "description.h"
#include "guard.h"
#include "loop.h"
#include "roll_wire.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct pl_agent;

/* Bytes that wait until somebody takes them. */
struct pl_outbox {
    struct pl_watch watch; /* where they go; non-blocking */
    char *bytes;
    size_t head, fill;
    bool last; /* close it when they are gone */
};

/* A rank of this host. */
struct pl_agent_rank {
    struct pl_agent *agent;
    int rank;
    pid_t pid;
    bool alive;
    bool group; /* its process group still has members */
    struct pl_watch out, err;
    struct pl_outbox pmi, input; /* pmi's watch is also read from */
};

struct pl_agent {
    struct pl_loop loop;
    struct pl_channel above; /* to who reached us */
    struct pl_branches branches;
    struct pl_guard guard; /* of this host's ranks */
    struct pl_description job;
    struct pl_watch signals;
    sigset_t inherited_mask;
    struct rlimit inherited_files;
    char **environment;          /* of the ranks */
    int host;                    /* ours, in the layout */
    struct pl_agent_rank *ranks; /* [nranks], in order */
    int nranks;
    struct pl_roll *roll; /* of this host */
    int roll_fd;
    bool described, checked; /* START came; our own host can start */
    bool rest[2], busy;      /* what is not read: by word from above; because too much waits to go there */
    bool paused;             /* mpiexec is stopped and says nothing */
    bool orphaned;           /* nobody is above any more */
    int64_t ending_at;       /* when END came, 0: not yet */
};

/* Serves the mpiexec, or the agent, at the other end of descriptors 0 and 1 until its part of the job is
 * over. Returns the exit code. */
int pl_agent_run(void);

/* Starts this host's ranks; what fails is told above. (agent_ranks.c) */
void pl_agent_start(struct pl_agent *agent);
/* Whether they could be started; what fails is told above. */
bool pl_agent_check(struct pl_agent *agent);
/* The host's rank of this number, or NULL. */
struct pl_agent_rank *pl_agent_rank_find(struct pl_agent *agent, int rank);
/* Bytes for a rank's PMI connection, or for its standard input (none: the end). */
void pl_agent_pmi(struct pl_agent_rank *rank, const char *bytes, size_t length);
void pl_agent_input(struct pl_agent_rank *rank, const char *bytes, size_t length);
void pl_agent_signal(struct pl_agent *agent, int number);
/* Reads, or does not read, what the ranks write, as `rest` and `busy` say. */
void pl_agent_flow(struct pl_agent *agent);
/* A process has ended. Whether it was a rank's. */
bool pl_agent_rank_ended(struct pl_agent *agent, pid_t pid, int status);
/* Notes which process groups are gone. */
void pl_agent_look_at_groups(struct pl_agent *agent);
/* Whether an output of a rank is still open. */
bool pl_agent_outputs_open(const struct pl_agent *agent);
/* Reads what is left of them, and closes all. */
void pl_agent_finish_ranks(struct pl_agent *agent);

#endif
