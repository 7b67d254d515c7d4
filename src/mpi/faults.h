/* The faults of an in-process world, from the user's words to the transport's. */
#ifndef PL_FAULTS_H
#define PL_FAULTS_H

#include "loopback.h"
#include "peal.h"

/* Those given and those drawn: fault_count + drawn of them, malloc'd; NULL where there are none. 0, or an
 * error with its text. */
int pl_faults_of(int ranks, const struct peal_world_options *options, struct pl_fault **faults);

#endif
