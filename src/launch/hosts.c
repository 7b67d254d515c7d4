/* A name may mean this host: localhost, the host's own name, long or short, or a
 * name whose every address is one of this host's. The last is decided by binding a
 * socket to the address, which only a local one allows; comparing with getifaddrs
 * would miss what is routed here without an interface of its own. All names are asked
 * for at once and for two seconds at most; one that has no answer by then is another
 * host's, and ssh will say what is wrong with it.
 *
 * Slots are written as Hydra does (host:4) or as Open MPI does (host slots=4). An
 * IPv6 address has colons itself: with slots it stands in brackets, and a bare one
 * is told by its second colon.
 */
#include "hosts.h"

#include "errors.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 256, SLOTS_MAX = 65536, RESOLVE_SECONDS = 2 };

static bool bindable(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool bound = !bind(fd, address->ai_addr, address->ai_addrlen);
    close(fd);
    return bound;
}

static bool own_name(const char *name)
{
    char own[256];
    if (gethostname(own, sizeof own))
        own[0] = '\0';
    own[sizeof own - 1] = '\0';
    size_t brief = strcspn(own, ".");
    return !strcmp(name, "localhost") || !strcmp(name, own) ||
           (strlen(name) == brief && !strncmp(name, own, brief));
}

static int add(struct pl_hosts *hosts, const char *name, int slots)
{
    for (int i = 0; i < hosts->count; i++)
        if (!strcmp(hosts->list[i].name, name)) {
            hosts->list[i].slots += slots;
            return 0;
        }
    if (hosts->count == PL_HOSTS_MAX)
        return pl_fail(PL_EARG, "more than %d hosts", PL_HOSTS_MAX);
    struct pl_host *list = realloc(hosts->list, sizeof *list * ((size_t)hosts->count + 1));
    if (list)
        hosts->list = list;
    char *copy = list ? strdup(name) : NULL;
    if (!copy)
        return pl_fail(PL_ENOMEM, "no memory for the list of hosts");
    hosts->list[hosts->count++] = (struct pl_host){.name = copy, .slots = slots};
    return 0;
}

static bool is_slots(const char *text, int *slots)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < 1 || n > SLOTS_MAX)
        return false;
    *slots = (int)n;
    return true;
}

/* Takes "name", "name:slots", "[v6]" or "[v6]:slots" apart, in place. */
static bool split(char *word, char **name, int *slots)
{
    char *colon = strrchr(word, ':');
    *name = word;
    *slots = 1;
    if (*word == '[') {
        char *close = strchr(word, ']');
        if (!close || (close[1] && close[1] != ':'))
            return false;
        colon = close[1] ? close + 1 : NULL;
        *close = '\0';
        ++*name;
    } else if (colon && strchr(word, ':') != colon) {
        colon = NULL; /* a bare IPv6 address */
    }
    if (colon)
        *colon = '\0';
    bool good = **name && **name != '-' && strlen(*name) < NAME_MAX_BYTES;
    return good && (!colon || is_slots(colon + 1, slots));
}

int pl_hosts_add_list(struct pl_hosts *hosts, const char *option, const char *list)
{
    do {
        char word[NAME_MAX_BYTES + 16], *name;
        int slots, length = (int)strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", length, list);
        if (length >= (int)sizeof word || !split(word, &name, &slots))
            return pl_fail(PL_EARG,
                           "%s: '%.*s' is not a host: a name or an address was expected, as in a,b:4", option,
                           length < 80 ? length : 80, list);
        int error = add(hosts, name, slots);
        if (error)
            return error;
        list += length;
    } while (*list++);
    return 0;
}

/* Open MPI has several words for it. */
static bool says_slots(const char *word)
{
    return !strncmp(word, "slots=", 6) || !strncmp(word, "cpus=", 5) || !strncmp(word, "cpu=", 4) ||
           !strncmp(word, "count=", 6);
}

