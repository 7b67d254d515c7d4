/* Which transports are tried, which of them each pair of ranks will use, and why not the better one.
 *
 * The library takes for a peer the first transport of PEAL_TRANSPORT that has a port on both sides and whose
 * connect() accepts the peer's card (src/p2p/peer.c), and stays with it. So one that is chosen and does not
 * work is a problem, although another would; one that works and is not chosen is a remark.
 */
#include "doctor.h"

#include "errors.h"
#include "rank.h"
#include "transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct judge {
    const struct pl_way *ways;
    int count;
    const struct pl_facts *facts;
    struct pl_findings *findings;
    int peer;
    bool near; /* on the same host */
};

/* ---- what mends ---- */

static const char *mend_shm(const struct judge *j, const char *why)
{
    if (strstr(why, "another container"))
        return "let the containers of a host share processes and memory: docker run --pid=host --ipc=host "
               "(pods: hostPID, hostIPC)";
    if (strstr(why, "runs as user"))
        return "start all ranks as the same user";
    if (strstr(why, "does not let this process open"))
        return "start all ranks as the same user with the same capabilities; in containers: "
               "--cap-add=SYS_PTRACE";
    if (strstr(why, "ulimit -f"))
        return "ulimit -f unlimited";
    return "";
}

static const char *mend_verbs(const char *why)
{
    if (strstr(why, "no RDMA device"))
        return "";
    if (strstr(why, "limit on locked memory"))
        return "ulimit -l unlimited";
    if (strstr(why, "needs permission"))
        return "chmod a+rw /dev/infiniband/uverbs* (for good: a rule of udev, or the group of that file)";
    if (strstr(why, "container must be given"))
        return "docker run --device=/dev/infiniband --ulimit memlock=-1";
    if (strstr(why, "is not active"))
        return "ip link set INTERFACE up (rdma link shows which), and look at the cable";
    if (strstr(why, "PEAL_NET lets through"))
        return "unset PEAL_NET, or let it name the device: PEAL_NET=mlx5_0 (ibv_devices lists them)";
    if (strstr(why, "ib_uverbs"))
        return "modprobe ib_uverbs; apt install ibverbs-providers";
    if (strstr(why, "libibverbs"))
        return "apt install libibverbs1 ibverbs-providers";
    return "";
}

static const char *mend_tcp(const struct judge *j, const char *why)
{
    if (strstr(why, "PEAL_NET"))
        return "unset PEAL_NET, or let it name a network that is there (ip addr lists them)";
    return j->near ? "ip link set lo up, and let the firewall pass it"
                   : "let the firewalls of both hosts pass TCP between each other's addresses, or name a "
                     "network that does: PEAL_NET=SUBNET";
}

static const char *mend(const struct judge *j, const struct pl_way *way, const char *why)
{
    return !strcmp(way->name, "shm")     ? mend_shm(j, why)
           : !strcmp(way->name, "verbs") ? mend_verbs(why)
           : !strcmp(way->name, "tcp")   ? mend_tcp(j, why)
                                         : "";
}

/* ---- judging ---- */

static const char *why_not(const struct judge *j, const struct pl_way *way)
{
    const struct pl_way_peer *peer = &way->peers[j->peer];
    return !way->opened      ? way->why
           : peer->why[0]    ? peer->why
           : peer->wrong     ? "other bytes came than were sent"
           : !peer->heard_us ? "what this rank sent did not come there whole"
                             : "no reason is known";
}

static bool works(const struct judge *j, const struct pl_way *way)
{
    const struct pl_way_peer *peer = &way->peers[j->peer];
    return way->opened && peer->connected && peer->heard && peer->heard_us;
}

/* A transport of one host for a peer on another is nobody's fault. */
static bool is_expected(const struct judge *j, const struct pl_way *way)
{
    return !strcmp(way->name, "shm") && !j->near;
}

