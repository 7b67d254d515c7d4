/* People's scripts carry options that tune another library, print what its launcher
 * did, or say in its words what is so here anyway. Refusing them would make a script
 * fail for something it does not need; so they are taken, with as many words as they have
 * there, and mpiexec says in one line which had no effect.
 *
 * What a job's result depends on is not here (-configfile, --app: other programs would
 * run): it stays an error. Nor is what Peal does under another name; that is in options.c.
 *
 * Sources: the manuals of mpiexec.hydra 4, Intel MPI 2021, mpirun of Open MPI 4 and 5.
 */
#include "foreign.h"

#include <string.h>

static const char *const none[] = {
    /* Hydra */
    "demux-poll", "disable-hostname-propagation", "enable-x", "disable-x", "envnone", "genvnone", "info",
    "order-nodes", "ordered-output", "print-all-exitcodes", "print-rank-map", "skip-launch-node", "v",
    "verbose",
    /* Open MPI */
    "bycore", "byhwthread", "byl3cache", "bynuma", "bysocket", "d", "debug-daemons", "debug-daemons-file",
    "debug-devel", "disable-recovery", "display-allocation", "display-devel-allocation", "display-devel-map",
    "display-map", "display-topo", "do-not-resolve", "dvm", "enable-instant-on-support", "forward-signals",
    "get-stack-traces", "hetero-nodes", "index-argv-by-rank", "leave-session-attached",
    "merge-stderr-to-stdout", "nolocal", "nooversubscribe", "noprefix", "novm", "parsable", "parseable", "q",
    "quiet", "report-bindings", "report-child-jobs-separately", "report-state-on-timeout", "set-sid",
    "show-progress", "stop-in-init", "stop-on-exec", "stream-buffering", "timestamp-output", "tv",
    "use-hwthread-cpus", "use-regexp", "xml", NULL};

static const char *const one[] = {
    /* Hydra and Intel MPI */
    "binding", "ckpoint-interval", "ckpoint-num", "ckpoint-prefix", "ckpointlib", "demux", "envlist",
    "genvlist", "gpus-per-proc", "localhost", "membind", "nameserver", "pmi-port", "prepend-pattern",
    "profile", "rmk", "topolib", "usize",
    /* Open MPI */
    "am", "bind-to-policy", "cpu-list", "cpu-set", "cpus-per-proc", "cpus-per-rank", "display", "gpu-support",
    "launch-agent", "max-restarts", "max-vm-size", "memory-limits", "npersocket", "output-filename", "path",
    "personality", "prefix", "rank-by", "rankfile", "report-events", "report-pid", "report-uri", "rf",
    "slot-list", "stdin", "tmpdir", "tune", "with-ft", "xterm", NULL};

static const char *const two[] = {"gpmixmca", "gprtemca", "pmixmca", "prtemca", NULL};

static int is_in(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

int pl_foreign_words(const char *name)
{
    return is_in(none, name) ? 0 : is_in(one, name) ? 1 : is_in(two, name) ? 2 : -1;
}
