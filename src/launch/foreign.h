/* Options of other launchers' that change nothing here. */
#ifndef PL_FOREIGN_H
#define PL_FOREIGN_H

/* How many words follow the option of this name (without dashes) in a script that was written for MPICH,
 * Intel MPI or Open MPI; -1: nobody has such an option, or leaving it out would change what the job does. */
int pl_foreign_words(const char *name);

#endif
