/* RDMA devices as the kernel shows them: what is there, and what keeps this process from it. Whether
 * messages go over it is found out by sending some: doctor_try.c.
 */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 700 };

static void read_word(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file || !fgets(text, (int)size, file))
        *text = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (file)
        fclose(file);
}

/* The file by which the device is opened: the uverbs whose ibdev is its name. */
static bool find_file(const struct pl_roots *roots, const char *device, char *path, size_t size)
{
    char folder[PATH], name[64];
    snprintf(folder, sizeof folder, "%s/class/infiniband_verbs", roots->sys);
    DIR *files = opendir(folder);
    bool found = false;
    for (struct dirent *entry; files && !found && (entry = readdir(files));) {
        char ibdev[2 * PATH];
        snprintf(ibdev, sizeof ibdev, "%s/%s/ibdev", folder, entry->d_name);
        read_word(ibdev, name, sizeof name);
        found = !strcmp(name, device);
        if (found)
            snprintf(path, size, "%s/infiniband/%.100s", roots->dev, entry->d_name);
    }
    if (files)
        closedir(files);
    return found;
}

static void check_port(const struct pl_roots *roots, const char *device, const char *port, bool wanted,
                       struct pl_findings *findings)
{
    char path[PATH], state[32], layer[32], interface[32], mend[PL_FINDING_MEND];
    snprintf(path, sizeof path, "%s/class/infiniband/%.64s/ports/%.16s/state", roots->sys, device, port);
    read_word(path, state, sizeof state);
    snprintf(path, sizeof path, "%s/class/infiniband/%.64s/ports/%.16s/link_layer", roots->sys, device, port);
    read_word(path, layer, sizeof layer);
    snprintf(path, sizeof path, "%s/class/infiniband/%.64s/ports/%.16s/gid_attrs/ndevs/0", roots->sys, device,
             port);
    read_word(path, interface, sizeof interface);
    if (strstr(state, "ACTIVE")) {
        pl_find(findings, PL_LEVEL_OK, "rdma", NULL, "%s port %s is active (%s)", device, port, layer);
        return;
    }
    if (!strcmp(layer, "InfiniBand"))
        snprintf(mend, sizeof mend, "plug in the cable, and start a subnet manager (opensm) in the fabric");
    else
        snprintf(mend, sizeof mend, "ip link set %s up", *interface ? interface : "INTERFACE");
    pl_find(findings, wanted ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE, "rdma", mend,
            "%s port %s is not active: its state is '%s'", device, port, *state ? state : "not known");
}

static void check_device(const struct pl_roots *roots, const char *device, bool wanted,
                         struct pl_findings *findings)
{
    char path[PATH], mend[PL_FINDING_MEND];
    enum pl_level level = wanted ? PL_LEVEL_PROBLEM : PL_LEVEL_NOTE;
    if (!find_file(roots, device, path, sizeof path))
        pl_find(findings, level, "rdma", "modprobe ib_uverbs",
                "%s has no file for programs: the module ib_uverbs is not loaded", device);
    else if (access(path, R_OK | W_OK)) {
        if (errno == ENOENT)
            snprintf(mend, sizeof mend, "docker run --device=/dev/infiniband --ulimit memlock=-1");
        else
            snprintf(mend, sizeof mend, "chmod a+rw %.200s", path);
        pl_find(findings, level, "rdma", mend, "%s cannot be opened: %s: %s", device, path, strerror(errno));
    } else {
        pl_find(findings, PL_LEVEL_OK, "rdma", NULL, "%s may be opened (%s)", device, path);
    }
    snprintf(path, sizeof path, "%s/class/infiniband/%.64s/ports", roots->sys, device);
    DIR *ports = opendir(path);
    for (struct dirent *entry; ports && (entry = readdir(ports));)
        if (entry->d_name[0] != '.')
            check_port(roots, device, entry->d_name, wanted, findings);
    if (ports)
        closedir(ports);
}

void pl_check_rdma(const struct pl_roots *roots, bool wanted, struct pl_findings *findings)
{
    char path[PATH];
    int devices = 0;
    snprintf(path, sizeof path, "%s/class/infiniband", roots->sys);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') {
            check_device(roots, entry->d_name, wanted, findings);
            devices++;
        }
    if (folder)
        closedir(folder);
    if (devices)
        return;
    if (wanted)
        pl_find(findings, PL_LEVEL_PROBLEM, "rdma", "export PEAL_TRANSPORT=shm,tcp",
                "PEAL_TRANSPORT names verbs, and this host has no RDMA device");
    else
        pl_find(findings, PL_LEVEL_OK, "rdma", NULL, "this host has no RDMA device");
}
