/* Memory of other ranks, through cards.
 *
 *   same process      the address itself: all devices share one address space
 *   same device, or   cuIpcOpenMemHandle maps the whole allocation; the mapping is kept, under the
 *   one that is seen  allocation's number, since opening it costs about what copying a megabyte does
 *   else              PL_EUNSUPPORTED: the bytes are staged
 *
 * Before the first use of a process's memory on a device its probe is read: 256 bytes with a pattern that
 * only that process on that device has. A way that does not show the pattern is not trusted, and never
 * tried again.
 *
 * An address says nothing about whether it is still the same memory: a program may free a buffer and get
 * another at the same place. The allocation's number (CU_POINTER_ATTRIBUTE_BUFFER_ID) is what tells.
 */
#include "state.h"

#include "errors.h"
#include "log.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t pl_cuda_process_number(void)
{
    char host[64] = "";
    struct stat names = {0};
    gethostname(host, sizeof host - 1);
    stat("/proc/self/ns/pid", &names);
    uint64_t h = 1469598103934665603u;
    for (const char *c = host; *c; c++)
        h = (h ^ (unsigned char)*c) * 1099511628211u;
    h = (h ^ (uint64_t)names.st_ino) * 1099511628211u;
    return (h ^ (uint64_t)getpid()) * 1099511628211u;
}

static void pattern_of(uint64_t process, const unsigned char device[16], unsigned char *pattern)
{
    uint64_t x = process | 1;
    for (int i = 0; i < PL_CUDA_PATTERN; i++) {
        x = (x ^ device[i % 16]) * 0x9e3779b97f4a7c15u;
        x ^= x >> 29;
        pattern[i] = (unsigned char)(x >> 24);
    }
}

/* Makes the piece that peers look at. Inside enter. */
static pl_cu_result make_probe(struct pl_cuda_context *c)
{
    struct pl_cu_library *cu = &c->cuda->cu;
    unsigned char pattern[PL_CUDA_PATTERN];
    if (c->probe)
        return 0;
    pattern_of(c->cuda->process, c->uuid.bytes, pattern);
    pl_cu_address probe = 0;
    pl_cu_result result = cu->allocate(&probe, sizeof pattern);
    if (result)
        return result;
    result = cu->ipc_get(&c->probe_handle, probe);
    if (!result)
        result = cu->copy(probe, pl_cu_address_of(pattern), sizeof pattern, c->in);
    if (!result)
        result = cu->stream_synchronize(c->in);
    if (result)
        cu->free(probe);
    else
        c->probe = probe;
    return result;
}

/* The handle of an allocation, from the few kept. Inside enter. */
static struct pl_cuda_export *export_of(struct pl_cuda_context *c, uint64_t base, uint64_t identity)
{
    struct pl_cuda_export *export = &c->cuda->exports[(base >> 16 ^ identity) % PL_CUDA_EXPORTS];
    if (export->base == base && export->identity == identity)
        return export;
    export->base = base;
    export->identity = identity;
    pl_cu_result result = make_probe(c);
    if (!result)
        result = c->cuda->cu.ipc_get(&export->handle, base);
    export->possible = !result;
    if (result) {
        pl_cu_fail(&c->cuda->cu, result, "to share memory with other processes");
        pl_debug("%s: it is staged", pl_fail_text());
    }
    return export;
}

int pl_cuda_share(struct pl_memory *memory, const void *address, size_t length, struct pl_memory_card *card)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    struct pl_cuda_pointer pointer;
    memset(card, 0, sizeof *card);
    card->process = cuda->process;
    card->address = (uintptr_t)address;
    if (!pl_cuda_look(cuda, address, &pointer) || pointer.managed || pointer.type != PL_CU_MEMORY_DEVICE)
        return 0;
    struct pl_cuda_context *c = pl_cuda_context_of(cuda, address);
    int error = c ? pl_cuda_enter(c) : PL_ESYSTEM;
    if (error)
        return error;
    pl_cu_address base = 0;
    size_t extent = 0;
    if (!cuda->cu.address_range(&base, &extent, pl_cu_address_of(address))) {
        card->base = base;
        card->extent = extent;
        card->identity = pointer.identity;
        memcpy(card->device, c->uuid.bytes, 16);
        struct pl_cuda_export *export = export_of(c, base, pointer.identity);
        if (export->possible && (uintptr_t)address + length <= base + extent) {
            memcpy(card->handle, export->handle.bytes, 64);
            memcpy(card->probe, c->probe_handle.bytes, 64);
            card->length = length;
        }
    }
    pl_cuda_leave(c);
    return 0;
}

