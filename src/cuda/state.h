/* What the files of src/cuda share: one rank's view of CUDA. */
#ifndef PL_CUDA_STATE_H
#define PL_CUDA_STATE_H

#include "driver.h"
#include "list.h"
#include "memory.h"

#include <stdbool.h>

enum {
    PL_CUDA_CONTEXTS = 16, /* contexts that one rank's buffers are in, at most */
    PL_CUDA_KERNELS = 512, /* slots for kernels found by name, a power of two */
    PL_CUDA_EVENTS = 64,   /* events kept for the next use */
    PL_CUDA_PATTERN = 256, /* bytes of a probe */
};

struct pl_cuda;

struct pl_cuda_kernel {
    char name[28];
    pl_cu_function function; /* NULL: there is none of that name */
};

/* A block of device or page-locked memory, kept between uses. */
struct pl_cuda_block {
    struct pl_list link; /* in `free` when nobody has it, else in `used` */
    void *address;
    size_t bytes;
    bool pageable; /* page-locked memory could not be had: malloc's */
};

struct pl_cuda_pool {
    struct pl_list free, used;
    int kept; /* in free */
};

/* One context of one device. */
struct pl_cuda_context {
    struct pl_cuda *cuda;
    pl_cu_context context;
    pl_cu_device device;
    pl_cu_uuid uuid;
    int multiprocessors;
    bool retained;        /* a primary context that this rank holds */
    pl_cu_stream out, in; /* copies to the host; all else */
    pl_cu_event events[PL_CUDA_EVENTS];
    int nevents;
    pl_cu_module module; /* NULL: not loaded, or there is none */
    bool tried_module;
    struct pl_cuda_kernel *kernels; /* [PL_CUDA_KERNELS] by hash of the name; NULL before the first */
    struct pl_cuda_pool pool;
    pl_cu_address probe; /* the pattern that peers look at, 0: not made */
    pl_cu_ipc_handle probe_handle;
};

/* A peer's allocation, mapped here. */
struct pl_cuda_import {
    uint64_t process, base, identity, used;
    pl_cu_address address;
    struct pl_cuda_context *context;
};

/* Whether the memory of a process on a device was tried, and can be trusted. */
struct pl_cuda_verdict {
    uint64_t process;
    unsigned char device[16];
    bool good;
};

/* Handles of own allocations, which cost a system call to ask for. */
struct pl_cuda_export {
    uint64_t base, identity;
    pl_cu_ipc_handle handle;
    bool possible;
};

enum { PL_CUDA_IMPORTS = 64, PL_CUDA_VERDICTS = 64, PL_CUDA_EXPORTS = 16 };

struct pl_cuda {
    struct pl_memory memory; /* first */
    struct pl_cu_library cu;
    struct pl_cuda_context *contexts[PL_CUDA_CONTEXTS];
    int ncontexts;
    struct pl_cuda_pool pinned;
    uint64_t process;
    uint64_t uses; /* of imports so far */
    struct pl_cuda_import imports[PL_CUDA_IMPORTS];
    struct pl_cuda_verdict verdicts[PL_CUDA_VERDICTS];
    int nverdicts;
    struct pl_cuda_export exports[PL_CUDA_EXPORTS];
    pl_cu_event followed; /* NULL: the default stream alone is */
    struct pl_cuda_context *followed_in;
    bool tried_holding, holds_streams; /* whether a stream can wait for a word of the host's */
};

/* What is known of a pointer. */
struct pl_cuda_pointer {
    unsigned type; /* PL_CU_MEMORY_..., 0: CUDA does not know it */
    unsigned managed;
    int device;
    pl_cu_context context;
    uint64_t identity;
};

/* Work under way: an event, and memory that is given back after it. */
struct pl_cuda_work {
    struct pl_cuda_context *context;
    pl_cu_event event;
    void *list; /* pinned, or NULL */
};

static inline struct pl_cuda *pl_cuda_of(struct pl_memory *memory)
{
    return (struct pl_cuda *)memory;
}

