/* Registrations of user memory, kept for the next use where it is safe. */
#ifndef PL_VERBS_CACHE_H
#define PL_VERBS_CACHE_H

#include "list.h"
#include "verbs_library.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owned by the cache; valid from get to put. */
struct pl_registration {
    struct pl_list link;
    struct ibv_mr *region;
    uintptr_t start, end; /* whole pages */
    int users;
    bool kept;     /* in `kept` */
    bool dead;     /* its memory was unmapped: not to be found again */
    bool writable; /* made with local and remote write */
    bool dmabuf;   /* another device's memory: found until it is put, whatever happens to pages of the host */
};

struct pl_registrations {
    const struct pl_verbs_library *library;
    struct ibv_pd *domain;
    int faults; /* userfaultfd; -1: nothing is kept */
    int stop;   /* eventfd that ends the watcher */
    pthread_t watcher;
    pthread_mutex_t lock;  /* guards all below; nothing is allocated, freed or unmapped under it */
    struct pl_list kept;   /* the last used first */
    struct pl_list doomed; /* dead and without users, to be undone by the port's thread */
    int count;
    size_t bytes;
    uint64_t events; /* heard so far */
};

void pl_registrations_init(struct pl_registrations *cache, const struct pl_verbs_library *library,
                           struct ibv_pd *domain);
void pl_registrations_finish(struct pl_registrations *cache);
/* A registration that covers [address, address+length). `writable`: it will be written through
 * it; else memory that cannot be written is taken as well. NULL with errno when it cannot be made. */
struct pl_registration *pl_registration_get(struct pl_registrations *cache, void *address, size_t length,
                                            bool writable);
/* The same for what the dma-buf `fd` has from `offset` on, which is known here as [address, address+length).
 * Until it is put, pl_registration_get finds it. NULL with errno (EOPNOTSUPP: the driver cannot). */
struct pl_registration *pl_registration_of_dmabuf(struct pl_registrations *cache, int fd, uint64_t offset,
                                                  void *address, size_t length);
void pl_registration_put(struct pl_registrations *cache, struct pl_registration *registration);

#endif
