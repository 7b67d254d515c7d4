/* Which device, which of its ports, which of its addresses.
 *
 * PEAL_NET chooses: "mlx5_0", "mlx5_0:1" or "mlx5_0:1:3" names device, port and
 * GID index; the name of a network interface or a subnet, as for tcp, chooses the
 * GID that belongs to it. Without it: the first active port, and on Ethernet (RoCE) the
 * best of its GIDs, which are one for each address of its interface and version:
 *
 *   RoCE v2 with an IPv4 address > RoCE v2, global IPv6 > RoCE v2, link-local > RoCE v1
 *
 * v2 since it is routed and is what switches are set up for; IPv4 since every
 * cluster has it. On InfiniBand: GID 0, and the LID while both ends are in one subnet.
 *
 * Types and interfaces of GIDs are read from sysfs: the library's call for it
 * came late and has changed since.
 */
#include "verbs.h"

#include "errors.h"
#include "log.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct wish {
    char device[64];
    int port, gid;
    char filter[256]; /* the items that name no device */
};

static bool is_device(struct pl_verbs_library *library, struct ibv_device **list, const char *name)
{
    for (; *list; list++)
        if (!strcmp(library->get_device_name(*list), name))
            return true;
    return false;
}

static void read_wish(struct pl_verbs_library *library, struct ibv_device **list, const char *net,
                      struct wish *wish)
{
    char copy[256], *save = NULL;
    *wish = (struct wish){.gid = -1};
    snprintf(copy, sizeof copy, "%s", net);
    for (char *item = strtok_r(copy, ", ", &save); item; item = strtok_r(NULL, ", ", &save)) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(item, ":"), item);
        if (is_device(library, list, name)) {
            strcpy(wish->device, name);
            sscanf(item + strlen(name), ":%d:%d", &wish->port, &wish->gid);
        } else if (*item != '^') {
            strcat(strcat(wish->filter, wish->filter[0] ? "," : ""), item);
        }
    }
}

/* One line of /sys/class/infiniband/DEVICE/ports/PORT/gid_attrs/WHAT/INDEX; empty when there is none. */
static void gid_attribute(const struct pl_verbs_device *device, const char *what, int index, char *text,
                          size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/ports/%d/gid_attrs/%s/%d", device->name,
             device->port, what, index);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    text[strcspn(text, "\n")] = 0;
}

static bool is_mapped(const union ibv_gid *gid)
{
    static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};
    return !memcmp(gid->raw, prefix, sizeof prefix);
}

/* Whether the address of the GID is in the subnet "10.0.0.0/8" or "fd00::/16". */
static bool in_subnet(const union ibv_gid *gid, const char *item)
{
    char number[64];
    unsigned char wanted[16];
    snprintf(number, sizeof number, "%s", item);
    char *slash = strchr(number, '/');
    if (slash)
        *slash++ = 0;
    bool v4 = inet_pton(AF_INET, number, wanted) == 1;
    if (!v4 && inet_pton(AF_INET6, number, wanted) != 1)
        return false;
    if (v4 != is_mapped(gid))
        return false;
    const unsigned char *have = v4 ? gid->raw + 12 : gid->raw;
    int bits = slash ? atoi(slash) : v4 ? 32 : 128;
    if (bits < 0 || bits > (v4 ? 32 : 128))
        return false;
    int whole = bits / 8, rest = bits % 8;
    return !memcmp(have, wanted, (size_t)whole) && (!rest || !((have[whole] ^ wanted[whole]) >> (8 - rest)));
}

static bool passes(const struct pl_verbs_device *device, const char *filter, int index,
                   const union ibv_gid *gid)
{
    char copy[256], interface[64], *save = NULL;
    if (!*filter)
        return true;
    gid_attribute(device, "ndevs", index, interface, sizeof interface);
    snprintf(copy, sizeof copy, "%s", filter);
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save))
        if (!strcmp(item, interface) || in_subnet(gid, item))
            return true;
    return false;
}

