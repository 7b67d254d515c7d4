/* `peal doctor`: its ranks, and the parts of the examination that need all of them. */
#ifndef PL_DOCTOR_H
#define PL_DOCTOR_H

#include "config.h"
#include "facts.h"
#include "findings.h"
#include "launcher.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_doctor {
    struct pl_launcher *job; /* there always is one: doctor_meet.c */
    bool pair;               /* nobody started this: two processes here, to have somebody to talk to */
    int rank, size;
    int host, local_rank, local_size, hosts;
    int *host_of; /* [size] */
    unsigned char key[PL_LAUNCHER_KEY];
    struct pl_config config;
    int rounds; /* of words shared so far */
    struct pl_findings findings;
};

/* ---- doctor_meet.c ---- */

/* Finds the other ranks by the launcher; without one, makes a second process. 0 or an error. The second
 * process returns too, as rank 1. */
int pl_doctor_meet(struct pl_doctor *doctor);
/* All ranks call it. */
void pl_doctor_part(struct pl_doctor *doctor);
/* Hands `mine` to all ranks, and brings theirs: words[0..size), of which those that did not come are "". All
 * ranks call it. The words are freed by pl_doctor_forget. 0 or an error. */
int pl_doctor_share(struct pl_doctor *doctor, const char *mine, char ***words);
/* The same where only rank 0 wants them: *words is NULL on others. */
int pl_doctor_collect(struct pl_doctor *doctor, const char *mine, char ***words);
void pl_doctor_forget(const struct pl_doctor *doctor, char **words);

/* A launcher of two: calls fork. */
int pl_launcher_fork(struct pl_launcher **launcher);

/* ---- doctor_try.c, doctor_ways.c: each transport between each pair ---- */

struct pl_way_peer {
    bool told;                 /* it has a port of this transport */
    bool connected;            /* connect() accepted its card */
    bool heard;                /* its pattern came, whole and right */
    bool heard_us;             /* and ours there */
    bool wrong;                /* what came was not the pattern */
    bool reached;              /* its memory was read, and had the pattern */
    char why[PL_FINDING_TEXT]; /* not connected, or lost: the transport's own words */
    char why_not_reached[PL_FINDING_TEXT];
    char where[64]; /* the address, or "" */
};

/* One transport, tried between all ranks at once. */
struct pl_way {
    const char *name;
    bool allowed;                /* by PEAL_TRANSPORT */
    bool used;                   /* the library would open it */
    bool opened, software;       /* software: the device is a program */
    char why[PL_FINDING_TEXT];   /* it could not be opened */
    char about[PL_FINDING_TEXT]; /* what it works with: a device, addresses; "" */
    struct pl_way_peer *peers;   /* [size] */
};

enum { PL_WAYS_MAX = 8 };

/* Tries the transport; fills `way`, whose name and `allowed` are set. All ranks call it together. */
int pl_doctor_try(struct pl_doctor *doctor, struct pl_way *way);
/* What follows from them, in the order of preference, for this rank: which is chosen for each peer, and why
 * not the one before. `facts` for the lines that mend. */
void pl_ways_judge(const struct pl_way *ways, int count, const struct pl_facts *facts, int rank, int size,
                   const int *host_of, struct pl_findings *findings);
void pl_doctor_ways(struct pl_doctor *doctor, const struct pl_facts *facts);

/* ---- doctor_names.c ---- */

struct pl_resolved {
    int error;      /* of getaddrinfo; 0 */
    double seconds; /* it took */
    int count;
    char address[16][48];
};
/* Names and addresses of one host, as its ranks tell them. */
struct pl_host_names {
    char name[256];
    int count;
    char address[16][48]; /* of its network interfaces, without loopback */
};
void pl_host_names_pack(const struct pl_host_names *names, char *text, size_t size);
void pl_host_names_unpack(struct pl_host_names *names, const char *text);
/* About the own host's name; `several`: there are ranks elsewhere. */
void pl_check_own_name(const struct pl_host_names *own, const struct pl_resolved *found, bool several,
                       struct pl_findings *findings);
/* About a peer's name as it is resolved here. */
void pl_check_peer_name(const struct pl_host_names *peer, const struct pl_resolved *found,
                        struct pl_findings *findings);
void pl_doctor_names(struct pl_doctor *doctor);

/* ---- doctor_net.c ---- */

struct pl_tcp_card;
/* Which addresses PEAL_NET leaves; `error` and its text from pl_tcp_addresses(). */
void pl_check_net(const struct pl_tcp_card *card, int error, const char *why, const char *filter,
                  bool several, struct pl_findings *findings);
void pl_doctor_net(struct pl_doctor *doctor);

/* ---- doctor_rdma.c ---- */

void pl_check_rdma(const struct pl_roots *roots, bool wanted, struct pl_findings *findings);

/* ---- doctor_gpu.c ---- */

void pl_doctor_gpu(struct pl_doctor *doctor, const struct pl_roots *roots);

#endif
