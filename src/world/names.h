/* Published names, for worlds that have no launcher to keep them: a list in memory. */
#ifndef PL_NAMES_H
#define PL_NAMES_H

#include <pthread.h>
#include <stddef.h>

struct pl_names {
    pthread_mutex_t lock;
    struct pl_name *first;
};

void pl_names_init(struct pl_names *names);
void pl_names_finish(struct pl_names *names);
/* 0; PL_EARG: it is there already (put), or not at all (drop, get); PL_ENOMEM. */
int pl_names_put(struct pl_names *names, const char *service, const char *port);
int pl_names_drop(struct pl_names *names, const char *service);
int pl_names_get(struct pl_names *names, const char *service, char *port, size_t size);

#endif