/* How good a GID is; 0: none. */
static int rank_gid(const struct pl_verbs_device *device, int index, const union ibv_gid *gid)
{
    char type[32];
    static const union ibv_gid none;
    if (!memcmp(gid, &none, sizeof none))
        return 0;
    gid_attribute(device, "types", index, type, sizeof type);
    bool second = strstr(type, "v2");
    bool local = gid->raw[0] == 0xfe && gid->raw[1] == 0x80;
    return second ? is_mapped(gid) ? 5 : local ? 3 : 4 : is_mapped(gid) ? 2 : 1;
}

static int choose_gid(struct pl_verbs_library *library, const struct wish *wish, int gids,
                      struct pl_verbs_device *device)
{
    int best = 0;
    device->gid_index = -1;
    for (int i = 0; i < gids; i++) {
        union ibv_gid gid;
        if ((wish->gid >= 0 && i != wish->gid) ||
            library->query_gid(device->context, (uint8_t)device->port, i, &gid))
            continue;
        int good = rank_gid(device, i, &gid);
        if (!device->ethernet)
            good = good && i == (wish->gid >= 0 ? wish->gid : 0);
        if (good <= best || (wish->gid < 0 && device->ethernet && !passes(device, wish->filter, i, &gid)))
            continue;
        best = good;
        device->gid_index = i;
        device->gid = gid;
    }
    return best ? 0 : PL_EUNSUPPORTED;
}

static int choose_port(struct pl_verbs_library *library, const struct wish *wish,
                       const struct ibv_device_attr *attributes, struct pl_verbs_device *device)
{
    for (int port = 1; port <= attributes->phys_port_cnt; port++) {
        struct ibv_port_attr found;
        memset(&found, 0, sizeof found);
        if ((wish->port && port != wish->port) || library->query_port(device->context, (uint8_t)port, &found))
            continue;
        device->port = port;
        device->ethernet = found.link_layer == IBV_LINK_LAYER_ETHERNET;
        device->lid = found.lid;
        device->mtu = found.active_mtu;
        if (found.state != IBV_PORT_ACTIVE) {
            pl_fail(PL_EUNSUPPORTED, "verbs: port %d of %s is not active (is its link up?)", port,
                    device->name);
            continue;
        }
        if (!choose_gid(library, wish, found.gid_tbl_len, device))
            return 0;
        pl_fail(PL_EUNSUPPORTED, "verbs: port %d of %s has no address (GID) that PEAL_NET lets through", port,
                device->name);
    }
    return PL_EUNSUPPORTED;
}

/* Why a device cannot be opened. The library's errno is of the last way it tried, so the file is looked at.
 */
static int cannot_open(const char *name, const char *file)
{
    char path[128];
    int why = errno;
    snprintf(path, sizeof path, "/dev/infiniband/%.64s", file);
    if (access(path, R_OK | W_OK))
        why = errno;
    return pl_fail(PL_EUNSUPPORTED, "verbs: %s cannot be opened: %s: %s%s", name, path, strerror(why),
                   why == EACCES || why == EPERM ? "; this user needs permission to read and write it"
                   : why == ENOENT ? "; a container must be given the devices in /dev/infiniband"
                                   : "");
}

static int open_one(struct pl_verbs_library *library, const struct wish *wish, struct ibv_device *which,
                    struct pl_verbs_device *device)
{
    struct ibv_device_attr attributes;
    *device = (struct pl_verbs_device){.context = library->open_device(which)};
    snprintf(device->name, sizeof device->name, "%s", library->get_device_name(which));
    char path[128];
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/device", device->name);
    device->software = access(path, F_OK) != 0;
    if (!device->context)
        return cannot_open(device->name, which->dev_name);
    int error = 0;
    if (library->query_device(device->context, &attributes))
        error = pl_fail(PL_EUNSUPPORTED, "verbs: %s does not say what it can", device->name);
    if (!error)
        error = choose_port(library, wish, &attributes, device);
    device->max_cqe = attributes.max_cqe;
    device->max_srq = attributes.max_srq_wr;
    device->max_reads = attributes.max_qp_rd_atom < attributes.max_qp_init_rd_atom
                            ? attributes.max_qp_rd_atom
                            : attributes.max_qp_init_rd_atom;
    if (!error && (attributes.max_srq < 1 || attributes.max_srq_wr < 256))
        error = pl_fail(PL_EUNSUPPORTED, "verbs: %s has no shared receive queues", device->name);
    if (!error && !(device->domain = library->alloc_pd(device->context)))
        error = pl_fail(PL_EUNSUPPORTED, "verbs: %s gives no protection domain: %s", device->name,
                        strerror(errno));
    if (error)
        library->close_device(device->context);
    return error;
}