/* Reads the probe; whether the pattern is there. Inside enter. */
static bool probe_good(struct pl_cuda_context *c, const struct pl_memory_card *card)
{
    struct pl_cu_library *cu = &c->cuda->cu;
    pl_cu_ipc_handle handle;
    pl_cu_address probe;
    unsigned char wanted[PL_CUDA_PATTERN], seen[PL_CUDA_PATTERN] = {0};
    memcpy(handle.bytes, card->probe, 64);
    pl_cu_result result = cu->ipc_open(&probe, handle, PL_CU_IPC_LAZY_PEER);
    if (result) {
        pl_cu_fail(cu, result, "to map memory of another process");
        return false;
    }
    result = cu->copy(pl_cu_address_of(seen), probe, sizeof seen, c->out);
    if (!result)
        result = cu->stream_synchronize(c->out);
    cu->ipc_close(probe);
    pattern_of(card->process, card->device, wanted);
    if (!result && !memcmp(seen, wanted, sizeof seen))
        return true;
    pl_fail(PL_EUNSUPPORTED, "memory of another process on the device was mapped, but shows other bytes");
    return false;
}

static bool trusted(struct pl_cuda_context *c, const struct pl_memory_card *card)
{
    struct pl_cuda *cuda = c->cuda;
    for (int i = 0; i < cuda->nverdicts; i++) {
        struct pl_cuda_verdict *verdict = &cuda->verdicts[i];
        if (verdict->process == card->process && !memcmp(verdict->device, card->device, 16)) {
            if (!verdict->good)
                pl_fail(PL_EUNSUPPORTED, "that process's memory could not be mapped before");
            return verdict->good;
        }
    }
    bool good = probe_good(c, card);
    if (!good)
        pl_info("device memory of a process on this host is staged: %s", pl_fail_text());
    if (cuda->nverdicts == PL_CUDA_VERDICTS)
        cuda->nverdicts = 0;
    struct pl_cuda_verdict *verdict = &cuda->verdicts[cuda->nverdicts++];
    *verdict = (struct pl_cuda_verdict){.process = card->process, .good = good};
    memcpy(verdict->device, card->device, 16);
    return good;
}

static void drop_import(struct pl_cuda_import *import)
{
    if (import->address && !pl_cuda_enter(import->context)) {
        import->context->cuda->cu.ipc_close(import->address);
        pl_cuda_leave(import->context);
    }
    memset(import, 0, sizeof *import);
}

void pl_cuda_imports_finish(struct pl_cuda *cuda)
{
    for (int i = 0; i < PL_CUDA_IMPORTS; i++)
        drop_import(&cuda->imports[i]);
}

/* The mapping of the card's allocation, or an empty place for it: the one not used for longest. */
static struct pl_cuda_import *find_import(struct pl_cuda *cuda, const struct pl_memory_card *card)
{
    struct pl_cuda_import *oldest = &cuda->imports[0];
    for (int i = 0; i < PL_CUDA_IMPORTS; i++) {
        struct pl_cuda_import *import = &cuda->imports[i];
        if (import->address && import->process == card->process && import->base == card->base) {
            if (import->identity == card->identity)
                return import;
            drop_import(import); /* it was freed there, and this is another */
        }
        if (import->used < oldest->used)
            oldest = import;
    }
    drop_import(oldest);
    return oldest;
}

static int open_import(struct pl_cuda_context *c, struct pl_cuda_import *import,
                       const struct pl_memory_card *card)
{
    pl_cu_ipc_handle handle;
    memcpy(handle.bytes, card->handle, 64);
    int error = pl_cuda_enter(c);
    if (error)
        return error;
    if (!trusted(c, card)) {
        pl_cuda_leave(c);
        return PL_EUNSUPPORTED;
    }
    pl_cu_address address = 0;
    pl_cu_result result = c->cuda->cu.ipc_open(&address, handle, PL_CU_IPC_LAZY_PEER);
    pl_cuda_leave(c);
    if (result) {
        pl_cu_fail(&c->cuda->cu, result, "to map memory of another process");
        return PL_EUNSUPPORTED;
    }
    *import = (struct pl_cuda_import){.process = card->process,
                                      .base = card->base,
                                      .identity = card->identity,
                                      .address = address,
                                      .context = c};
    return 0;
}

int pl_cuda_reach(struct pl_memory *memory, const struct pl_memory_card *card, void **address)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    if (card->process == cuda->process) {
        *address = (void *)(uintptr_t)card->address;
        return 0;
    }
    if (!card->length || card->address < card->base || card->length > card->extent ||
        card->address - card->base > card->extent - card->length)
        return pl_fail(PL_EUNSUPPORTED, "that memory cannot be shared between processes");
    struct pl_cuda_import *import = find_import(cuda, card);
    if (!import->address) {
        struct pl_cuda_context *c = pl_cuda_context_on(cuda, card->device);
        int error = c ? open_import(c, import, card) : PL_EUNSUPPORTED;
        if (error)
            return error;
    }
    import->used = ++cuda->uses;
    *address = (void *)(uintptr_t)(import->address + (card->address - card->base));
    return 0;
}
