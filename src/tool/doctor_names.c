/* Names. Peal's ranks find each other by addresses, so a name that is not resolved stops nobody who is
 * running already; but mpiexec's ssh, PEAL_ROOT and every other tool of a cluster take names, and a
 * resolver that waits for a dead server makes a start slow.
 */
#include "doctor.h"

#include "clock.h"
#include "tcp_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOW 2.0 /* seconds */

/* "name address address ..." */
void pl_host_names_pack(const struct pl_host_names *names, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%s", names->name);
    for (int i = 0; i < names->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %s", names->address[i]);
}

void pl_host_names_unpack(struct pl_host_names *names, const char *text)
{
    char copy[1280], *rest = copy;
    *names = (struct pl_host_names){.count = 0};
    snprintf(copy, sizeof copy, "%s", text);
    char *name = strsep(&rest, " ");
    snprintf(names->name, sizeof names->name, "%s", name);
    for (char *word; names->count < 16 && (word = strsep(&rest, " "));)
        snprintf(names->address[names->count++], sizeof names->address[0], "%s", word);
}

static bool is_loopback(const char *address)
{
    return !strncmp(address, "127.", 4) || !strcmp(address, "::1");
}

static void list(const struct pl_resolved *found, char *text, size_t size)
{
    size_t at = 0;
    *text = '\0';
    for (int i = 0; i < found->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", found->address[i]);
}

static bool tell_trouble(const char *name, const struct pl_resolved *found, struct pl_findings *findings,
                         const char *address)
{
    char mend[PL_FINDING_MEND];
    snprintf(mend, sizeof mend, "echo '%s %.100s' >>/etc/hosts", address, name);
    if (found->error)
        pl_find(findings, PL_LEVEL_NOTE, "names", mend, "the name %s is not resolved: %s", name,
                gai_strerror(found->error));
    else if (found->seconds > SLOW)
        pl_find(findings, PL_LEVEL_NOTE, "names", mend,
                "the name %s took %.1f s to resolve: is a server in /etc/resolv.conf dead?", name,
                found->seconds);
    return found->error || found->seconds > SLOW;
}

void pl_check_own_name(const struct pl_host_names *own, const struct pl_resolved *found, bool several,
                       struct pl_findings *findings)
{
    char text[200], mend[PL_FINDING_MEND];
    const char *address = own->count ? own->address[0] : "127.0.1.1";
    if (tell_trouble(own->name, found, findings, address))
        return;
    bool outside = false;
    for (int i = 0; i < found->count; i++)
        outside |= !is_loopback(found->address[i]);
    list(found, text, sizeof text);
    if (outside || !several || !own->count) {
        pl_find(findings, PL_LEVEL_OK, "names", NULL, "%s is %s", own->name, text);
        return;
    }
    snprintf(mend, sizeof mend, "sed -i 's/^127.0.1.1.*%.64s.*/%.47s %.64s/' /etc/hosts", own->name, address,
             own->name);
    pl_find(findings, PL_LEVEL_NOTE, "names", mend,
            "the own name %s leads to %s: programs that tell others their name's address tell them their own",
            own->name, text);
}

void pl_check_peer_name(const struct pl_host_names *peer, const struct pl_resolved *found,
                        struct pl_findings *findings)
{
    char text[200], mend[PL_FINDING_MEND];
    const char *address = peer->count ? peer->address[0] : "ADDRESS";
    if (tell_trouble(peer->name, found, findings, address))
        return;
    bool right = !peer->count;
    for (int i = 0; i < found->count; i++)
        for (int k = 0; k < peer->count; k++)
            right |= !strcmp(found->address[i], peer->address[k]);
    list(found, text, sizeof text);
    snprintf(mend, sizeof mend, "let /etc/hosts (or DNS) have: %s %.100s", address, peer->name);
    if (right)
        pl_find(findings, PL_LEVEL_OK, "names", NULL, "%s is %s", peer->name, text);
    else
        pl_find(findings, PL_LEVEL_NOTE, "names", mend, "%s is %s here, which is no address of that host",
                peer->name, text);
}

/* ---- asking ---- */

static void resolve(const char *name, struct pl_resolved *found)
{
    struct addrinfo *all, hints = {.ai_socktype = SOCK_STREAM};
    int64_t begin = pl_now();
    *found = (struct pl_resolved){.count = 0};
    found->error = getaddrinfo(name, NULL, &hints, &all);
    found->seconds = (double)(pl_now() - begin) / 1e9;
    if (found->error)
        return;
    for (const struct addrinfo *at = all; at && found->count < 16; at = at->ai_next)
        if (!getnameinfo(at->ai_addr, at->ai_addrlen, found->address[found->count], sizeof found->address[0],
                         NULL, 0, NI_NUMERICHOST))
            found->count++;
    freeaddrinfo(all);
}

static void own_names(struct pl_host_names *names)
{
    struct pl_tcp_card card = {.count = 0};
    *names = (struct pl_host_names){.count = 0};
    gethostname(names->name, sizeof names->name - 1);
    if (pl_tcp_addresses(false, "", &card))
        return;
    for (int i = 0; i < card.count && names->count < 16; i++) {
        const union pl_tcp_address *a = &card.address[i];
        bool v4 = a->any.sa_family == AF_INET;
        if (inet_ntop(a->any.sa_family, v4 ? (const void *)&a->v4.sin_addr : (const void *)&a->v6.sin6_addr,
                      names->address[names->count], sizeof names->address[0]))
            names->count++;
    }
}

/* The first rank of a host asks for its own name and those of the other hosts, of which many stand for all.
 */
void pl_doctor_names(struct pl_doctor *doctor)
{
    enum { HOSTS = 64 };
    struct pl_host_names names;
    struct pl_resolved found;
    char text[1280], **words;
    doctor->findings.for_host = true;
    own_names(&names);
    pl_host_names_pack(&names, text, sizeof text);
    if (!doctor->local_rank) {
        resolve(names.name, &found);
        pl_check_own_name(&names, &found, doctor->hosts > 1, &doctor->findings);
    }
    int last = -1, asked = 0, error = pl_doctor_share(doctor, text, &words);
    for (int r = 0; !error && r < doctor->size && !doctor->local_rank && asked < HOSTS; r++) {
        if (doctor->host_of[r] == doctor->host || doctor->host_of[r] <= last || !*words[r])
            continue;
        last = doctor->host_of[r];
        asked++;
        pl_host_names_unpack(&names, words[r]);
        resolve(names.name, &found);
        pl_check_peer_name(&names, &found, &doctor->findings);
    }
    pl_doctor_forget(doctor, words);
    doctor->findings.for_host = false;
}
