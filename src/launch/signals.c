/* Signals come through a descriptor, between two other events, never in the
 * middle of one.
 *
 * SIGINT, SIGTERM and SIGHUP are passed on to the ranks, which may save what they
 * have and end as they like; a second one kills, and so does having taken three times PEAL_TIMEOUT. SIGUSR2
 * and SIGWINCH are passed on and mean nothing to mpiexec; SIGUSR1 has it say who waits for whom. SIGTSTP
 * stops the ranks, then mpiexec itself; SIGCONT lets both go on. One that mpiexec was started to ignore
 * (nohup) stays ignored, here and in the ranks.
 */
#include "job.h"

#include "clock.h"
#include "errors.h"

#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { AGES = 3 }; /* times PEAL_TIMEOUT */

static const int watched[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

void pl_job_overdue(struct pl_job *job)
{
    pl_job_say("the ranks have not ended %g seconds after signal %d: killing them",
               AGES * job->options->patience, job->asked);
    job->code = job->code ? job->code : 128 + job->asked;
}

static void ask_to_end(struct pl_job *job, int number)
{
    if (job->over_at || job->phase != PL_RUNNING)
        job->impatient = true;
    if (job->phase != PL_RUNNING) {
        if (job->phase == PL_SIGNALLED)
            pl_job_say("second signal: killing the ranks");
        pl_job_kill(job);
        job->code = job->code ? job->code : 128 + number;
        return;
    }
    pl_job_say("signal %d (%s) passed on to the ranks; a second one kills them, and so do %g seconds", number,
               strsignal(number), AGES * job->options->patience);
    job->phase = PL_SIGNALLED;
    job->asked = number;
    job->overdue_at = pl_now() + (int64_t)(AGES * job->options->patience * 1e9);
    pl_job_signal(job, number);
    pl_job_signal(job, SIGCONT);
}

static void handle(struct pl_job *job, int number)
{
    switch (number) {
    case SIGCHLD:
        pl_job_reap(job);
        break;
    case SIGTSTP:
        pl_job_signal(job, SIGTSTP);
        raise(SIGSTOP);
        break;
    case SIGCONT:
        pl_job_signal(job, SIGCONT);
        pl_terminal_continue(&job->terminal);
        pl_input_continue(&job->input);
        break;
    case SIGUSR1:
        pl_job_explain(job);
        break;
    case SIGUSR2:
    case SIGWINCH:
        pl_job_signal(job, number);
        break;
    default:
        ask_to_end(job, number);
    }
}

static void ready(struct pl_watch *watch, uint32_t events)
{
    struct pl_job *job = (struct pl_job *)((char *)watch - offsetof(struct pl_job, signals));
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
        handle(job, (int)info.ssi_signo);
}

int pl_job_watch_signals(struct pl_job *job)
{
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        struct sigaction now;
        sigaction(watched[i], NULL, &now);
        if (watched[i] == SIGCHLD)
            signal(SIGCHLD, SIG_DFL);
        if (watched[i] == SIGCHLD || now.sa_handler != SIG_IGN)
            sigaddset(&mask, watched[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &mask, &job->inherited_mask))
        return pl_fail_errno("sigprocmask");
    job->signals = (struct pl_watch){.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK), .ready = ready};
    if (job->signals.fd < 0)
        return pl_fail_errno("signalfd");
    return pl_loop_want(&job->loop, &job->signals, EPOLLIN);
}
