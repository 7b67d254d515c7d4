/* Lists of hosts: -host a,b:4 and files of hosts. */
#ifndef PL_HOSTS_H
#define PL_HOSTS_H

#include <stdbool.h>

enum { PL_HOSTS_MAX = 65536 };

struct pl_host {
    char *name; /* as the user wrote it, user@ included */
    int slots;  /* ranks that are placed here before the next host has its turn, 1 if not said */
    bool local; /* it is the host where mpiexec runs */
};

struct pl_hosts {
    struct pl_host *list;
    int count;
};

/* Appends "a,b:4,[fd00::1]:2". A host that is named again gets more slots. 0; PL_EARG with a
 * text that begins with `option`; PL_ENOMEM. */
int pl_hosts_add_list(struct pl_hosts *hosts, const char *option, const char *list);

/* Appends what a file names, a host a line: "a", "a:4" or "a slots=4"; '#' begins a comment.
 * 0; PL_EARG with file and line; PL_ESYSTEM; PL_ENOMEM. */
int pl_hosts_add_file(struct pl_hosts *hosts, const char *path);

/* Marks the host that this is, and makes one of it if it has several names in the list. */
void pl_hosts_find_local(struct pl_hosts *hosts);

void pl_hosts_finish(struct pl_hosts *hosts);

#endif
