/* Datatypes as p2p and collectives see them.
 *
 * Messages are bytes; a datatype says how many bytes an element has, how it
 * lies in memory, and, for reductions, of which basic kind its numbers are.
 */
#ifndef PL_DATATYPE_H
#define PL_DATATYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the numbers of a predefined type are held. Each is its own in reductions. */
enum pl_basic {
    PL_BASIC_NONE, /* mixed or not for reductions: derived, MPI_PACKED, MPI_CHAR, MPI_WCHAR */
    PL_BASIC_BYTE,
    PL_BASIC_INT8,
    PL_BASIC_INT16,
    PL_BASIC_INT32,
    PL_BASIC_INT64,
    PL_BASIC_UINT8,
    PL_BASIC_UINT16,
    PL_BASIC_UINT32,
    PL_BASIC_UINT64,
    PL_BASIC_INT128,
    PL_BASIC_FLOAT16,
    PL_BASIC_BFLOAT16,
    PL_BASIC_FLOAT,
    PL_BASIC_DOUBLE,
    PL_BASIC_LONG_DOUBLE,
    PL_BASIC_FLOAT128,
    PL_BASIC_COMPLEX_FLOAT16,
    PL_BASIC_COMPLEX_FLOAT,
    PL_BASIC_COMPLEX_DOUBLE,
    PL_BASIC_COMPLEX_LONG_DOUBLE,
    PL_BASIC_COMPLEX_FLOAT128,
    PL_BASIC_BOOL,     /* C and C++ bool */
    PL_BASIC_LOGICAL8, /* Fortran LOGICAL, by bits */
    PL_BASIC_LOGICAL16,
    PL_BASIC_LOGICAL32,
    PL_BASIC_LOGICAL64,
    PL_BASIC_LOGICAL128,
    PL_BASIC_FLOAT_INT, /* pairs, for MINLOC and MAXLOC */
    PL_BASIC_DOUBLE_INT,
    PL_BASIC_LONG_INT,
    PL_BASIC_INT_INT,
    PL_BASIC_SHORT_INT,
    PL_BASIC_LONG_DOUBLE_INT,
    PL_BASIC_FLOAT_FLOAT, /* Fortran pairs */
    PL_BASIC_DOUBLE_DOUBLE,
    PL_BASIC_COUNT
};

/* The standard's groups of predefined types: they decide which operators are defined (op.h).
 * MPI_CHAR and MPI_CHARACTER are with the C integers: see op.c. */
enum pl_group_of_types {
    PL_TYPES_OTHER, /* no predefined operator: derived, MPI_PACKED, MPI_WCHAR */
    PL_TYPES_C_INTEGER,
    PL_TYPES_FORTRAN_INTEGER,
    PL_TYPES_FLOATING,
    PL_TYPES_LOGICAL,
    PL_TYPES_COMPLEX,
    PL_TYPES_BYTE,
    PL_TYPES_MULTI_LANGUAGE, /* MPI_AINT, MPI_COUNT, MPI_OFFSET */
    PL_TYPES_PAIR            /* of MINLOC and MAXLOC */
};

struct pl_program;   /* pack.h: how the data of an element lies */
struct pl_signature; /* signature.h: of which basic elements it consists */

struct pl_datatype {
    size_t size;         /* bytes of data in one element, gaps not counted */
    ptrdiff_t lb;        /* lower bound, bytes */
    ptrdiff_t extent;    /* from one element to the next, bytes */
    enum pl_basic basic; /* of every number in it, if they are all the same */
    enum pl_group_of_types group;
    bool contiguous; /* size == extent, lb == 0, in order: `count` elements are count * size plain bytes */
    bool predefined; /* one of the constant table: contiguous, but for pairs with a gap */
    bool committed;
    bool bounded;        /* lb and extent were set by a resize, here or in a part: alignment does not count */
    unsigned char align;   /* of the element in a C struct, bytes */
    unsigned char content; /* content.h: the kind of its elements, PL_CONTENT_ANY or PL_CONTENT_MIXED */
    ptrdiff_t true_lb;   /* where the data itself begins, and how far it reaches */
    ptrdiff_t true_extent;
    const struct pl_program *program;     /* NULL: contiguous */
    const struct pl_signature *signature; /* NULL: predefined, or empty */
    const struct pl_datatype *packed_of;  /* held: elements are packed ones of this type, to user operators */
    uintptr_t handle;                     /* the MPI handle's value, for user operators */
    const char *name;                     /* "MPI_INT" */
    int references; /* of a derived type; predefined ones are constants, never counted */

    /* A derived type's, kept for src/mpi: */
    int handles;      /* how often the program holds the handle */
    bool permanent;   /* the program may not free it */
    void *recipe;     /* how it was made */
    void *attributes; /* what MPI_Type_set_attr gave it */
    void (*released)(
        struct pl_datatype *type); /* the last reference is gone: frees recipe, attributes, name */
};

/* MPI_BYTE and MPI_BAND, for the library's own calls. */
enum { PL_HANDLE_BYTE = 0x247, PL_HANDLE_BAND = 0x028 };

/* The predefined types, by the lowest byte of their handle; no name: no such type. */
extern const struct pl_datatype pl_datatypes[256];

/* The predefined type with this handle value (mpi-abi's 0x200..0x2ff), or NULL: no such type here. */
static inline const struct pl_datatype *pl_datatype_predefined(uintptr_t handle)
{
    const struct pl_datatype *type = &pl_datatypes[handle & 0xff];
    return handle >> 8 == 2 && type->name ? type : NULL;
}

/* A part of a derived type: `count` elements of `type`, the first `offset` bytes from the address of the
 * whole, each `stride` bytes after the one before. */
struct pl_part {
    ptrdiff_t offset, stride;
    size_t count;
    const struct pl_datatype *type;
};

/* A new type, not committed, with one reference, whose data is that of the parts in order. Its bounds are
 * MPI's (5.0, section 5.1.7): from the lowest lower to the highest upper bound of the parts, the extent
 * rounded up to the alignment; where a part was resized, the bounds of such parts alone. 0, PL_ENOMEM, or
 * PL_EARG where sizes pass 2^63.
 */
int pl_datatype_create(const struct pl_part *parts, size_t nparts, struct pl_datatype **made);
/* The same data with other bounds. */
int pl_datatype_resize(const struct pl_datatype *type, ptrdiff_t lb, ptrdiff_t extent,
                       struct pl_datatype **made);

/* Counted references of derived types; nothing happens to predefined ones. release accepts NULL. */
void pl_datatype_hold(const struct pl_datatype *type);
void pl_datatype_release(const struct pl_datatype *type);

/* The name of a basic kind for error texts: "int32", "float". */
const char *pl_basic_name(enum pl_basic basic);

#endif