static inline pl_cu_address pl_cu_address_of(const void *pointer)
{
    return (pl_cu_address)(uintptr_t)pointer;
}

/* context.c */
bool pl_cuda_look(struct pl_cuda *cuda, const void *address, struct pl_cuda_pointer *pointer);
static inline bool pl_cuda_is_device(const struct pl_cuda_pointer *pointer)
{
    return pointer->type == PL_CU_MEMORY_DEVICE || pointer->managed;
}
/* The context that the address is in; NULL with its text. */
struct pl_cuda_context *pl_cuda_context_of(struct pl_cuda *cuda, const void *address);
/* A context of the device with that name, this process's own; NULL with its text. */
struct pl_cuda_context *pl_cuda_context_on(struct pl_cuda *cuda, const unsigned char uuid[16]);
/* The context the program works in just now; NULL with its text. */
struct pl_cuda_context *pl_cuda_current(struct pl_cuda *cuda);
/* Around calls that need it: makes the context the thread's. enter fails with its text. */
int pl_cuda_enter(struct pl_cuda_context *context);
void pl_cuda_leave(struct pl_cuda_context *context);
void pl_cuda_contexts_finish(struct pl_cuda *cuda);
/* Makes the stream wait for what is followed. Inside enter. */
int pl_cuda_follow(struct pl_cuda_context *context, pl_cu_stream stream);
/* Ends a start: the ticket is complete when the stream has come here. Inside enter. `list` is the ticket's.
 */
int pl_cuda_record(struct pl_cuda_context *context, pl_cu_stream stream, void *list,
                   struct pl_ticket *ticket);
int pl_cuda_poll(struct pl_memory *memory, struct pl_ticket *ticket);
int pl_cuda_wait(struct pl_memory *memory, struct pl_ticket *ticket);
int pl_cuda_settle(struct pl_memory *memory, const void *address);
int pl_cuda_follow_stream(struct pl_memory *memory, void *stream);
int pl_cuda_lead_stream(struct pl_memory *memory, void *stream);

/* detour.c */
int pl_cuda_detour(struct pl_memory *memory, void *stream, const struct pl_detour *detour,
                   struct pl_ticket *ticket);

/* pool.c */
void pl_cuda_pool_init(struct pl_cuda_pool *pool);
void *pl_cuda_pin(struct pl_memory *memory, size_t bytes);
void pl_cuda_unpin(struct pl_memory *memory, void *address);
void *pl_cuda_allocate(struct pl_memory *memory, const void *near, size_t bytes);
void pl_cuda_release(struct pl_memory *memory, void *address);
/* Inside enter, or for the pinned ones with any context entered. */
void pl_cuda_pool_finish(struct pl_cuda *cuda, struct pl_cuda_pool *pool, bool device);

/* copy.c */
int pl_cuda_copy(struct pl_memory *memory, void *to, const void *from, size_t bytes,
                 struct pl_ticket *ticket);
int pl_cuda_gather(struct pl_memory *memory, void *packed, const struct pl_strip *strips, size_t n,
                   struct pl_ticket *ticket);
int pl_cuda_scatter(struct pl_memory *memory, const void *packed, const struct pl_strip *strips, size_t n,
                    struct pl_ticket *ticket);

/* reduce.c */
pl_cu_function pl_cuda_function(struct pl_cuda_context *context, const char *name); /* inside enter */
const void *pl_cuda_kernel(struct pl_memory *memory, const void *address, const char *name);
int pl_cuda_reduce(struct pl_memory *memory, const struct pl_reduction *reduction, struct pl_ticket *ticket);

/* ipc.c */
int pl_cuda_share(struct pl_memory *memory, const void *address, size_t length, struct pl_memory_card *card);
int pl_cuda_reach(struct pl_memory *memory, const struct pl_memory_card *card, void **address);
void pl_cuda_imports_finish(struct pl_cuda *cuda);
uint64_t pl_cuda_process_number(void);

#endif
