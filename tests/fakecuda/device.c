/* fakecuda: devices, contexts, memory. See fakecuda.h. */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fake fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .devices = 2, .oom = -1};
_Thread_local struct pl_cu_context_s *fake_current;
static _Thread_local struct pl_cu_context_s *stack[32];
static _Thread_local int depth;

static void read_word(const char *word)
{
    const char *equals = strchr(word, '=');
    int n = equals ? atoi(equals + 1) : 0;
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
#define IS(name) (length == sizeof name - 1 && !strncmp(word, name, length))
    if (IS("nodevice"))
        fake.no_device = true;
    else if (IS("noshare"))
        fake.no_share = true;
    else if (IS("nomap"))
        fake.no_map = true;
    else if (IS("othermap"))
        fake.other_map = true;
    else if (IS("nobinary"))
        fake.no_binary = true;
    else if (IS("nopin"))
        fake.no_pin = true;
    else if (IS("nohold"))
        fake.no_hold = true;
    else if (IS("notready"))
        fake.not_ready = n;
    else if (IS("oom"))
        fake.oom = n - 1;
    else if (IS("devices"))
        fake.devices = n > 8 ? 8 : n;
    else if (length)
        fprintf(stderr, "fakecuda: FAKECUDA has an unknown word: %s\n", word);
}

static void read_environment(void)
{
    char text[256] = "";
    const char *given = getenv("FAKECUDA");
    fake.read_environment = true;
    if (!given)
        return;
    snprintf(text, sizeof text, "%s", given);
    char *rest = text;
    for (char *word; (word = strsep(&rest, ","));)
        read_word(word);
}

void fake_lock(void)
{
    pthread_mutex_lock(&fake.lock);
    if (!fake.read_environment)
        read_environment();
}

void fake_unlock(void)
{
    pthread_mutex_unlock(&fake.lock);
}

void fakecuda_count(struct fakecuda_counts *counts)
{
    fake_lock();
    fake.counts.pending = 0;
    for (struct pl_cu_stream_s *s = fake.streams; s; s = s->next)
        for (struct op *op = s->first; op; op = op->next)
            fake.counts.pending++;
    *counts = fake.counts;
    fake_unlock();
}

/* Every function begins so: the result of a call that comes too early, or after a fault. */
static pl_cu_result ready(bool wants_context)
{
    fake_lock();
    pl_cu_result result = !fake.initialized                ? PL_CU_NOT_INITIALIZED
                          : wants_context && !fake_current ? PL_CU_INVALID_CONTEXT
                                                           : fake.fault;
    fake_unlock();
    return result;
}

#define READY(context)                                                                                       \
    do {                                                                                                     \
        pl_cu_result result_ = ready(context);                                                               \
        if (result_)                                                                                         \
            return result_;                                                                                  \
    } while (0)

pl_cu_result cuInit(unsigned flags)
{
    (void)flags;
    fake_lock();
    pl_cu_result result = fake.no_device ? PL_CU_NO_DEVICE : 0;
    fake.initialized = !result;
    fake_unlock();
    return result;
}

pl_cu_result cuDriverGetVersion(int *version)
{
    *version = 13000;
    return 0;
}

