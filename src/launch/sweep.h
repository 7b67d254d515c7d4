/* What ranks leave behind when they end. */
#ifndef PL_SWEEP_H
#define PL_SWEEP_H

#include "job.h"

/* Kills every process that descends from the ranks, all of which have ended, and
 * waits up to a second until they are gone. */
void pl_job_sweep(struct pl_job *job);

#endif
