/* What transports cost on this machine, as `peal bench --tune` measured it (PEAL_TUNING). */
#ifndef PL_TUNING_H
#define PL_TUNING_H

#include "algorithm.h"

/* A file of lines
 *
 *     transport alpha beta gamma        # a comment
 *
 * in nanoseconds a message, a byte carried, a byte reduced. The transport is "shm", "tcp", ..., or
 * "shm-oversubscribed", ...: with more ranks than cores. */
enum { PL_TUNING_LINES = 16, PL_TUNING_NAME = 40 };
struct pl_tuning {
    int lines;
    struct {
        char name[PL_TUNING_NAME];
        struct pl_machine machine;
    } line[PL_TUNING_LINES];
};

/* Reads the file. Lines that make no sense are left out. With `warn` they are warned about by number, and a
 * file that cannot be opened is: by one rank of each host, whose file it is. "": no file. */
void pl_tuning_read(struct pl_tuning *tuning, const char *path, bool warn);

/* What the transport costs: measured, or else as built in (pl_machine_of). Valid as long as `tuning`. */
const struct pl_machine *pl_tuning_machine(const struct pl_tuning *tuning, const char *transport,
                                           bool oversubscribed);

/* The name that a line has for it. */
void pl_tuning_name(char name[PL_TUNING_NAME], const char *transport, bool oversubscribed);

/* Writes the file anew, with this line in place of the one of that name; other lines stay. 0 or an error. */
int pl_tuning_save(const char *path, const char *name, const struct pl_machine *machine);

#endif
