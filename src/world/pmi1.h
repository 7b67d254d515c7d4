/* The PMI-1 client: how a rank learns who it is from the launcher that started
 * it (our mpiexec, Hydra, Slurm) and leaves words for the other ranks.
 *
 * A put is seen by the others after the next barrier. Calls block until the
 * launcher answers; they belong to start-up and to a first contact, never to a
 * fast path. One thread at a time, but for pl_pmi1_abort. After a failure of the
 * connection every call answers with the same error.
 */
#ifndef PL_PMI1_H
#define PL_PMI1_H

#include "pmi1_wire.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_pmi1;

/* Whether a PMI-1 launcher started this process: PMI_FD is set. */
bool pl_pmi1_present(void);

/* Connects by PMI_FD, PMI_RANK and PMI_SIZE of the environment, says init, asks
 * for the limits and the name of the key-value space. Takes over the descriptor,
 * and keeps it from programs that this process starts later. PL_EARG if the
 * environment makes no sense, PL_EPEER if the launcher is gone, PL_EPROTOCOL if
 * it speaks nonsense, PL_ENOMEM. Close with pl_pmi1_close. */
int pl_pmi1_open(struct pl_pmi1 **client);

int pl_pmi1_rank(const struct pl_pmi1 *client);
int pl_pmi1_size(const struct pl_pmi1 *client);
/* Names that all ranks of the launcher's job see: words (a service without blanks, a port likewise).
 * PL_EARG: published already, or not at all. */
int pl_pmi1_publish(struct pl_pmi1 *client, const char *service, const char *port);
int pl_pmi1_unpublish(struct pl_pmi1 *client, const char *service);
int pl_pmi1_lookup(struct pl_pmi1 *client, const char *service, char *port, size_t size);
/* Has Peal's mpiexec start another mpiexec with these `count` arguments. PL_EUNSUPPORTED: this launcher is
 * not Peal's. */
int pl_pmi1_spawn(struct pl_pmi1 *client, char *const *words, int count);
const char *pl_pmi1_space(const struct pl_pmi1 *client); /* the name of the job's key-value space */
size_t pl_pmi1_value_max(const struct pl_pmi1 *client);  /* longest value put takes, without its end */

/* Leaves `value` under `key` for the job. Keys shorter than 64 bytes, values as
 * pl_pmi1_value_max says, both printable without blanks: else PL_EARG. A key is
 * to be put once: launchers differ in what a second time does. */
int pl_pmi1_put(struct pl_pmi1 *client, const char *key, const char *value);

/* Writes the value of `key`, ended, into value[size]. PL_EUNREACHABLE if nobody
 * has put it, PL_ETRUNCATE if it does not fit. */
int pl_pmi1_get(struct pl_pmi1 *client, const char *key, char *value, size_t size);

/* Returns when every rank of the job has called it. */
int pl_pmi1_barrier(struct pl_pmi1 *client);

/* The same in two steps, for who has something else to do meanwhile: nothing may be asked of the launcher
 * between them. Peal's mpiexec does not wait for ranks that have died (--continue) or said that they end. */
int pl_pmi1_barrier_begin(struct pl_pmi1 *client);
int pl_pmi1_barrier_test(struct pl_pmi1 *client, bool *over);

/* The number of this rank's program in the launcher's command line, 0 when the
 * launcher does not say; and how many ranks the launcher could start in all, -1
 * when it does not say. */
int pl_pmi1_appnum(struct pl_pmi1 *client, int *appnum);
int pl_pmi1_universe_size(struct pl_pmi1 *client, int *size);

/* Tells the launcher to end the job with `code`; does not wait, so that the
 * caller can exit. Any thread may call it at any time until the close. Peal's own is told whether the
 * program `called` MPI_Abort or an error was fatal. */
int pl_pmi1_abort(struct pl_pmi1 *client, int code, bool called);

/* Tells the launcher that this rank will end in good order. Only pl_pmi1_close may follow. */
int pl_pmi1_finalize(struct pl_pmi1 *client);

/* Closes the connection and frees. Accepts NULL. */
void pl_pmi1_close(struct pl_pmi1 *client);

#endif