pl_cu_result cuGetErrorName(pl_cu_result error, const char **name)
{
    static const struct {
        pl_cu_result error;
        const char *name;
    } names[] = {{0, "CUDA_SUCCESS"},
                 {PL_CU_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
                 {PL_CU_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
                 {PL_CU_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"},
                 {PL_CU_NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
                 {PL_CU_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
                 {PL_CU_MAP_FAILED, "CUDA_ERROR_MAP_FAILED"},
                 {PL_CU_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
                 {PL_CU_NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
                 {PL_CU_NOT_READY, "CUDA_ERROR_NOT_READY"},
                 {PL_CU_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
                 {PL_CU_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"}};
    *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error)
            *name = names[i].name;
    return *name ? 0 : PL_CU_INVALID_VALUE;
}

pl_cu_result cuGetErrorString(pl_cu_result error, const char **text)
{
    return cuGetErrorName(error, text);
}

pl_cu_result cuDeviceGetCount(int *count)
{
    READY(false);
    *count = fake.devices;
    return 0;
}

pl_cu_result cuDeviceGet(pl_cu_device *device, int ordinal)
{
    READY(false);
    *device = ordinal;
    return ordinal >= 0 && ordinal < fake.devices ? 0 : PL_CU_INVALID_DEVICE;
}

pl_cu_result cuDeviceGetName(char *name, int length, pl_cu_device device)
{
    READY(false);
    snprintf(name, (size_t)length, "fake device %d", device);
    return 0;
}

pl_cu_result cuDeviceGetUuid(pl_cu_uuid *uuid, pl_cu_device device)
{
    READY(false);
    memset(uuid->bytes, 0x11 * (device + 1), sizeof uuid->bytes);
    return 0;
}

pl_cu_result cuDeviceGetAttribute(int *value, int attribute, pl_cu_device device)
{
    (void)device;
    READY(false);
    *value = attribute == PL_CU_MULTIPROCESSORS ? 2 : attribute == PL_CU_CAPABILITY_MAJOR ? 9 : 0;
    return 0;
}

static struct pl_cu_stream_s *add_stream(struct pl_cu_context_s *context, bool blocking)
{
    struct pl_cu_stream_s *stream = calloc(1, sizeof *stream);
    stream->context = context;
    stream->blocking = blocking;
    stream->next = fake.streams;
    return fake.streams = stream;
}

pl_cu_result cuDevicePrimaryCtxRetain(pl_cu_context *context, pl_cu_device device)
{
    READY(false);
    if (device < 0 || device >= fake.devices)
        return PL_CU_INVALID_DEVICE;
    fake_lock();
    if (!fake.primary[device]) {
        fake.primary[device] = calloc(1, sizeof **fake.primary);
        fake.primary[device]->device = device;
        fake.primary[device]->legacy = add_stream(fake.primary[device], false);
    }
    fake.primary[device]->retained++;
    *context = fake.primary[device];
    fake_unlock();
    return 0;
}

pl_cu_result cuDevicePrimaryCtxRelease_v2(pl_cu_device device)
{
    READY(false);
    return fake.primary[device]->retained-- > 0 ? 0 : PL_CU_INVALID_CONTEXT;
}

pl_cu_result cuCtxSetCurrent(pl_cu_context context)
{
    READY(false);
    fake_current = context;
    return 0;
}

pl_cu_result cuCtxPushCurrent_v2(pl_cu_context context)
{
    READY(false);
    if (!context || depth == 32)
        return PL_CU_INVALID_CONTEXT;
    stack[depth++] = fake_current;
    fake_current = context;
    return 0;
}

pl_cu_result cuCtxPopCurrent_v2(pl_cu_context *context)
{
    if (!depth)
        return PL_CU_INVALID_CONTEXT;
    *context = fake_current;
    fake_current = stack[--depth];
    return 0;
}

pl_cu_result cuCtxGetCurrent(pl_cu_context *context)
{
    READY(false);
    *context = fake_current;
    return 0;
}

pl_cu_result cuCtxGetDevice(pl_cu_device *device)
{
    READY(true);
    *device = fake_current->device;
    return 0;
}

struct memory *fake_find(uintptr_t address)
{
    for (struct memory *m = fake.memory; m; m = m->next)
        if (address >= m->address && address < m->address + (m->bytes ? m->bytes : 1))
            return m;
    return NULL;
}

struct memory *fake_add(enum memory_kind kind, uintptr_t address, size_t bytes)
{
    struct memory *m = calloc(1, sizeof *m);
    m->kind = kind;
    m->address = address;
    m->alias = (char *)address;
    m->bytes = bytes;
    m->fd = -1;
    m->identity = ++fake.identities;
    m->context = fake_current;
    m->next = fake.memory;
    return fake.memory = m;
}

bool fake_map(struct memory *m, size_t bytes, int fd, bool touchable)
{
    size_t page = 4096;
    m->mapped = (bytes + page - 1) / page * page;
    int protection = touchable ? PROT_READ | PROT_WRITE : PROT_NONE;
    void *given = mmap(NULL, m->mapped, protection, MAP_SHARED, fd, 0);
    void *alias = mmap(NULL, m->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (given == MAP_FAILED || alias == MAP_FAILED)
        return false;
    m->address = (uintptr_t)given;
    m->alias = alias;
    m->fd = fd;
    return true;
}

char *fake_reach(uintptr_t address, size_t bytes)
{
    struct memory *m = fake_find(address);
    if (!m)
        return (char *)address; /* the host's own */
    if (address + bytes > m->address + m->bytes) {
        fprintf(stderr, "fakecuda: %zu bytes from %#lx on leave the allocation of %zu bytes at %#lx\n", bytes,
                (unsigned long)address, m->bytes, (unsigned long)m->address);
        fake.fault = PL_CU_ILLEGAL_ADDRESS;
        return NULL;
    }
    return m->alias + (address - m->address);
}

static pl_cu_result allocate(enum memory_kind kind, pl_cu_address *address, size_t bytes)
{
    READY(true);
    if (!bytes)
        return PL_CU_INVALID_VALUE;
    fake_lock();
    bool out = fake.oom == 0;
    if (fake.oom > 0)
        fake.oom--;
    int fd = out ? -1 : memfd_create("fakecuda", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)((bytes + 4095) / 4096 * 4096))) {
        fake_unlock();
        return PL_CU_OUT_OF_MEMORY;
    }
    struct memory *m = fake_add(kind, 0, bytes);
    bool mapped = fake_map(m, bytes, fd, kind == MEMORY_MANAGED);
    if (mapped)
        memset(m->alias, 0xcd, bytes);
    *address = m->address;
    fake.counts.allocations++;
    fake_unlock();
    return mapped ? 0 : PL_CU_OUT_OF_MEMORY;
}

pl_cu_result cuMemAlloc_v2(pl_cu_address *address, size_t bytes)
{
    return allocate(MEMORY_DEVICE, address, bytes);
}

pl_cu_result cuMemAllocManaged(pl_cu_address *address, size_t bytes, unsigned flags)
{
    (void)flags;
    return allocate(MEMORY_MANAGED, address, bytes);
}

static pl_cu_result drop(uintptr_t address, enum memory_kind kind, enum memory_kind or_kind)
{
    fake_lock();
    fake_run_all();
    struct memory **link = &fake.memory;
    while (*link && ((*link)->address != address || ((*link)->kind != kind && (*link)->kind != or_kind)))
        link = &(*link)->next;
    struct memory *m = *link;
    if (m) {
        *link = m->next;
        if (m->fd >= 0) {
            munmap((void *)m->address, m->mapped);
            munmap(m->alias, m->mapped);
            close(m->fd);
        }
        free(m);
    }
    fake_unlock();
    return m ? 0 : PL_CU_INVALID_VALUE;
}

pl_cu_result cuMemFree_v2(pl_cu_address address)
{
    READY(true);
    return address ? drop((uintptr_t)address, MEMORY_DEVICE, MEMORY_MANAGED) : 0;
}

pl_cu_result cuIpcCloseMemHandle(pl_cu_address address)
{
    READY(true);
    return drop((uintptr_t)address, MEMORY_MAPPED, MEMORY_MAPPED);
}

pl_cu_result cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags)
{
    (void)flags;
    READY(true);
    fake_lock();
    fake_add(MEMORY_HOST, (uintptr_t)address, bytes);
    fake_unlock();
    return 0;
}

pl_cu_result cuMemHostUnregister(void *address)
{
    READY(true);
    return drop((uintptr_t)address, MEMORY_HOST, MEMORY_HOST);
}

pl_cu_result cuMemHostAlloc(void **address, size_t bytes, unsigned flags)
{
    READY(true);
    if (fake.no_pin || !(*address = aligned_alloc(64, (bytes + 63) / 64 * 64)))
        return PL_CU_OUT_OF_MEMORY;
    return cuMemHostRegister_v2(*address, bytes, flags);
}

pl_cu_result cuMemFreeHost(void *address)
{
    READY(true);
    pl_cu_result result = drop((uintptr_t)address, MEMORY_HOST, MEMORY_HOST);
    if (!result)
        free(address);
    return result;
}

pl_cu_result cuMemGetAddressRange_v2(pl_cu_address *base, size_t *size, pl_cu_address address)
{
    READY(true);
    fake_lock();
    struct memory *m = fake_find((uintptr_t)address);
    if (m) {
        *base = m->address;
        *size = m->bytes;
    }
    fake_unlock();
    return m ? 0 : PL_CU_NOT_FOUND;
}

static void attribute(const struct memory *m, int which, void *data)
{
    bool host = m && m->kind == MEMORY_HOST;
    switch (which) {
    case PL_CU_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)data = !m ? 0 : host ? PL_CU_MEMORY_HOST : PL_CU_MEMORY_DEVICE;
        break;
    case PL_CU_ATTRIBUTE_IS_MANAGED:
        *(unsigned *)data = m && m->kind == MEMORY_MANAGED;
        break;
    case PL_CU_ATTRIBUTE_DEVICE_ORDINAL:
        *(int *)data = m && m->context ? m->context->device : -2;
        break;
    case PL_CU_ATTRIBUTE_CONTEXT:
        *(pl_cu_context *)data = m ? m->context : NULL;
        break;
    case PL_CU_ATTRIBUTE_BUFFER_ID:
        *(uint64_t *)data = m ? m->identity : 0;
        break;
    default:
        break;
    }
}

pl_cu_result cuPointerGetAttributes(unsigned count, const int *attributes, void **data, pl_cu_address address)
{
    READY(false);
    fake_lock();
    const struct memory *m = fake_find((uintptr_t)address);
    for (unsigned i = 0; i < count; i++)
        attribute(m, attributes[i], data[i]);
    fake_unlock();
    return 0;
}

pl_cu_result cuStreamCreate(pl_cu_stream *stream, unsigned flags)
{
    READY(true);
    fake_lock();
    *stream = add_stream(fake_current, !(flags & 1));
    fake_unlock();
    return 0;
}
