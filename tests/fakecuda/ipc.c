/* fakecuda: handles of memory for other processes. A handle names the process and its descriptor of the
 * memory, which /proc lets another process of the same user open. As with CUDA's, the process that made
 * a handle cannot open it itself. */
#include "fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct handle {
    uint64_t magic;
    int pid, fd;
    uint64_t bytes;
    int device;
};

enum { MAGIC = 0x1badcafe };

pl_cu_result cuIpcGetMemHandle(pl_cu_ipc_handle *out, pl_cu_address address)
{
    fake_lock();
    struct memory *m = fake_find((uintptr_t)address);
    bool possible = m && m->kind == MEMORY_DEVICE && m->address == address && !fake.no_share;
    struct handle handle = {MAGIC, getpid(), possible ? m->fd : -1, possible ? m->bytes : 0,
                            possible && m->context ? m->context->device : 0};
    fake_unlock();
    memset(out, 0, sizeof *out);
    memcpy(out, &handle, sizeof handle);
    return possible ? 0 : PL_CU_INVALID_VALUE;
}

pl_cu_result cuIpcOpenMemHandle_v2(pl_cu_address *address, pl_cu_ipc_handle in, unsigned flags)
{
    struct handle handle;
    char path[64];
    (void)flags;
    memcpy(&handle, &in, sizeof handle);
    if (!fake_current || handle.magic != MAGIC || handle.pid == getpid())
        return PL_CU_INVALID_CONTEXT;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", handle.pid, handle.fd);
    fake_lock();
    size_t pages = (handle.bytes + 4095) / 4096 * 4096;
    int fd = -1;
    if (fake.other_map) {
        fd = memfd_create("fakecuda-other", MFD_CLOEXEC);
        if (fd >= 0 && ftruncate(fd, (off_t)pages))
            fd = -1;
    } else if (!fake.no_map) {
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    pl_cu_result result = PL_CU_MAP_FAILED;
    if (fd >= 0) {
        struct memory *m = fake_add(MEMORY_MAPPED, 0, handle.bytes);
        if (fake_map(m, handle.bytes, fd, false)) {
            *address = m->address;
            result = 0;
        }
    }
    fake_unlock();
    return result;
}
