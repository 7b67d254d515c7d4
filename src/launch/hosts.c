/* Whether a name means this host: localhost, the host's own name, long or short,
 * or a name whose every address is one of this host's. The last is decided by
 * binding a socket to the address, which only a local one allows; comparing with
 * getifaddrs would miss what is routed here without an interface of its own.
 */
#include "hosts.h"

#include "errors.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool bindable(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool bound = !bind(fd, address->ai_addr, address->ai_addrlen);
    close(fd);
    return bound;
}

static bool is_local(const char *name)
{
    char own[256];
    if (gethostname(own, sizeof own))
        own[0] = '\0';
    own[sizeof own - 1] = '\0';
    size_t brief = strcspn(own, ".");
    if (!strcmp(name, "localhost") || !strcmp(name, own) ||
        (strlen(name) == brief && !strncmp(name, own, brief)))
        return true;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found;
    if (getaddrinfo(name, NULL, &hints, &found))
        return false;
    bool local = true;
    for (struct addrinfo *a = found; a && local; a = a->ai_next)
        local = bindable(a);
    freeaddrinfo(found);
    return local;
}

int pl_hosts_local(const char *option, const char *list)
{
    while (*list) {
        char name[256];
        size_t length = strcspn(list, ",");
        size_t bare = strcspn(list, ",:");
        if (!bare || bare >= sizeof name)
            return pl_fail(PL_EARG, "%s: '%.80s' is not a list of hosts", option, list);
        snprintf(name, sizeof name, "%.*s", (int)bare, list);
        if (!is_local(name))
            return pl_fail(PL_EARG,
                           "%s: %s is not this host, and ranks can be started on this host only so far",
                           option, name);
        list += length + (list[length] == ',');
    }
    return 0;
}
