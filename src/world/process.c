/* A rank that is a process.
 *
 * The launcher tells rank and size over PMI-1, and which ranks share a host. Each
 * rank leaves the business card of each of its ports in the launcher's key-value
 * space and meets the others once; a peer's card is fetched on first contact, so
 * start-up costs the same however many ranks there are. Without a launcher the
 * world has one rank, no port and no launcher to ask.
 */
#include "world.h"

#include "errors.h"
#include "launcher.h"
#include "log.h"
#include "names.h"
#include "pmi1.h"
#include "pmi1_wire.h"
#include "roll_wire.h"
#include "tcp_address.h"
#include "watch.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LAUNCHER_SEES_NS = 300 * 1000 * 1000, PART_NAP_NS = 1000 * 1000 };

extern char **environ;

struct process {
    struct pl_launcher *job;  /* who started us; NULL: a world of one */
    struct pl_pmi1 *launcher; /* the same, if it speaks PMI-1 */
    struct pl_names names;    /* without a launcher */
    struct pl_watch_roll watch;
};

static int host_of(struct pl_rank *rank, int peer)
{
    const struct process *process = rank->world_state;
    return process->job ? process->job->calls->host_of(process->job, peer) : 0;
}

static void card_key(char *key, size_t size, const char *transport, int rank)
{
    snprintf(key, size, "peal-%s-%d", transport, rank);
}

static int card_of(struct pl_rank *rank, int peer, const char *transport, void *card, size_t *length)
{
    const struct process *process = rank->world_state;
    char key[64], text[2 * PL_CARD_MAX + 1];
    card_key(key, sizeof key, transport, peer);
    int error = process->job->calls->get(process->job, key, text, sizeof text);
    if (error)
        return error;
    if (sodium_hex2bin(card, *length, text, strlen(text), NULL, length, NULL))
        return pl_fail(PL_EPROTOCOL, "the card of rank %d for %s is not one", peer, transport);
    return 0;
}

static int publish_cards(struct pl_rank *rank)
{
    const struct process *process = rank->world_state;
    for (int i = 0; i < rank->nports; i++) {
        unsigned char card[PL_CARD_MAX];
        char key[64], text[2 * PL_CARD_MAX + 1];
        size_t length = sizeof card;
        struct pl_port *port = rank->ports[i];
        int error = port->transport->address(port, card, &length);
        if (error)
            return error;
        sodium_bin2hex(text, sizeof text, card, length);
        card_key(key, sizeof key, port->transport->name, rank->rank);
        error = process->job->calls->put(process->job, key, text);
        if (error)
            return error;
    }
    return process->job->calls->barrier(process->job);
}

static void look_around(struct pl_rank *rank)
{
    rank->host = host_of(rank, rank->rank);
    for (int i = 0; i < rank->size; i++) {
        int host = host_of(rank, i);
        if (host >= rank->hosts)
            rank->hosts = host + 1;
        if (host != rank->host)
            continue;
        rank->local_rank += i < rank->rank;
        rank->local_size++;
    }
}

/* Connections are authenticated where they leave the memory of one host. */
static bool needs_key(const struct pl_rank *rank)
{
    return rank->size > 1 &&
           (rank->hosts > 1 || rank->apart || strncmp(rank->config.transports, "shm", 3) != 0);
}

/* A lost peer is the reason more often than not. The launcher learns of its death by itself, knows its signal
 * or code, and ends the job with that: it gets the time to, before this rank's code would be taken for the
 * cause. */
static void let_launcher_see(void)
{
    struct timespec time = {0, LAUNCHER_SEES_NS};
    nanosleep(&time, NULL);
}

static void abort_process(struct pl_rank *rank, int code, const char *text)
{
    const struct process *process = rank->world_state;
    pl_error("%s", text);
    fflush(NULL);
    if (process->job && rank->lost)
        let_launcher_see();
    if (process->job)
        process->job->calls->abort(process->job, code, text, rank->call && !strcmp(rank->call, "MPI_Abort"));
    _exit(code & 255 ? code & 255 : 1);
}

static void look(struct pl_rank *rank)
{
    struct process *process = rank->world_state;
    pl_watch_look(&process->watch, rank);
}

static void report(struct pl_rank *rank)
{
    struct process *process = rank->world_state;
    pl_watch_report(&process->watch, rank);
}

static bool obituary(struct pl_rank *rank, int peer, char *text, size_t size)
{
    struct process *process = rank->world_state;
    return pl_watch_obituary(&process->watch, rank, peer, text, size);
}

