/* Registrations. */
#include "verbs_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void pl_registrations_init(struct pl_registrations *cache, const struct pl_verbs_library *library,
                           struct ibv_pd *domain)
{
    *cache = (struct pl_registrations){.library = library, .domain = domain};
    pl_list_init(&cache->list);
}

void pl_registrations_finish(struct pl_registrations *cache)
{
    (void)cache;
}

struct pl_registration *pl_registration_get(struct pl_registrations *cache, void *address, size_t length,
                                            bool writable)
{
    struct pl_registration *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    int most = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE;
    made->writable = true;
    made->region = cache->library->reg_mr(cache->domain, address, length, most);
    if (!made->region && !writable && errno != ENOMEM) {
        made->writable = false;
        made->region = cache->library->reg_mr(cache->domain, address, length, IBV_ACCESS_REMOTE_READ);
    }
    if (!made->region) {
        int why = errno;
        free(made);
        errno = why;
        return NULL;
    }
    made->users = 1;
    return made;
}

void pl_registration_put(struct pl_registrations *cache, struct pl_registration *registration)
{
    cache->library->dereg_mr(registration->region);
    free(registration);
}
