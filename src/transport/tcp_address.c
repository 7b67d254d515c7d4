/* Interfaces, the filter on them, and the business card.
 *
 * The card is a list of addresses, best first, since a host seldom knows which
 * of its addresses a peer can reach; the dialer tries them in turn. When every
 * rank is on one host only loopback addresses are listed and listened on, so
 * that a local job opens nothing to the outside. Link-local IPv6 addresses are
 * left out: they mean nothing without the name of the peer's own interface.
 *
 * Which address is tried first decides how long a first message takes, and over which
 * network all others go. In the card those of bridges to containers or virtual machines come
 * last: docker0 has the same address on every host, and leads nowhere. The dialer,
 * who knows its own networks, puts addresses of those first.
 *
 * Packed, all numbers little-endian except the ports, which stay as the
 * network has them:
 *
 *   'P' 'T' version count | nonce 16 | count x { family 4 or 6, port 2, address 4 or 16 }
 */
#include "tcp_address.h"

#include "errors.h"
#include "log.h"
#include "transport.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CARD_VERSION 1
#define CARD_FIXED   (4 + PL_TCP_NONCE)

_Static_assert(CARD_FIXED + PL_TCP_ADDRESSES * 19 <= PL_CARD_MAX, "a full card must fit");

/* The bytes of the address alone, and how many bits they have. */
static const unsigned char *address_bits(const union pl_tcp_address *address, int *bits)
{
    bool v4 = address->any.sa_family == AF_INET;
    *bits = v4 ? 32 : 128;
    return v4 ? (const unsigned char *)&address->v4.sin_addr : address->v6.sin6_addr.s6_addr;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, (size_t)whole))
        return false;
    return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

/* One item of the filter without its '^', against one address. 1, 0, or PL_EARG. */
static int item_matches(const char *item, const char *interface, const union pl_tcp_address *address)
{
    if (!strcmp(item, interface))
        return 1;
    char number[64];
    snprintf(number, sizeof number, "%s", item);
    char *slash = strchr(number, '/');
    if (slash)
        *slash = 0;
    unsigned char wanted[16];
    int family = inet_pton(AF_INET, number, wanted) == 1    ? AF_INET
                 : inet_pton(AF_INET6, number, wanted) == 1 ? AF_INET6
                                                            : AF_UNSPEC;
    if (family == AF_UNSPEC && slash)
        return pl_fail(PL_EARG, "PEAL_NET: '%s' is neither an interface nor a subnet like 10.0.0.0/8", item);
    if (family == AF_UNSPEC)
        return 0;
    long most = family == AF_INET ? 32 : 128, prefix = most;
    if (slash) {
        char *end;
        prefix = strtol(slash + 1, &end, 10);
        if (end == slash + 1 || *end || prefix < 0 || prefix > most)
            return pl_fail(PL_EARG, "PEAL_NET: '%s': the prefix must be 0..%ld", item, most);
    }
    int bits;
    const unsigned char *have = address_bits(address, &bits);
    return family == address->any.sa_family && same_prefix(have, wanted, (int)prefix);
}

/* Whether an item names an RDMA device ("mlx5_0:1"), which is for another transport. */
static bool names_device(const char *item)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/class/infiniband/%.*s", (int)strcspn(item, ":/"), item);
    return item[strcspn(item, ":/")] != '/' && !access(path, F_OK);
}

/* The whole filter against one address. 1, 0, or PL_EARG. */
static int filter_passes(const char *filter, const char *interface, const union pl_tcp_address *address)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", filter);
    bool any_wanted = false, wanted = false;
    for (char *item = strtok_r(copy, ", ", &save); item; item = strtok_r(NULL, ", ", &save)) {
        bool leave_out = *item == '^';
        if (names_device(item))
            continue;
        int match = item_matches(item + leave_out, interface, address);
        if (match < 0)
            return match;
        if (leave_out && match)
            return 0;
        any_wanted |= !leave_out;
        wanted |= !leave_out && match;
    }
    return !any_wanted || wanted;
}

static bool usable(const struct ifaddrs *at, bool local)
{
    if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || !(at->ifa_flags & IFF_LOOPBACK) != !local)
        return false;
    if (at->ifa_addr->sa_family == AF_INET)
        return true;
    if (at->ifa_addr->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, at->ifa_addr, sizeof v6);
    return !IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
}

/* Whether an interface is a bridge without a card of the machine's own in it, as Docker, Podman and libvirt
 * make them. The driver's name says what a bridge is; /sys, which may be another network's in a container,
 * only what is in it. */
