/* Cookies: small numbers that stand for requests in frames. A peer sends back
 * only a number; one that is stale or made up finds nothing instead of memory. */
#ifndef PL_COOKIES_H
#define PL_COOKIES_H

#include <stdint.h>

struct pl_request;

struct pl_cookie {
    struct pl_request *request; /* NULL: free */
    uint32_t generation, next_free;
};

struct pl_cookies {
    struct pl_cookie *slots;
    uint32_t size, first_free; /* index + 1; 0: none */
};

/* A cookie (never 0) for the request, or 0: no memory. */
uint32_t pl_cookie_new(struct pl_cookies *cookies, struct pl_request *request);
/* The request, or NULL for a stale or unknown cookie. */
struct pl_request *pl_cookie_find(const struct pl_cookies *cookies, uint32_t cookie);
void pl_cookie_drop(struct pl_cookies *cookies, uint32_t cookie);
void pl_cookies_finish(struct pl_cookies *cookies);

#endif
