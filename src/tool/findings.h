/* What `peal doctor` has to say: findings of one rank, on their way to rank 0, and grouped there. */
#ifndef PL_FINDINGS_H
#define PL_FINDINGS_H

#include <stdbool.h>
#include <stdio.h>

enum pl_level { PL_LEVEL_OK, PL_LEVEL_NOTE, PL_LEVEL_PROBLEM };

enum { PL_FINDING_CHECK = 16, PL_FINDING_TEXT = 400, PL_FINDING_MEND = 240 };

struct pl_finding {
    enum pl_level level;
    char check[PL_FINDING_CHECK]; /* "memlock": a word */
    char text[PL_FINDING_TEXT]; /* one line, without a number of a rank in it where others may say the same */
    char mend[PL_FINDING_MEND]; /* the line that mends it; "": nothing needs to be mended */
    bool for_host;              /* it is the same for all ranks of its host, of which one says it */
    int *peers, npeers;         /* about the way to these ranks, ascending; none: about this rank itself */
};

/* Of one rank. Zeroed: empty. */
struct pl_findings {
    struct pl_finding *list;
    int count;
    bool for_host; /* what is added now is */
    bool failed;   /* there was no memory: something is missing */
};

/* Adds one; tabs and ends of lines become blanks. */
void pl_find(struct pl_findings *findings, enum pl_level level, const char *check, const char *mend,
             const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same about the way to a peer; peers of whom the same is said share a finding. */
void pl_find_peer(struct pl_findings *findings, int peer, enum pl_level level, const char *check,
                  const char *mend, const char *format, ...) __attribute__((format(printf, 6, 7)));
void pl_findings_finish(struct pl_findings *findings);

/* As text, a line each; NULL: no memory. The caller frees it. And back: lines that are none are left out. */
char *pl_findings_pack(const struct pl_findings *findings);
void pl_findings_unpack(struct pl_findings *findings, const char *text);

/* Where the ranks are, for the table. */
struct pl_places {
    int ranks, hosts;
    const int *host_of;       /* [ranks] */
    const char *const *names; /* [hosts] */
};

/* What ranks say alike, once. */
struct pl_finding_group {
    const struct pl_finding *finding; /* the first of them */
    int *from, *to, count;            /* who says it (rank, -1), or about which pair (rank, peer); in order */
};
struct pl_finding_groups {
    struct pl_finding_group *list;
    int count;
};

/* Groups the findings of all ranks, problems last, in order of appearance. They must outlive the groups. 0 or
 * PL_ENOMEM. */
int pl_groups_make(struct pl_finding_groups *groups, const struct pl_findings *all, int ranks);
void pl_groups_finish(struct pl_finding_groups *groups);

/* "" (the one host, or the one rank), "all ranks", "host a", "ranks 0-3", "each pair of 0-3", "1<->4, 2->3";
 * returns `text`. */
const char *pl_group_who(const struct pl_finding_group *group, const struct pl_places *places, char *text,
                         size_t size);

/* Prints; returns how many problems there were. */
int pl_groups_print(const struct pl_finding_groups *groups, const struct pl_places *places, FILE *file);
int pl_groups_print_json(const struct pl_finding_groups *groups, const struct pl_places *places, FILE *file);

#endif
