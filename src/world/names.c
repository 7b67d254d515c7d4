/* Names in memory: an in-process world has one list that all its ranks share, a process without a
 * launcher has its own. */
#include "names.h"

#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pl_name {
    struct pl_name *next;
    char *service, *port;
};

void pl_names_init(struct pl_names *names)
{
    pthread_mutex_init(&names->lock, NULL);
    names->first = NULL;
}

static void name_free(struct pl_name *name)
{
    if (name) {
        free(name->service);
        free(name->port);
    }
    free(name);
}

void pl_names_finish(struct pl_names *names)
{
    for (struct pl_name *name; (name = names->first);) {
        names->first = name->next;
        name_free(name);
    }
    pthread_mutex_destroy(&names->lock);
}

/* Where the name hangs, or the end of the list. */
static struct pl_name **find(struct pl_names *names, const char *service)
{
    struct pl_name **link = &names->first;
    while (*link && strcmp((*link)->service, service))
        link = &(*link)->next;
    return link;
}

int pl_names_put(struct pl_names *names, const char *service, const char *port)
{
    struct pl_name *made = calloc(1, sizeof *made);
    if (!made || !(made->service = strdup(service)) || !(made->port = strdup(port))) {
        name_free(made);
        return pl_fail(PL_ENOMEM, "no memory to publish a name");
    }
    pthread_mutex_lock(&names->lock);
    struct pl_name **link = find(names, service);
    int error = *link ? pl_fail(PL_EARG, "the service '%.100s' is published already", service) : 0;
    if (!error)
        *link = made;
    pthread_mutex_unlock(&names->lock);
    if (error)
        name_free(made);
    return error;
}

static int unknown(const char *service)
{
    return pl_fail(PL_EARG, "the service '%.100s' is not published", service);
}

int pl_names_drop(struct pl_names *names, const char *service)
{
    pthread_mutex_lock(&names->lock);
    struct pl_name **link = find(names, service), *gone = *link;
    if (gone)
        *link = gone->next;
    pthread_mutex_unlock(&names->lock);
    name_free(gone);
    return gone ? 0 : unknown(service);
}

int pl_names_get(struct pl_names *names, const char *service, char *port, size_t size)
{
    pthread_mutex_lock(&names->lock);
    const struct pl_name *name = *find(names, service);
    if (name)
        snprintf(port, size, "%s", name->port);
    pthread_mutex_unlock(&names->lock);
    return name ? 0 : unknown(service);
}