static void tell_better(const struct judge *j, int chosen)
{
    for (int i = 0; i < chosen; i++) {
        const struct pl_way *way = &j->ways[i];
        if (way->allowed && !is_expected(j, way))
            pl_find_peer(j->findings, j->peer, PL_LEVEL_NOTE, way->name, mend(j, way, why_not(j, way)),
                         "%s comes first in PEAL_TRANSPORT, but %s is used: %s", way->name,
                         j->ways[chosen].name, why_not(j, way));
    }
}

static void tell_memory(const struct judge *j, const struct pl_way *way)
{
    const struct pl_way_peer *peer = &way->peers[j->peer];
    const struct pl_facts *facts = j->facts;
    const char *line =
        facts->ptrace_scope == 2 ? "sysctl -w kernel.yama.ptrace_scope=1"
        : facts->ptrace_scope == 3
            ? "set kernel.yama.ptrace_scope=1 in /etc/sysctl.d and boot again"
            : "in containers: docker run --cap-add=SYS_PTRACE; else start all ranks as one user";
    bool tcp = !strcmp(way->name, "tcp");
    char where[100] = "";
    if (peer->where[0])
        snprintf(where, sizeof where, " at %s", peer->where);
    if (peer->reached)
        pl_find_peer(j->findings, j->peer, PL_LEVEL_OK, way->name, NULL,
                     "used; a pattern went both ways, and was read straight from the peer's memory%s%s",
                     way->about[0] ? ": " : "", way->about);
    else if (tcp)
        pl_find_peer(j->findings, j->peer, PL_LEVEL_OK, way->name, NULL, "used%s; a pattern went both ways",
                     where);
    else
        pl_find_peer(
            j->findings, j->peer, PL_LEVEL_NOTE, way->name,
            strcmp(way->name, "shm") ? mend(j, way, peer->why_not_reached) : line,
            "used; a pattern went both ways, but the peer's memory cannot be read (long messages cost "
            "another copy): %s",
            peer->why_not_reached);
}

static void tell_chosen(const struct judge *j, int chosen)
{
    const struct pl_way *way = &j->ways[chosen];
    tell_better(j, chosen);
    if (works(j, way))
        tell_memory(j, way);
    else
        pl_find_peer(j->findings, j->peer, PL_LEVEL_PROBLEM, way->name, mend(j, way, why_not(j, way)),
                     "%s is the way to this rank, and does not work: %s", way->name, why_not(j, way));
}

/* RDMA that works and was not asked for. */
static void tell_offer(const struct judge *j, int chosen)
{
    for (int i = 0; i < j->count; i++) {
        const struct pl_way *way = &j->ways[i];
        if (strcmp(way->name, "verbs") || way->allowed || i == chosen || !works(j, way))
            continue;
        pl_find_peer(
            j->findings, j->peer, way->software || j->near ? PL_LEVEL_OK : PL_LEVEL_NOTE, way->name,
            way->software || j->near ? NULL : "export PEAL_TRANSPORT=shm,verbs,tcp",
            "works, a pattern went both ways and was %s; not used, since PEAL_TRANSPORT does not name it: %s",
            way->peers[j->peer].reached ? "read by RDMA" : "not read by RDMA", way->about);
    }
}

static void tell_none(const struct judge *j)
{
    char text[PL_FINDING_TEXT];
    size_t at = 0;
    const char *line = "";
    text[0] = '\0';
    for (int i = 0; i < j->count && at < sizeof text; i++) {
        const struct pl_way *way = &j->ways[i];
        if (!way->allowed || is_expected(j, way))
            continue;
        const char *why = !way->used ? "not opened, since another transport should do" : why_not(j, way);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s: %s", at ? "; " : "", way->name, why);
        if (!*line)
            line = mend(j, way, why);
        if (!way->used && works(j, way))
            line = "export PEAL_TRANSPORT=tcp";
    }
    pl_find_peer(j->findings, j->peer, PL_LEVEL_PROBLEM, "reach", line, "no transport leads there: %s", text);
}

