/* The agents that mpiexec, or an agent, reaches by ssh, each with its part of the hosts. */
#ifndef PL_BRANCHES_H
#define PL_BRANCHES_H

#include "channel.h"
#include "description.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

enum pl_branch_state {
    PL_BRANCH_TRYING, /* ssh runs, or will be tried again: no agent has answered yet */
    PL_BRANCH_TOLD,   /* the agent knows its part */
    PL_BRANCH_READY,  /* all hosts of its part can start */
    PL_BRANCH_GONE,
};

struct pl_branches;

struct pl_branch {
    struct pl_branches *all;
    struct pl_part part;
    const char *host; /* where its agent runs */
    enum pl_branch_state state;
    struct pl_channel channel;
    struct pl_watch errors; /* ssh's standard error */
    char said[400];         /* its last line */
    char line[400];         /* one that is not finished yet */
    size_t fill;
    pid_t pid;        /* ssh, 0: none */
    int status;       /* what it ended with */
    bool closed;      /* the other side has closed the channel */
    int64_t deadline; /* until when it must have answered */
    int64_t end_by;   /* until when it must have ended, 0: no matter */
    int64_t retry_at; /* 0: not now */
    bool ending;      /* its end is no loss */
};

/* What branches tell their owner. */
struct pl_branches_calls {
    void *owner;
    /* A frame that is for the owner. */
    void (*frame)(void *owner, struct pl_branch *branch, enum pl_frame kind, int rank, const char *bytes,
                  size_t length);
    void (*ready)(void *owner); /* every branch is READY */
    /* The part of the job that this branch had cannot be reached (`before`), or is lost. Once a branch. */
    void (*lost)(void *owner, struct pl_branch *branch, bool before, const char *why);
    void (*gone)(void *owner, struct pl_branch *branch); /* it has ended, lost or not. Once a branch, last. */
    void (*batch)(void *owner); /* all frames that have come are told. May be NULL. */
};

struct pl_branches {
    struct pl_loop *loop;
    struct pl_branches_calls calls;
    struct pl_branch *list;
    int count, alive, ready;
    const char *ssh; /* the user's command for it; NULL: ssh with options of ours */
    double patience; /* seconds until a silent host is given up */
    char *program;   /* the path of this executable, the same on each host */
    char *job;       /* as pl_description_pack made it */
    size_t job_length;
    sigset_t signals; /* for ssh */
    struct rlimit files;
    int64_t turned_at;
    bool rest; /* nothing is read from them for now */
};

/* Divides `part` among at most options->fan_out branches and starts an ssh for each. Takes over `job`
 * (allocated). 0; PL_ESYSTEM, PL_ENOMEM: nothing runs. */
int pl_branches_start(struct pl_branches *branches, struct pl_loop *loop, const struct pl_options *options,
                      const struct pl_layout *layout, struct pl_part part, char *job, size_t job_length,
                      const struct pl_branches_calls *calls);
/* Kills what is left, and frees. */
void pl_branches_finish(struct pl_branches *branches);

/* To all, or to the branch that has this host (its position). */
void pl_branches_send(struct pl_branches *branches, enum pl_frame kind, int rank, const char *bytes,
                      size_t length);
void pl_branches_send_to(struct pl_branches *branches, int position, enum pl_frame kind, int rank,
                         const char *bytes, size_t length);

/* Asks all to end in order; kills those that take longer than a few seconds. */
void pl_branches_end(struct pl_branches *branches);
/* Gives up those that have not answered yet. */
void pl_branches_give_up(struct pl_branches *branches);

/* Does what is due and returns when to be called again; 0: there is nothing. */
int64_t pl_branches_turn(struct pl_branches *branches, int64_t now);
/* Whether this process, which has ended, was one of ours. */
bool pl_branches_ended(struct pl_branches *branches, pid_t pid, int status);
/* Whether what waits to be sent to any is so much that no more should be read for it. */
bool pl_branches_busy(const struct pl_branches *branches);
/* Reads nothing from them for now, or again: there is no room for it above. */
void pl_branches_rest(struct pl_branches *branches, bool rest);

#endif
