/* What ranks leave behind when they end. */
#ifndef PL_SWEEP_H
#define PL_SWEEP_H

/* Kills every process that descends from this one, and waits up to a second until they are gone. For the
 * time when all ranks have ended and their process groups have been killed. */
void pl_sweep(void);

#endif