static int no_device(void)
{
    DIR *sysfs = opendir("/sys/class/infiniband");
    bool any = false;
    for (struct dirent *entry; sysfs && (entry = readdir(sysfs));)
        any |= entry->d_name[0] != '.';
    if (sysfs)
        closedir(sysfs);
    return pl_fail(
        PL_EUNSUPPORTED,
        any ? "verbs: the kernel has RDMA devices but libibverbs shows none: the module ib_uverbs is "
              "not loaded, /dev/infiniband is not visible here, or its driver (on Debian: "
              "ibverbs-providers) is missing"
            : "verbs: this machine has no RDMA device");
}

int pl_verbs_device_open(struct pl_verbs_library *library, const char *net, struct pl_verbs_device *device)
{
    int count = 0, error = 0;
    struct ibv_device **list = library->get_device_list(&count);
    if (!list || !count) {
        if (list)
            library->free_device_list(list);
        return no_device();
    }
    struct wish wish;
    read_wish(library, list, net, &wish);
    error = PL_EUNSUPPORTED;
    for (int i = 0; i < count && error; i++)
        if (!wish.device[0] || !strcmp(wish.device, library->get_device_name(list[i])))
            error = open_one(library, &wish, list[i], device);
    library->free_device_list(list);
    if (!error)
        pl_debug("verbs: %s port %d GID %d (%s)", device->name, device->port, device->gid_index,
                 device->ethernet ? "RoCE" : "InfiniBand");
    return error;
}

void pl_verbs_device_close(struct pl_verbs_library *library, struct pl_verbs_device *device)
{
    library->dealloc_pd(device->domain);
    library->close_device(device->context);
}

int pl_verbs_memory_text(size_t bytes)
{
    int why = errno;
    struct rlimit limit;
    if (why == ENOMEM && !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY)
        return pl_fail(
            PL_ENOMEM,
            "verbs: %zu bytes could not be registered: the limit on locked memory (ulimit -l, "
            "RLIMIT_MEMLOCK) is %llu bytes for this user's process; raise it with 'ulimit -l unlimited', "
            "memlock in /etc/security/limits.conf, or LimitMEMLOCK= of the service that starts jobs",
            bytes, (unsigned long long)limit.rlim_cur);
    return pl_fail(PL_ENOMEM, "verbs: %zu bytes could not be registered: %s", bytes, strerror(why));
}

int pl_verbs_slots_create(struct pl_verbs_port *port, int count, size_t size, struct pl_verbs_slots *slots)
{
    size_t bytes = ((size_t)count * size + 4095) & ~(size_t)4095;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return pl_fail(PL_ENOMEM, "verbs: no memory for %zu bytes of message buffers", bytes);
    struct ibv_mr *region = port->library.reg_mr(port->device.domain, memory, bytes, IBV_ACCESS_LOCAL_WRITE);
    if (!region) {
        int error = pl_verbs_memory_text(bytes);
        munmap(memory, bytes);
        return error;
    }
    *slots = (struct pl_verbs_slots){region, memory, size, count};
    return 0;
}

void pl_verbs_slots_destroy(struct pl_verbs_port *port, struct pl_verbs_slots *slots)
{
    if (!slots->region)
        return;
    size_t bytes = slots->region->length;
    port->library.dereg_mr(slots->region);
    munmap(slots->memory, bytes);
    slots->region = NULL;
}
