/* The transports that are built in, in order of preference. A new one joins with a line here. */
#include "loopback.h"
#include "shm.h"
#include "tcp.h"
#include "transport.h"
#if PL_HAVE_VERBS
#include "verbs.h"
#endif

#include <string.h>

const struct pl_transport *const pl_transports[] = {
    &pl_loopback, &pl_shm,
#if PL_HAVE_VERBS
    &pl_verbs,
#endif
    &pl_tcp,      NULL,
};

const struct pl_transport *pl_transport_find(const char *name)
{
    for (const struct pl_transport *const *t = pl_transports; *t; t++)
        if (!strcmp((*t)->name, name))
            return *t;
    return NULL;
}