void pl_ways_judge(const struct pl_way *ways, int count, const struct pl_facts *facts, int rank, int size,
                   const int *host_of, struct pl_findings *findings)
{
    for (int peer = 0; peer < size; peer++) {
        struct judge j = {ways, count, facts, findings, peer, host_of[peer] == host_of[rank]};
        bool tried = false;
        int chosen = -1;
        for (int i = 0; i < count; i++) {
            const struct pl_way_peer *p = &ways[i].peers[peer];
            tried |= p->connected || p->why[0] || !ways[i].opened;
            if (chosen < 0 && ways[i].used && ways[i].opened && p->connected)
                chosen = i;
        }
        if (peer == rank || !tried)
            continue;
        if (chosen >= 0)
            tell_chosen(&j, chosen);
        else
            tell_none(&j);
        tell_offer(&j, chosen);
    }
}

/* ---- trying ---- */

static int add_way(struct pl_way *ways, int count, const char *name, bool allowed)
{
    const struct pl_transport *transport = strcmp(name, "loopback") ? pl_transport_find(name) : NULL;
    if (!transport || count == PL_WAYS_MAX)
        return count;
    for (int i = 0; i < count; i++)
        if (!strcmp(ways[i].name, transport->name))
            return count;
    ways[count] = (struct pl_way){.name = transport->name, .allowed = allowed};
    return count + 1;
}

/* Those allowed, in their order, and verbs, which may be worth allowing. */
static int list_ways(const struct pl_config *config, struct pl_way *ways)
{
    char names[sizeof config->transports], *rest = names;
    int count = 0;
    strcpy(names, config->transports);
    for (char *name; (name = strsep(&rest, ","));)
        count = add_way(ways, count, name, true);
    if (!count) { /* as the library has it then */
        count = add_way(ways, count, "shm", true);
        count = add_way(ways, count, "tcp", true);
    }
    return add_way(ways, count, "verbs", false);
}

static void tell_unknown(const struct pl_doctor *doctor, struct pl_findings *findings)
{
    char names[sizeof doctor->config.transports], *rest = names;
    strcpy(names, doctor->config.transports);
    for (char *name; (name = strsep(&rest, ","));)
        if (!strcmp(name, "loopback") || !pl_transport_find(name))
            pl_find(findings, PL_LEVEL_NOTE, "reach", "export PEAL_TRANSPORT=shm,tcp",
                    "PEAL_TRANSPORT names '%s', which is %s; it is left out", name,
                    strcmp(name, "loopback")
                        ? strcmp(name, "verbs") ? "no transport" : "not built in (-Dverbs=enabled)"
                        : "for ranks of one process");
}

/* What is not open for any peer is told once, not for each of them. */
static void tell_closed(const struct pl_way *way, struct pl_findings *findings)
{
    if (!way->opened && !way->allowed && !strstr(way->why, "no RDMA device") &&
        !strstr(way->why, "libibverbs"))
        pl_find(findings, PL_LEVEL_NOTE, way->name, mend_verbs(way->why), "cannot be used: %s", way->why);
}

void pl_doctor_ways(struct pl_doctor *doctor, const struct pl_facts *facts)
{
    struct pl_way ways[PL_WAYS_MAX] = {{0}};
    int count = list_ways(&doctor->config, ways), opened = 0, error = 0;
    if (doctor->size == 1) {
        pl_find(&doctor->findings, PL_LEVEL_OK, "reach", NULL, "one rank alone: there is nobody to reach");
        return;
    }
    if (!doctor->rank)
        tell_unknown(doctor, &doctor->findings);
    for (int i = 0; i < count && !error; i++) {
        ways[i].used =
            ways[i].allowed && pl_rank_needs(ways[i].name, doctor->local_size, doctor->hosts, opened);
        error = pl_doctor_try(doctor, &ways[i]);
        opened += ways[i].used && ways[i].opened;
        tell_closed(&ways[i], &doctor->findings);
    }
    if (error)
        pl_find(&doctor->findings, PL_LEVEL_PROBLEM, "reach", NULL, "the examination could not go on: %s",
                pl_fail_text());
    else
        pl_ways_judge(ways, count, facts, doctor->rank, doctor->size, doctor->host_of, &doctor->findings);
    for (int i = 0; i < count; i++)
        free(ways[i].peers);
}
