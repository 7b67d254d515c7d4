/* Handles of objects made at run time.
 *
 * A handle's value is {class, generation, index} in 31 bits, not a pointer: a
 * freed or made-up one finds nothing instead of memory, and MPI_*_toint is the
 * value itself. Predefined handles lie below 0x1000 and are not in these tables.
 */
#ifndef PL_HANDLE_H
#define PL_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

enum pl_class {
    PL_CLASS_COMM = 1,
    PL_CLASS_GROUP,
    PL_CLASS_DATATYPE,
    PL_CLASS_OP,
    PL_CLASS_REQUEST,
    PL_CLASS_MESSAGE,
    PL_CLASS_INFO,
    PL_CLASS_ERRHANDLER,
    PL_CLASS_KEYVAL,
    PL_CLASS_SESSION,
    PL_CLASSES
};

struct pl_handle_slot {
    void *object; /* NULL: free */
    uint32_t generation, next_free;
};

struct pl_handles {
    struct pl_handle_slot *slots;
    uint32_t size, first_free; /* index + 1; 0: none */
};

/* A handle value for the object, or 0: no memory (or a million handles of the class are in use). */
uintptr_t pl_handle_new(struct pl_handles *handles, enum pl_class class, void *object);
void pl_handle_drop(struct pl_handles *handles, uintptr_t value);
/* The first object left in the table, or NULL: for cleaning up. */
void *pl_handle_any(const struct pl_handles *handles);
void pl_handles_finish(struct pl_handles *handles);

enum { PL_HANDLE_INDEX_BITS = 20, PL_HANDLE_CLASS_SHIFT = 27 };

/* The object, or NULL: freed, of another class, or made up. */
static inline void *pl_handle_find(const struct pl_handles *handles, enum pl_class class, uintptr_t value)
{
    uint32_t index = value & ((1u << PL_HANDLE_INDEX_BITS) - 1);
    uintptr_t rest = value >> PL_HANDLE_INDEX_BITS;
    if (index >= handles->size)
        return 0;
    const struct pl_handle_slot *slot = &handles->slots[index];
    uintptr_t expected =
        (uintptr_t) class << (PL_HANDLE_CLASS_SHIFT - PL_HANDLE_INDEX_BITS) | slot->generation;
    return rest == expected ? slot->object : 0;
}

#endif
