/* The life of a rank, and how a thread finds the rank it is.
 *
 * Two pieces of mutable state are reached from nowhere, because a thread that
 * calls MPI_Send brings no argument that says who it is: the thread's rank, and the
 * process's, for threads that never were told one. Everything else hangs off the
 * struct they point to.
 */
#include "agreement.h"
#include "bridge.h"
#include "checksum.h"
#include "loss.h"
#include "protocol.h"

#include "errors.h"
#include "log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local struct pl_rank *thread_rank;
static _Atomic(struct pl_rank *) process_rank;

struct pl_rank *pl_self(void)
{
    return thread_rank ? thread_rank : atomic_load_explicit(&process_rank, memory_order_acquire);
}

void pl_self_set_thread(struct pl_rank *rank)
{
    thread_rank = rank;
}

void pl_self_set_process(struct pl_rank *rank)
{
    atomic_store_explicit(&process_rank, rank, memory_order_release);
}

struct pl_rank *pl_self_offer_process(struct pl_rank *rank)
{
    struct pl_rank *there = NULL;
    return atomic_compare_exchange_strong(&process_rank, &there, rank) ? rank : there;
}

/* Recursive, because an operator of the program runs under it, and asks for a datatype's extent. */
static void make_recursive(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void pl_rank_lock_init(struct pl_rank *rank)
{
    if (!rank->lock_made)
        make_recursive(&rank->lock);
    rank->lock_made = true;
}

static int open_port(struct pl_rank *rank, const struct pl_transport *transport)
{
    struct pl_port_params params = {.rank = rank->rank,
                                    .size = rank->size,
                                    .local_size = rank->local_size,
                                    .crowded = !rank->spin,
                                    .config = &rank->config,
                                    .fabric = rank->fabric,
                                    .upcalls = &pl_p2p_upcalls,
                                    .context = rank};
    memcpy(params.key, rank->key, sizeof params.key);
    struct pl_port *port;
    int error = transport->open(&params, &port);
    if (error)
        return error;
    rank->ports[rank->nports++] = port;
    rank->cooperative = rank->cooperative || transport->cooperative(port);
    return 0;
}

/* verbs is used only where somebody named it: if it cannot be, one rank of each host says why. */
static bool asked_for(const struct pl_rank *rank, const char *name)
{
    return !strcmp(name, "verbs") && !rank->local_rank;
}

static const struct pl_transport *find_for_processes(const char *name)
{
    return strcmp(name, "loopback") ? pl_transport_find(name) : NULL;
}

/* Leaves out of PEAL_TRANSPORT what cannot be used; where that is all, the default stays. One rank of each
 * host tells. */
static void check_allowed(struct pl_rank *rank)
{
    char *allowed = rank->config.transports, names[sizeof rank->config.transports], *rest = names;
    enum pl_log_level level = rank->local_rank ? PL_LOG_INFO : PL_LOG_WARN;
    strcpy(names, allowed);
    allowed[0] = '\0';
    for (char *name; (name = strsep(&rest, ","));) {
        if (!find_for_processes(name))
            pl_log(level,
                   "PEAL_TRANSPORT names '%s', which is not built in or not for processes; it is left out",
                   name);
        else
            strcat(strcat(allowed, allowed[0] ? "," : ""), name);
    }
    if (allowed[0])
        return;
    strcpy(allowed, "shm,tcp");
    pl_log(level, "PEAL_TRANSPORT names none that can be used: '%s' stays", allowed);
}

static int open_allowed(struct pl_rank *rank)
{
    check_allowed(rank);
    char names[sizeof rank->config.transports];
    strcpy(names, rank->config.transports);
    char *rest = names, why[200] = "none of them is known";
    for (char *name; (name = strsep(&rest, ","));) {
        const struct pl_transport *transport = find_for_processes(name);
        if (pl_rank_needs(name, rank->local_size, rank->apart ? 2 : rank->hosts, rank->nports) &&
            rank->nports < PL_PORTS_MAX && open_port(rank, transport) < 0) {
            snprintf(why, sizeof why, "%s", pl_fail_text());
            pl_log(asked_for(rank, name) ? PL_LOG_WARN : PL_LOG_INFO, "transport %s is not used: %s", name,
                   why);
        }
    }
    if (rank->nports)
        return 0;
    return pl_fail(PL_EUNREACHABLE, "no transport to the other %d ranks could be opened (allowed: %s): %s",
                   rank->size - 1, rank->config.transports, why);
}

int pl_rank_open(struct pl_rank *rank)
{
    pl_match_init(rank);
    pl_list_init(&rank->orphans);
    pl_list_init(&rank->sums);
    rank->wary = rank->config.checksum;
    pl_list_init(&rank->bridges);
    pl_list_init(&rank->comms);
    pl_list_init(&rank->agreements);
    pl_rank_lock_init(rank);
    rank->npeers = rank->size;
    rank->peers = calloc((size_t)rank->size, sizeof *rank->peers);
    if (!rank->peers)
        return pl_fail(PL_ENOMEM, "no memory for a world of %d ranks", rank->size);
    int crowd = rank->fabric ? rank->size : rank->local_size;
    rank->spin = crowd <= pl_rank_cpus();
    if (rank->fabric)
        return open_port(rank, pl_transport_find("loopback"));
    return rank->size > 1 ? open_allowed(rank) : 0;
}

static void free_orphans(struct pl_rank *rank)
{
    pl_list_each(node, &rank->orphans)
    {
        struct pl_request *request = pl_container(node, struct pl_request, link);
        pl_list_remove(node);
        pl_request_finish(request);
        free(request->owner);
    }
}

void pl_rank_close(struct pl_rank *rank)
{
    for (struct pl_list *node; rank->bridges.next && (node = pl_list_first(&rank->bridges));)
        pl_bridge_close(pl_bridge_of(node));
    for (int i = 0; i < rank->nports; i++)
        rank->ports[i]->transport->close(rank->ports[i]);
    rank->nports = 0;
    for (int i = 0; i < rank->npeers && rank->peers; i++)
        if (rank->peers[i])
            rank->peers[i]->endpoint = NULL;
    pl_loss_finish(rank);
    free_orphans(rank);
    pl_checksum_finish(rank);
    pl_agreements_finish(rank);
    pl_match_finish(rank);
    pl_cookies_finish(&rank->cookies);
    for (int i = 0; i < rank->npeers && rank->peers; i++)
        if (rank->peers[i]) {
            free(rank->peers[i]->cause);
            free(rank->peers[i]);
        }
    free(rank->peers);
    rank->peers = NULL;
    free(rank->deaths);
    rank->deaths = NULL;
    for (int i = 0; i < rank->nbroken; i++)
        free(rank->broken[i].cause);
    free(rank->broken);
    rank->broken = NULL;
    rank->lost = rank->nbroken = 0;
    if (rank->memory)
        rank->memory->driver->close(rank->memory);
    rank->memory = NULL;
}