static void watch(struct pl_rank *rank)
{
    struct process *process = rank->world_state;
    pl_watch_open(&process->watch, rank->size);
    if (!process->watch.roll)
        return;
    rank->apart = rank->size > 1 && pl_roll_apart(process->watch.roll);
    rank->look = look;
    rank->report = report;
    rank->obituary = obituary;
}

static void identify(struct pl_rank *rank)
{
    char who[96];
    snprintf(who, sizeof who, "%d@%.60s", rank->rank, rank->hostname);
    pl_log_identity(who, rank->config.log);
}

/* A number that no other world has, but by chance: the launcher's name of the job's space, hashed with the
 * key that only this job has where it has one. Alone in the world, the process's own number and start. */
static uint64_t world_id(struct pl_rank *rank)
{
    const struct process *process = rank->world_state;
    char text[PL_PMI1_NAME_MAX + 64];
    unsigned char hash[16];
    struct timespec now = {0};
    if (!process->job)
        clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof text, "%s %ld %ld %d", process->job ? process->job->space : "", (long)now.tv_sec,
             now.tv_nsec, process->job ? 0 : (int)getpid());
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text, strlen(text), rank->key,
                       sizeof rank->key);
    uint64_t id;
    memcpy(&id, hash, sizeof id);
    return id;
}

static int meet_launcher(struct pl_rank *rank)
{
    struct process *process = rank->world_state;
    rank->size = 1;
    int error = pl_launcher_find(&process->job, &rank->config);
    if (error)
        return error;
    if (process->job) {
        process->launcher = process->job->pmi1;
        rank->rank = process->job->rank;
        rank->size = process->job->size;
        watch(rank);
    }
    identify(rank);
    if (!rank->rank)
        pl_config_complain(environ);
    look_around(rank);
    error = needs_key(rank) ? pl_launcher_key(process->job, rank->key) : 0;
    rank->world_id = world_id(rank);
    return error;
}

int pl_world_part(struct pl_rank *rank)
{
    const struct process *process = rank->fabric ? NULL : rank->world_state;
    struct timespec nap = {0, PART_NAP_NS};
    if (!process)
        return pl_inprocess_part(rank);
    if (!process->launcher || strncmp(pl_pmi1_space(process->launcher), "peal-", 5))
        return 0; /* another launcher would wait for the dead */
    bool over = false;
    int error = pl_pmi1_barrier_begin(process->launcher);
    while (!error && !over) {
        int events = pl_progress(rank);
        error = events < 0 ? events : pl_pmi1_barrier_test(process->launcher, &over);
        if (!events && !over)
            nanosleep(&nap, NULL);
    }
    return error;
}

void pl_world_job(struct pl_rank *rank, int *appnum, int *universe_size)
{
    const struct process *process = rank->fabric ? NULL : rank->world_state;
    *appnum = *universe_size = -1;
    if (!process || !process->launcher)
        return;
    if (pl_pmi1_appnum(process->launcher, appnum))
        *appnum = -1;
    if (pl_pmi1_universe_size(process->launcher, universe_size))
        *universe_size = -1;
}

/* The launcher that keeps the rank's names, or NULL; then *names is who does. */
static struct pl_pmi1 *keeper(struct pl_rank *rank, struct pl_names **names)
{
    struct process *process = rank->fabric ? NULL : rank->world_state;
    *names = process ? &process->names : pl_inprocess_names(rank);
    return process ? process->launcher : NULL;
}

/* Several processes, and a launcher that keeps no names: a list of this process's own would help nobody. */
static int nameless(const struct pl_rank *rank)
{
    const struct process *process = rank->fabric ? NULL : rank->world_state;
    if (!process || !process->job || process->launcher)
        return 0;
    return pl_fail(PL_EUNSUPPORTED,
                   "names are published under mpiexec, Hydra and srun --mpi=pmi2; this job was "
                   "started otherwise");
}

/* Services and ports may be any text; the launcher takes words. A service becomes its hash. */
static void service_word(char *word, size_t size, const char *service)
{
    unsigned char hash[32];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)service, strlen(service), NULL, 0);
    sodium_bin2hex(word, size, hash, sizeof hash);
}

int pl_world_publish(struct pl_rank *rank, const char *service, const char *port)
{
    enum { PORT_MAX = 1024 };
    struct pl_names *names;
    struct pl_pmi1 *launcher = keeper(rank, &names);
    char word[65], hex[2 * PORT_MAX + 1];
    if (!launcher)
        return nameless(rank) ? PL_EUNSUPPORTED : pl_names_put(names, service, port);
    if (strlen(port) >= PORT_MAX)
        return pl_fail(PL_EARG, "the port name has %zu bytes", strlen(port));
    service_word(word, sizeof word, service);
    sodium_bin2hex(hex, sizeof hex, (const unsigned char *)port, strlen(port));
    return pl_pmi1_publish(launcher, word, hex);
}