static bool inner_bridge(const char *interface)
{
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {.ifr_data = (char *)&driver};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool bridge = fd >= 0 && !ioctl(fd, SIOCETHTOOL, &request) && !strcmp(driver.driver, "bridge");
    if (fd >= 0)
        close(fd);
    if (!bridge)
        return false;
    char path[300];
    snprintf(path, sizeof path, "/sys/class/net/%s/brif", interface);
    DIR *members = opendir(path);
    bool own = false;
    for (struct dirent *entry; members && !own && (entry = readdir(members));) {
        char device[600];
        snprintf(device, sizeof device, "/sys/class/net/%s/device", entry->d_name);
        own = entry->d_name[0] != '.' && !access(device, F_OK);
    }
    if (members)
        closedir(members);
    return !own;
}

static unsigned char prefix_of(const struct ifaddrs *at)
{
    union pl_tcp_address mask = {.v6 = {0}};
    int bits, count = 0;
    if (!at->ifa_netmask)
        return 0;
    memcpy(&mask, at->ifa_netmask, at->ifa_addr->sa_family == AF_INET ? sizeof mask.v4 : sizeof mask.v6);
    mask.any.sa_family = at->ifa_addr->sa_family;
    const unsigned char *bytes = address_bits(&mask, &bits);
    while (count < bits && bytes[count / 8] >> (7 - count % 8) & 1)
        count++;
    return (unsigned char)count;
}

/* Adds the addresses of one kind: inner bridges, or the others. */
static int collect_kind(const struct ifaddrs *all, bool local, bool inner, const char *filter,
                        struct pl_tcp_card *card)
{
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        if (!usable(at, local) || inner_bridge(at->ifa_name) != inner)
            continue;
        union pl_tcp_address address = {.v6 = {0}};
        memcpy(&address, at->ifa_addr,
               at->ifa_addr->sa_family == AF_INET ? sizeof address.v4 : sizeof address.v6);
        int pass = filter_passes(filter, at->ifa_name, &address);
        if (pass < 0)
            return pass;
        if (!pass)
            continue;
        if (card->count == PL_TCP_ADDRESSES) {
            pl_info("tcp: more than %d addresses, the rest is not used; PEAL_NET chooses", PL_TCP_ADDRESSES);
            break;
        }
        card->prefix[card->count] = prefix_of(at);
        card->inner[card->count] = inner;
        card->address[card->count++] = address;
    }
    return 0;
}

static int collect(const struct ifaddrs *all, bool local, const char *filter, struct pl_tcp_card *card)
{
    card->count = 0;
    int error = collect_kind(all, local, false, filter, card);
    return error ? error : collect_kind(all, local, true, filter, card);
}

int pl_tcp_filter_check(const char *filter)
{
    union pl_tcp_address none = {.v4 = {.sin_family = AF_INET}};
    int pass = filter_passes(filter, "", &none);
    return pass < 0 ? pass : 0;
}

int pl_tcp_addresses(bool local, const char *filter, struct pl_tcp_card *card)
{
    struct ifaddrs *all;
    if (getifaddrs(&all))
        return pl_fail_errno("tcp: cannot list the network interfaces (getifaddrs)");
    int error = collect(all, local, filter, card);
    if (!error && local && !card->count)
        error = collect(all, local, "", card);
    freeifaddrs(all);
    if (error)
        return error;
    if (!card->count)
        return pl_fail(PL_EUNSUPPORTED, "tcp: no usable network address%s%s%s",
                       filter[0] ? " is let through by PEAL_NET=" : "", filter,
                       local ? " (loopback is down)" : "");
    return 0;
}

size_t pl_tcp_card_pack(const struct pl_tcp_card *card, void *bytes)
{
    unsigned char *out = bytes;
    *out++ = 'P';
    *out++ = 'T';
    *out++ = CARD_VERSION;
    *out++ = (unsigned char)card->count;
    memcpy(out, card->nonce, PL_TCP_NONCE);
    out += PL_TCP_NONCE;
    for (int i = 0; i < card->count; i++) {
        const union pl_tcp_address *a = &card->address[i];
        int bits;
        const unsigned char *number = address_bits(a, &bits);
        *out++ = bits == 32 ? 4 : 6;
        memcpy(out, bits == 32 ? &a->v4.sin_port : &a->v6.sin6_port, 2);
        memcpy(out + 2, number, (size_t)bits / 8);
        out += 2 + bits / 8;
    }
    return (size_t)(out - (unsigned char *)bytes);
}

