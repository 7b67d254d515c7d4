/* What the files of the double share. */
#ifndef FAKE_H
#define FAKE_H

#include "fakecuda.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct pl_cu_context_s {
    int device;
    int retained;
    struct pl_cu_stream_s *legacy; /* the default stream */
};

enum op_kind { OP_COPY, OP_COPY_2D, OP_SET, OP_KERNEL, OP_MARK, OP_WAIT, OP_TELL, OP_HOLD };

union arguments { /* of a kernel */
    unsigned char bytes[512];
    uint64_t align;
};

struct op {
    struct op *next;
    uint64_t number; /* in order of submission, over all streams */
    enum op_kind kind;
    pl_cu_address to, from;
    size_t bytes;
    pl_cu_copy_2d copy;
    unsigned char byte;
    struct pl_cu_function_s *function;
    unsigned grid_x, grid_y, block_x;
    union arguments arguments;
    struct pl_cu_stream_s *wait_stream; /* OP_WAIT: until this stream ... */
    uint64_t wait_number;               /* ... has come here */
    void (*tell)(void *argument);
    void *argument;
    const uint32_t *word; /* OP_HOLD: until the word has come to `value` */
    uint32_t value;
};

struct pl_cu_stream_s {
    struct pl_cu_stream_s *next;
    struct pl_cu_context_s *context;
    bool blocking; /* in order with the legacy stream */
    struct op *first, *last;
};

struct pl_cu_event_s {
    struct pl_cu_stream_s *stream; /* NULL: never recorded */
    uint64_t number;
    int not_ready; /* times that are still to be answered so */
};

struct pl_cu_function_s {
    struct pl_cu_function_s *next;
    char name[32];
    void *run;
    void (*run_with)(const void *arguments); /* of a kernel that fakecuda_kernel has added; else NULL */
    size_t bytes;                            /* of its arguments, */
    int pointers;                            /* which begin with so many pointers */
};

enum memory_kind { MEMORY_DEVICE, MEMORY_MANAGED, MEMORY_HOST, MEMORY_MAPPED };

struct memory {
    struct memory *next;
    enum memory_kind kind;
    uintptr_t address; /* given out */
    size_t bytes;      /* asked for */
    size_t mapped;
    char *alias; /* where the double works on it */
    int fd;
    uint64_t identity;
    struct pl_cu_context_s *context;
};

struct fake {
    pthread_mutex_t lock;
    bool initialized;
    int devices;
    struct pl_cu_context_s *primary[8];
    struct pl_cu_stream_s *streams; /* all, the legacy ones too */
    struct pl_cu_stream_s *gone;    /* destroyed */
    struct memory *memory;
    struct pl_cu_function_s *functions;
    uint64_t numbers, identities;
    int fault; /* sticky, as an illegal address is */
    bool read_environment, no_device, no_share, no_map, other_map, no_binary, no_pin, no_hold;
    int not_ready;
    long oom; /* allocations until memory runs out; negative: never */
    struct fakecuda_counts counts;
};

extern struct fake fake;
extern _Thread_local struct pl_cu_context_s *fake_current;

void fake_lock(void);
void fake_unlock(void);
/* The context's, or with NULL the current context's legacy one. */
struct pl_cu_stream_s *fake_stream(struct pl_cu_stream_s *stream);
/* Runs what is submitted to the stream up to the number, and what must come before it. Locked; gives the lock
 * away while a stream is held. */
void fake_run(struct pl_cu_stream_s *stream, uint64_t number);
void fake_run_all(void);
/* The memory an address is in, or NULL. Locked. */
struct memory *fake_find(uintptr_t address);
struct memory *fake_add(enum memory_kind kind, uintptr_t address, size_t bytes);
/* Maps `fd`: PROT_NONE at memory->address and in full at memory->alias. */
bool fake_map(struct memory *memory, size_t bytes, int fd, bool touchable);
/* Where the double may touch those bytes; NULL and a sticky fault if they are not all there. */
char *fake_reach(uintptr_t address, size_t bytes);

#endif