int pl_world_unpublish(struct pl_rank *rank, const char *service)
{
    struct pl_names *names;
    struct pl_pmi1 *launcher = keeper(rank, &names);
    char word[65];
    if (!launcher)
        return nameless(rank) ? PL_EUNSUPPORTED : pl_names_drop(names, service);
    service_word(word, sizeof word, service);
    return pl_pmi1_unpublish(launcher, word);
}

int pl_world_lookup(struct pl_rank *rank, const char *service, char *port, size_t size)
{
    struct pl_names *names;
    struct pl_pmi1 *launcher = keeper(rank, &names);
    char word[65], hex[PL_PMI1_LINE_MAX];
    size_t length;
    if (!launcher)
        return nameless(rank) ? PL_EUNSUPPORTED : pl_names_get(names, service, port, size);
    service_word(word, sizeof word, service);
    int error = pl_pmi1_lookup(launcher, word, hex, sizeof hex);
    if (error)
        return error;
    if (sodium_hex2bin((unsigned char *)port, size - 1, hex, strlen(hex), NULL, &length, NULL))
        return pl_fail(PL_EPROTOCOL, "what the launcher has for the service is no port");
    port[length] = 0;
    return 0;
}

int pl_world_spawn(struct pl_rank *rank, char *const *words, int count)
{
    const struct process *process = rank->fabric ? NULL : rank->world_state;
    if (!process)
        return pl_fail(PL_EUNSUPPORTED, "an in-process world cannot spawn processes");
    if (!process->launcher)
        return pl_fail(
            PL_EUNSUPPORTED,
            "processes are spawned through mpiexec: start this program by it, with -n 1 if need be");
    return pl_pmi1_spawn(process->launcher, words, count);
}

struct pl_rank *pl_process_early(void)
{
    struct pl_rank *rank = calloc(1, sizeof *rank);
    if (!rank)
        return NULL;
    pl_rank_lock_init(rank);
    rank->threaded = true;
    struct pl_rank *chosen = pl_self_offer_process(rank);
    if (chosen != rank)
        free(rank);
    return chosen;
}

/* The start has failed, and so has the job. The launcher ends this process as soon as it hears of that, so
 * the reason is told first. */
static _Noreturn void give_up(struct pl_launcher *job, const char *why)
{
    pl_error("MPI_Init: %s", why);
    fflush(NULL);
    job->calls->abort(job, 1, "MPI_Init failed", false);
    job->calls->close(job);
    _exit(1);
}

int pl_process_start(struct pl_rank **started)
{
    struct pl_rank *early = pl_self();
    struct pl_rank *rank = early ? early : calloc(1, sizeof *rank);
    struct process *process = calloc(1, sizeof *process);
    int error = rank && process ? 0 : pl_fail(PL_ENOMEM, "no memory to start");
    if (error || sodium_init() < 0)
        goto free_memory;
    pl_config_read(&rank->config, environ);
    if (!strstr(rank->config.transports, "tcp") && pl_tcp_filter_check(rank->config.net))
        pl_warn("%s", pl_fail_text()); /* tcp itself would refuse it */
    gethostname(rank->hostname, sizeof rank->hostname - 1);
    rank->world_state = process;
    pl_names_init(&process->names);
    rank->host_of = host_of;
    rank->card_of = card_of;
    rank->abort = abort_process;
    char why[PL_ERROR_TEXT];
    error = meet_launcher(rank);
    if (error) {
        snprintf(why, sizeof why, "%s", pl_fail_text());
        goto close_launcher;
    }
    error = pl_rank_open(rank);
    if (!error && rank->size > 1)
        error = publish_cards(rank);
    if (error) {
        snprintf(why, sizeof why, "%s", pl_fail_text());
        goto close_rank;
    }
    pl_self_set_process(rank);
    *started = rank;
    return 0;
close_rank:
    pl_rank_close(rank);
close_launcher:
    if (process->job)
        give_up(process->job, why);
free_memory:
    if (process)
        pl_watch_close(&process->watch);
    free(process);
    if (!early)
        free(rank);
    return error;
}

void pl_process_end(struct pl_rank *rank)
{
    struct process *process = rank->world_state;
    pl_rank_close(rank);
    if (process->job) {
        process->job->calls->finalize(process->job);
        process->job->calls->close(process->job);
    }
    process->job = NULL;
    process->launcher = NULL;
    pl_names_finish(&process->names);
    rank->look = NULL;
    rank->report = NULL;
    rank->obituary = NULL;
    pl_watch_close(&process->watch);
}
