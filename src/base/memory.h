/* Memory that a program may hand to MPI and that is not plain host memory.
 *
 * Host memory is built in: it is read and written by the CPU, and needs nothing of what
 * is here. Another kind is a DRIVER: what a pointer is, and how its bytes are copied,
 * gathered, reduced, allocated, and shown to other processes. src/cuda is the one there is. A rank
 * that may meet such pointers has one opened (pl_rank.memory); a rank that cannot has
 * NULL there, and pays one branch a call.
 *
 * Memory that the CPU can touch although a device can too (page-locked, host-registered) is
 * host memory here. Managed memory is the driver's: it may be moving when the CPU looks.
 *
 * Work is started and waited for by ticket. All of it comes after what the program
 * submitted before on the device's default stream. Functions return 0 or a negative enum pl_error with
 * its text; they are called with the rank's lock held, by one thread at a time.
 */
#ifndef PL_MEMORY_H
#define PL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Work under way; zeroed: none. */
struct pl_ticket {
    void *work;
};

/* `count` blocks of `length` bytes, `stride` bytes from one to the next. */
struct pl_strip {
    uintptr_t address;
    size_t length, count;
    ptrdiff_t stride;
};

/* What another process needs to reach a piece of memory. May travel. */
struct pl_memory_card {
    uint64_t process;                /* who wrote it: a random number */
    uint64_t address, length;        /* in that process; length 0: it cannot be reached */
    uint64_t base, extent, identity; /* the allocation it is part of, and that allocation's number */
    unsigned char device[16];        /* the device's own name */
    unsigned char handle[64];        /* of the allocation */
    unsigned char probe[64];         /* of a piece with a known pattern, by which the way is tried once */
};

/* Most operands of one reduction. */
enum { PL_MEMORY_OPERANDS = 16 };

/* out[k][i] = in[0][i] op in[1][i] op ... in that order, for each k. An output is an input, or overlaps none.
 */
struct pl_reduction {
    const void *kernel; /* from `kernel` */
    int inputs, outputs;
    const void *in[PL_MEMORY_OPERANDS];
    void *out[PL_MEMORY_OPERANDS];
    size_t count;
};

/* A detour of a stream by way of the host: copies, then somebody is told, then the stream waits until a word
 * has come to a number, then one copy back. */
struct pl_move {
    void *to;
    const void *from;
    size_t bytes; /* 0: none */
};

struct pl_detour {
    struct pl_move before[2], after;
    void (*tell)(void *argument); /* on a thread of the driver's; it must not wait, nor call the driver */
    void *argument;
    uint32_t *word, number; /* of memory from `pin`; only grows (as numbers that wrap around do) */
};

struct pl_memory_driver;

/* One rank's opened driver; each driver's own struct begins with it. */
struct pl_memory {
    const struct pl_memory_driver *driver;
};

struct pl_memory_driver {
    const char *name;
    /* PL_EUNSUPPORTED: no such memory can exist in this process. */
    int (*open)(struct pl_memory **memory);
    /* Nothing is under way. Accepts NULL. */
    void (*close)(struct pl_memory *memory);

    /* Whether there is a device that can be used. */
    bool (*usable)(struct pl_memory *memory);
    /* Whether the address is the driver's and not the host's. Asked for every buffer: cheap. */
    bool (*holds)(struct pl_memory *memory, const void *address);

    /* Starts a copy between two places, of which one at least is the driver's. */
    int (*copy)(struct pl_memory *memory, void *to, const void *from, size_t bytes, struct pl_ticket *ticket);
    /* Starts to pack strips of the driver's memory, one behind the other, to `packed`; and to unpack them.
     * `packed` is host or the driver's memory. The list is read before the call returns. */
    int (*gather)(struct pl_memory *memory, void *packed, const struct pl_strip *strips, size_t n,
                  struct pl_ticket *ticket);
    int (*scatter)(struct pl_memory *memory, const void *packed, const struct pl_strip *strips, size_t n,
                   struct pl_ticket *ticket);

    /* The loop for an operator and a kind of number by name ("sum_f32"), at `address`; NULL: none. */
    const void *(*kernel)(struct pl_memory *memory, const void *address, const char *name);
    /* Starts a reduction; all operands are the driver's. */
    int (*reduce)(struct pl_memory *memory, const struct pl_reduction *reduction, struct pl_ticket *ticket);

    /* Whether the work is done; the ticket is zero then. 1: not yet; 0; or an error. */
    int (*poll)(struct pl_memory *memory, struct pl_ticket *ticket);
    /* Waits for it. */
    int (*wait)(struct pl_memory *memory, struct pl_ticket *ticket);
    /* Waits until what was submitted on the default stream of the address's device has happened. */
    int (*settle)(struct pl_memory *memory, const void *address);

    /* Memory of the driver's on the device of `near`; NULL with its text. Kept for the next who asks. */
    void *(*allocate)(struct pl_memory *memory, const void *near, size_t bytes);
    void (*release)(struct pl_memory *memory, void *address);
    /* Host memory that copies reach fastest; NULL: no memory. Kept for the next who asks. */
    void *(*pin)(struct pl_memory *memory, size_t bytes);
    void (*unpin)(struct pl_memory *memory, void *address);

    /* Writes the card of a range; length 0 in it, and 0 returned, if others cannot reach it. */
    int (*share)(struct pl_memory *memory, const void *address, size_t length, struct pl_memory_card *card);
    /* The range of a card as an address here. PL_EUNSUPPORTED: it cannot be, the text says why. */
    int (*reach)(struct pl_memory *memory, const struct pl_memory_card *card, void **address);

    /* What is started from now on comes after what the stream has; and the reverse: what is submitted to the
     * stream from now on comes after what has been started. Neither waits here. */
    int (*follow)(struct pl_memory *memory, void *stream);
    int (*lead)(struct pl_memory *memory, void *stream);
    /* follow(NULL), lead(NULL): the default stream again. */
    /* Submits a detour to a stream and returns at once; `ticket` is done when the stream has come out of it.
     * PL_EUNSUPPORTED: streams cannot wait for a word here. Another error: it is over as well, and nobody
     * will be told any more. */
    int (*detour)(struct pl_memory *memory, void *stream, const struct pl_detour *detour,
                  struct pl_ticket *ticket);

    /* One line on what is there: "2 devices, driver 13.0, 40 kernels". */
    void (*describe)(struct pl_memory *memory, char *text, size_t size);
};

/* The driver for CUDA's memory, in src/cuda; whoever opens ranks hands it down. */
extern const struct pl_memory_driver pl_memory_cuda;

static inline bool pl_memory_holds(struct pl_memory *memory, const void *address)
{
    return __builtin_expect(memory != NULL, 0) && memory->driver->holds(memory, address);
}

#endif
