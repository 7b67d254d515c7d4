/* The job: its ranks, and in what order it ends. */
#ifndef PL_JOB_H
#define PL_JOB_H

#include "branches.h"
#include "guard.h"
#include "input.h"
#include "layout.h"
#include "loop.h"
#include "options.h"
#include "output.h"
#include "pmi_server.h"
#include "roll_wire.h"
#include "terminal.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The exit code of a rank for which the death of another was fatal: MPIX_ERR_PROC_FAILED. */
enum { PL_CONSEQUENCE = 101 };

/* RUNNING -> ENDING (asked to end) -> KILLED: what a failure does.
 * RUNNING -> SIGNALLED (a signal was passed on, the ranks decide) -> KILLED. */
enum pl_phase { PL_RUNNING, PL_SIGNALLED, PL_ENDING, PL_KILLED };

struct pl_member {
    pid_t pid; /* 0: not started; on its own host */
    bool alive;
    bool group;         /* its process group, on this host, still has members */
    int status;         /* as waitpid says, once it is not alive */
    int verdict;        /* deaths.c's */
    bool dead;          /* it did not end in order */
    bool late;          /* it ended after the job was told to */
    bool here;          /* a replacement: on this host, wherever the rank was */
    int replaced;       /* how often */
    int64_t replace_at; /* 0: not now */
};

/* A further mpiexec that a rank asked for (MPI_Comm_spawn). The job lasts as long as it does. */
struct pl_subjob {
    pid_t pid;
    bool alive;
};

struct pl_job {
    const struct pl_options *options;
    const struct pl_layout *layout;
    struct pl_loop loop;
    struct pl_branches branches; /* to the other hosts that have ranks */
    struct pl_guard guard;       /* of the ranks here */
    struct pl_input input;       /* to rank 0, if it is on one of them */
    struct pl_output output;
    struct pl_pmi_server pmi;
    struct pl_terminal terminal;
    struct pl_watch signals;
    sigset_t inherited_mask;
    struct rlimit inherited_files;
    char host[64];

    struct pl_roll *roll;
    int roll_fd;
    int64_t started_at;
    int outlived;       /* deaths that the job went on after (--continue) ... */
    int first_code;     /* ... and the code of the first */
    int64_t explain_at; /* when to look whether somebody hangs */
    int explained;      /* how often it was told of this hang */
    int replacing;      /* dead ranks that are about to be replaced ... */
    int64_t replace_at; /* ... the first of them then; 0: none */
    struct pl_member *members;
    int *ended; /* [nended] the ranks whose end was just heard of */
    int nended;
    int alive; /* ranks, subjobs and agents */
    struct pl_subjob *subjobs;
    int nsubjobs;
    enum pl_phase phase;
    bool failed;
    int code;           /* what mpiexec exits with */
    int told;           /* lines about deaths so far */
    bool begun;         /* the ranks were started */
    bool released;      /* the agents were told to end */
    int64_t act_at;     /* when to use more force, 0: never */
    int asked;          /* the signal that was passed on to the ranks for them to end */
    int64_t overdue_at; /* when they have not done so, 0: never */
    int suspect; /* the first rank that gave up because another one died, if that is not known to have died */
    int64_t suspect_at; /* when nobody else is to blame; 0: there is none */
    int64_t timeout_at;
    int64_t look_at; /* when to look after the agents, 0: never */
    int64_t over_at; /* when the last rank ended, 0: not yet */
    bool impatient;  /* the user asked twice: output that nobody takes is dropped */
    bool given_up;   /* it was */
    bool swept;      /* what the ranks left behind was killed */
};

/* Begins: starts the ranks if all are on this host, else reaches for the others first and starts them when
 * all have answered. On failure the text says why, and job->code is the exit code. 0, or an error. (begin.c)
 */
int pl_job_begin(struct pl_job *job);
/* Starts all ranks, those of other hosts too. The same. */
int pl_job_start(struct pl_job *job);
/* The name of the host where a rank runs. */
const char *pl_job_host_of(const struct pl_job *job, int rank);

/* Reaches the other hosts. 0 or an error. (remote.c) */
int pl_job_reach(struct pl_job *job);
/* The job is over on all hosts: the agents shall end. Nothing happens the second time. */
void pl_job_release(struct pl_job *job);
/* A rank of another host takes what was asked for it. */
void pl_job_send(void *job, enum pl_frame kind, int rank, const char *bytes, size_t length);

/* Starts another mpiexec with these arguments, on our standard outputs. 0 or an error. (subjob.c) */
int pl_job_spawn(void *job, char *const *words, int count);
/* A process has ended that is no rank. Whether it was a subjob; its failure is the job's. (subjob.c) */
bool pl_job_subjob_ended(struct pl_job *job, pid_t pid, int status);

/* Signal handling through the loop: blocks the signals and watches for them;
 * must precede the first rank. 0 or PL_ESYSTEM. (signals.c) */
int pl_job_watch_signals(struct pl_job *job);
/* The ranks have not ended in time after a signal: says so. */
void pl_job_overdue(struct pl_job *job);

/* Collects what has died, tells of it, and decides what follows. (deaths.c) */
void pl_job_reap(struct pl_job *job);
/* A rank gives up because another one died, which may be heard of a moment later: that is the cause then, and
 * gives the job its code. */
void pl_job_suspect(struct pl_job *job, int rank);
/* Nobody else has died in time. */
void pl_job_take_suspect(struct pl_job *job);

/* The roll: made before the first rank is started. 0 or an error. A rank's end goes into it, and into those
 * of the agents. The table of who died how, if anybody did. (roll.c) */
int pl_job_roll_init(struct pl_job *job);
void pl_job_roll_finish(struct pl_job *job);
void pl_job_roll_ended(struct pl_job *job, int rank, int status, bool dead);
void pl_job_table(const struct pl_job *job);

/* Says who waits for whom: now; and by itself, when somebody has waited as long as --explain-after says.
 * (explain.c) */
void pl_job_explain(struct pl_job *job);
void pl_job_explain_hang(struct pl_job *job, int64_t now);

/* --respawn: a dead rank is replaced in a moment; starts those whose moment has come. (replace.c) */
void pl_job_replace_later(struct pl_job *job, int rank);
void pl_job_replace(struct pl_job *job, int64_t now);

/* Sends a signal to every process group that has members. */
void pl_job_signal(struct pl_job *job, int number);

/* Prints "mpiexec: ..." on standard error, one line. */
void pl_job_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What could not be begun ends the job: says why, and kills. */
void pl_job_give_up(struct pl_job *job);

/* The first failure decides the exit code; the ranks are asked to end. */
void pl_job_fail(struct pl_job *job, int code);

/* Kills at once. */
void pl_job_kill(struct pl_job *job);

/* Runs the job of the options from start to end; returns mpiexec's exit code. */
int pl_job_run(const struct pl_options *options, const struct pl_layout *layout);

#endif
