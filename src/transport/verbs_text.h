/* What the verbs transport works with, in words; for `peal doctor`, which needs no header of libibverbs. */
#ifndef PL_VERBS_TEXT_H
#define PL_VERBS_TEXT_H

#include "transport.h"

/* "rxe0 port 1, GID 1 (RoCE, 10.0.0.1)" of a port of the verbs transport. Whether the device is a program of
 * this host's kernel's. */
bool pl_verbs_text(const struct pl_port *port, char *text, size_t size);

#endif
