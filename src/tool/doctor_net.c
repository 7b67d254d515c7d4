/* Networks: which addresses peers are told of, and whether it is worth while to choose. */
#include "doctor.h"

#include "errors.h"
#include "tcp_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* "10.0.0.0/24" of an address of the card. */
static void subnet_text(const struct pl_tcp_card *card, int i, char *text, size_t size)
{
    union pl_tcp_address a = card->address[i];
    bool v4 = a.any.sa_family == AF_INET;
    unsigned char *bytes = v4 ? (unsigned char *)&a.v4.sin_addr : a.v6.sin6_addr.s6_addr;
    char number[INET6_ADDRSTRLEN];
    for (int bit = card->prefix[i]; bit < (v4 ? 32 : 128); bit++)
        bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
    inet_ntop(a.any.sa_family, bytes, number, sizeof number);
    snprintf(text, size, "%s/%d", number, card->prefix[i]);
}

/* Networks of IPv4 that lead to other hosts; an interface has its IPv6 address beside them. */
static int count_networks(const struct pl_tcp_card *card)
{
    int count = 0;
    for (int i = 0; i < card->count; i++) {
        char mine[64], other[64];
        bool again = card->inner[i] || card->address[i].any.sa_family != AF_INET;
        subnet_text(card, i, mine, sizeof mine);
        for (int k = 0; k < i && !again; k++) {
            subnet_text(card, k, other, sizeof other);
            again = !strcmp(mine, other);
        }
        count += !again;
    }
    return count;
}

void pl_check_net(const struct pl_tcp_card *card, int error, const char *why, const char *filter,
                  bool several, struct pl_findings *findings)
{
    char text[200], mend[PL_FINDING_MEND], subnet[64];
    if (error) {
        pl_find(findings, several || error == PL_EARG ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE, "net",
                *filter ? "unset PEAL_NET, or let it name a network that is there (ip addr lists them)"
                        : "ip link set INTERFACE up, and give it an address (ip addr lists them)",
                "%s", why);
        return;
    }
    pl_tcp_card_text(card, text, sizeof text);
    int networks = count_networks(card);
    if (networks < 2 || *filter || !several) {
        pl_find(findings, PL_LEVEL_OK, "net", NULL, "addresses for other hosts: %s%s%s", text,
                *filter ? ", as chosen by PEAL_NET=" : "", filter);
        return;
    }
    subnet_text(card, 0, subnet, sizeof subnet);
    snprintf(mend, sizeof mend, "if one of them is the right one: export PEAL_NET=%s", subnet);
    pl_find(findings, PL_LEVEL_NOTE, "net", mend,
            "%d networks (%s): peers share them out among their connections, slow ones too", networks, text);
}

void pl_doctor_net(struct pl_doctor *doctor)
{
    struct pl_tcp_card card = {.count = 0};
    char why[PL_FINDING_TEXT] = "";
    int error = pl_tcp_filter_check(doctor->config.net);
    if (!error)
        error = pl_tcp_addresses(false, doctor->config.net, &card);
    if (error)
        snprintf(why, sizeof why, "%s", pl_fail_text());
    pl_check_net(&card, error, why, doctor->config.net, doctor->hosts > 1, &doctor->findings);
}