static int add_line(struct pl_hosts *hosts, const char *path, int number, char *line)
{
    char *save, *name;
    int slots;
    line[strcspn(line, "#\r\n")] = '\0';
    char *word = strtok_r(line, " \t", &save);
    if (!word)
        return 0;
    if (!split(word, &name, &slots))
        return pl_fail(PL_EARG, "%s, line %d: '%.80s' is not a host", path, number, word);
    while ((word = strtok_r(NULL, " \t", &save)))
        if (says_slots(word) ? !is_slots(strchr(word, '=') + 1, &slots) : strncmp(word, "max", 3) != 0)
            return pl_fail(PL_EARG,
                           "%s, line %d: '%.80s' is not understood: a line is 'host', 'host:4' or "
                           "'host slots=4'",
                           path, number, word);
    return add(hosts, name, slots);
}

int pl_hosts_add_file(struct pl_hosts *hosts, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return pl_fail_errno("the file of hosts %s", path);
    char *line = NULL;
    size_t size = 0;
    int error = 0, before = hosts->count;
    for (int number = 1; !error && getline(&line, &size, file) >= 0; number++)
        error = add_line(hosts, path, number, line);
    free(line);
    if (!error && ferror(file))
        error = pl_fail_errno("the file of hosts %s", path);
    fclose(file);
    if (!error && hosts->count == before)
        error = pl_fail(PL_EARG, "the file of hosts %s names no host", path);
    return error;
}

/* Asks for the addresses of all names at once, and waits a few seconds at most. */
static void resolve(struct gaicb *requests, int count)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct gaicb **list = calloc((size_t)count + 1, sizeof(struct gaicb *));
    struct timespec now, until;
    for (int i = 0; list && i < count; i++) {
        requests[i].ar_request = &hints;
        list[i] = requests[i].ar_name ? &requests[i] : NULL;
    }
    if (!list || getaddrinfo_a(GAI_NOWAIT, list, count, NULL))
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RESOLVE_SECONDS;
    for (int i = 0; i < count; i++)
        while (list[i] && gai_error(list[i]) == EAI_INPROGRESS) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            if (now.tv_sec >= until.tv_sec)
                return; /* the requests go on in the background, so what they use stays */
            struct timespec left = {until.tv_sec - now.tv_sec, 0};
            gai_suspend((const struct gaicb *const *)&list[i], 1, &left);
        }
    free(list);
}

static bool all_bindable(struct gaicb *request)
{
    if (!request->ar_name || gai_error(request) || !request->ar_result)
        return false;
    for (struct addrinfo *a = request->ar_result; a; a = a->ai_next)
        if (!bindable(a))
            return false;
    return true;
}

static void find_local(struct pl_hosts *hosts)
{
    int unknown = 0;
    for (int i = 0; i < hosts->count; i++) {
        hosts->list[i].local = own_name(hosts->list[i].name);
        unknown += !hosts->list[i].local;
    }
    struct gaicb *requests = unknown ? calloc((size_t)hosts->count, sizeof *requests) : NULL;
    if (!requests)
        return;
    for (int i = 0; i < hosts->count; i++)
        if (!hosts->list[i].local && !strchr(hosts->list[i].name, '@'))
            requests[i].ar_name = strdup(hosts->list[i].name);
    resolve(requests, hosts->count);
    bool resolved = true;
    for (int i = 0; i < hosts->count; i++) {
        hosts->list[i].local |= all_bindable(&requests[i]);
        resolved &= !requests[i].ar_name || gai_error(&requests[i]) != EAI_INPROGRESS;
    }
    for (int i = 0; resolved && i < hosts->count; i++) {
        free((char *)(uintptr_t)requests[i].ar_name);
        if (requests[i].ar_result)
            freeaddrinfo(requests[i].ar_result);
    }
    if (resolved)
        free(requests);
}

void pl_hosts_find_local(struct pl_hosts *hosts)
{
    struct pl_host *own = NULL;
    int kept = 0;
    find_local(hosts);
    for (int i = 0; i < hosts->count; i++) {
        struct pl_host host = hosts->list[i];
        if (host.local && own) {
            own->slots += host.slots;
            free(host.name);
            continue;
        }
        hosts->list[kept] = host;
        if (host.local)
            own = &hosts->list[kept];
        kept++;
    }
    hosts->count = kept;
}

void pl_hosts_finish(struct pl_hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++)
        free(hosts->list[i].name);
    free(hosts->list);
    *hosts = (struct pl_hosts){0};
}