int pl_tcp_card_unpack(const void *bytes, size_t length, struct pl_tcp_card *card)
{
    const unsigned char *in = bytes, *end = in + length;
    struct pl_tcp_card read = {.count = 0};
    if (length < CARD_FIXED || in[0] != 'P' || in[1] != 'T' || in[2] != CARD_VERSION || !in[3] ||
        in[3] > PL_TCP_ADDRESSES)
        return pl_fail(PL_EPROTOCOL, "tcp: this is not a card of a tcp port (%zu bytes)", length);
    int count = in[3];
    memcpy(read.nonce, in + 4, PL_TCP_NONCE);
    in += CARD_FIXED;
    for (; read.count < count; read.count++) {
        union pl_tcp_address *a = &read.address[read.count];
        size_t size = in < end && *in == 4 ? 4 : 16;
        if (in == end || (*in != 4 && *in != 6) || (size_t)(end - in) < 3 + size)
            return pl_fail(PL_EPROTOCOL, "tcp: address %d of a card is cut short or of no known family",
                           read.count);
        if (size == 4) {
            a->v4.sin_family = AF_INET;
            memcpy(&a->v4.sin_port, in + 1, 2);
            memcpy(&a->v4.sin_addr, in + 3, 4);
        } else {
            a->v6.sin6_family = AF_INET6;
            memcpy(&a->v6.sin6_port, in + 1, 2);
            memcpy(&a->v6.sin6_addr, in + 3, 16);
        }
        in += 3 + size;
    }
    if (in != end)
        return pl_fail(PL_EPROTOCOL, "tcp: %zu bytes too many in a card", (size_t)(end - in));
    *card = read;
    return 0;
}

/* How an address of a peer looks from here. */
enum nearness { NEAR, FAR, OWN };

static enum nearness nearness_of(const struct pl_tcp_card *own, const union pl_tcp_address *address)
{
    int bits;
    const unsigned char *number = address_bits(address, &bits);
    enum nearness nearness = FAR;
    for (int i = 0; i < own->count; i++) {
        int own_bits;
        const unsigned char *mine = address_bits(&own->address[i], &own_bits);
        if (own_bits != bits)
            continue;
        if (same_prefix(mine, number, bits))
            return OWN;
        if (!own->inner[i] && own->prefix[i] && same_prefix(mine, number, own->prefix[i]))
            nearness = NEAR;
    }
    return nearness;
}

void pl_tcp_card_prefer(struct pl_tcp_card *card, const struct pl_tcp_card *own, int turn)
{
    struct pl_tcp_card sorted = *card;
    sorted.count = 0;
    for (enum nearness nearness = NEAR; nearness <= OWN; nearness++) {
        int first = sorted.count;
        for (int i = 0; i < card->count; i++)
            if (nearness_of(own, &card->address[i]) == nearness)
                sorted.address[sorted.count++] = card->address[i];
        int near = sorted.count - first;
        for (int i = 0; nearness == NEAR && i < (near ? turn % near : 0); i++) {
            union pl_tcp_address moved = sorted.address[0];
            memmove(sorted.address, sorted.address + 1, sizeof moved * (size_t)(near - 1));
            sorted.address[near - 1] = moved;
        }
    }
    *card = sorted;
}

const char *pl_tcp_card_text(const struct pl_tcp_card *card, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < card->count && at < size; i++) {
        char number[INET6_ADDRSTRLEN] = "?";
        int bits;
        const unsigned char *bytes = address_bits(&card->address[i], &bits);
        inet_ntop(bits == 32 ? AF_INET : AF_INET6, bytes, number, sizeof number);
        at += (size_t)snprintf(text + at, size - at, "%s%s%s", i ? ", " : "", number,
                               card->inner[i] ? " (a bridge)" : "");
    }
    return text;
}

socklen_t pl_tcp_address_size(const union pl_tcp_address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

const char *pl_tcp_address_text(const union pl_tcp_address *address, char text[PL_TCP_TEXT])
{
    char number[INET6_ADDRSTRLEN] = "?";
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, number, sizeof number);
        snprintf(text, PL_TCP_TEXT, "%s:%d", number, ntohs(address->v4.sin_port));
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, number, sizeof number);
        snprintf(text, PL_TCP_TEXT, "[%s]:%d", number, ntohs(address->v6.sin6_port));
    } else {
        snprintf(text, PL_TCP_TEXT, "an unknown address");
    }
    return text;
}
