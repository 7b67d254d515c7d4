/* What `peal doctor` looks at on a host, and what follows from it.
 *
 * Facts are read through roots, and checks are functions of facts alone, so that each condition can be shown
 * to them without being there. */
#ifndef PL_FACTS_H
#define PL_FACTS_H

#include "findings.h"

#include <stddef.h>
#include <stdint.h>

/* Where the system is; tests have a small tree of their own. */
struct pl_roots {
    const char *proc, *sys, *dev;
};
extern const struct pl_roots pl_roots_here; /* /proc, /sys, /dev */

#define PL_UNLIMITED UINT64_MAX

struct pl_facts {
    /* The world. */
    int ranks, local_ranks, hosts;
    /* What PEAL_TRANSPORT allows. */
    bool wants_shm, wants_tcp, wants_verbs;
    /* Read from the roots. */
    bool proc_there;
    int ptrace_scope; /* of yama; -1: none */
    int seccomp;      /* of this process: 0 no, 1 strict, 2 filter */
    bool may_trace;   /* CAP_SYS_PTRACE */
    uint64_t memlock, memlock_most, files, files_most, file_size, address_space; /* bytes, or a number */
    uint64_t shm_size, shm_free;        /* bytes of /dev/shm; 0: it is not there */
    uint64_t memory_available;          /* bytes, of the host */
    uint64_t memory_limit, memory_used; /* of the narrowest control group */
    double cpu_quota;                   /* CPUs that control groups leave; 0: all */
    int cpus;                           /* that the ranks of this host may be put on; set by the caller */
    int cpus_online;                    /* likewise */
    uint64_t rank_segment, rank_segment_most; /* bytes of shared memory that a rank needs, and maps */
    int rank_files;                           /* descriptors that a rank needs */
};

/* Fills what comes from the roots; the rest stays. */
void pl_facts_read(struct pl_facts *facts, const struct pl_roots *roots);
/* What a rank needs, from the world's shape; the rest stays. */
void pl_facts_needs(struct pl_facts *facts);

/* One check each: adds one finding at least, or says nothing where that is said. For the first rank of a
 * host: */
void pl_check_proc(const struct pl_facts *facts, struct pl_findings *findings);
void pl_check_ptrace(const struct pl_facts *facts, struct pl_findings *findings);
void pl_check_shm(const struct pl_facts *facts, struct pl_findings *findings);
void pl_check_cpus(const struct pl_facts *facts, struct pl_findings *findings);
/* For each rank, whose limits may be its own: */
void pl_check_memlock(const struct pl_facts *facts, struct pl_findings *findings);
void pl_check_files(const struct pl_facts *facts, struct pl_findings *findings);
void pl_check_shm_limits(const struct pl_facts *facts,
                         struct pl_findings *findings); /* silent if they are none */

/* Environment variables that begin with PEAL_: names that are none, values that cannot be used. */
void pl_check_knobs(char *const *environment, struct pl_findings *findings);

/* "64 MiB", "unlimited"; returns `text`. */
const char *pl_facts_bytes(char text[32], uint64_t bytes);

#endif
