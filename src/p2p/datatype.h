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
    PL_BASIC_FLOAT16,
    PL_BASIC_BFLOAT16,
    PL_BASIC_FLOAT,
    PL_BASIC_DOUBLE,
    PL_BASIC_LONG_DOUBLE,
    PL_BASIC_COMPLEX_FLOAT,
    PL_BASIC_COMPLEX_DOUBLE,
    PL_BASIC_COMPLEX_LONG_DOUBLE,
    PL_BASIC_BOOL,      /* C and C++ bool */
    PL_BASIC_LOGICAL32, /* Fortran LOGICAL of 4 bytes; other sizes follow */
    PL_BASIC_LOGICAL8,
    PL_BASIC_LOGICAL16,
    PL_BASIC_LOGICAL64,
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

struct pl_datatype {
    size_t size;         /* bytes of data in one element, gaps not counted */
    ptrdiff_t lb;        /* lower bound, bytes */
    ptrdiff_t extent;    /* from one element to the next, bytes */
    enum pl_basic basic; /* of every number in it, if they are all the same */
    bool contiguous;     /* size == extent, lb == 0: `count` elements are count * size plain bytes */
    bool predefined;
    bool committed;
    uintptr_t handle; /* the MPI handle's value, for user operators */
    const char *name; /* "MPI_INT" */
    int references;
};

/* The predefined type with this handle value (mpi-abi's 0x200..0x2ff), or NULL: no such type here. */
const struct pl_datatype *pl_datatype_predefined(uintptr_t handle);

/* The name of a basic kind for error texts: "int32", "float". */
const char *pl_basic_name(enum pl_basic basic);

#endif
