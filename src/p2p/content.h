/* What a message's data is, in the 32 bits that its envelope has for it: so that a receive of floats finds
 * out that what comes are integers. */
#ifndef PL_CONTENT_H
#define PL_CONTENT_H

#include "datatype.h"

#include <stdint.h>

/*
 *     0             anything: MPI_BYTE, MPI_PACKED, integers of one byte, which real programs use as bytes,
 *                   types with these in them, or not known
 *
 *     1 .. 62       elements that are all held alike: an enum pl_basic. Signed or not, C's or Fortran's is
 *                   one, and a complex number is two real ones: the bits mean the same on both sides
 *
 *     1 << 31 | h   several kinds of elements; h: a hash of which, in order
 *
 * PL_CONTENT_MIXED is a type's, never a message's.
 */
enum { PL_CONTENT_ANY = 0, PL_CONTENT_MIXED = 63 };
#define PL_CONTENT_HASHED (1u << 31)

/* The hash of a sequence of elements; sequences are put behind each other by pl_content_join. */
struct pl_sequence {
    uint32_t hash, power; /* power: of the base, by how many elements there are; {0, 1} for none */
};

/* The kind of a predefined type's elements within another type; PL_CONTENT_MIXED for pairs of two kinds. */
uint8_t pl_content_within(const struct pl_datatype *basic);
/* `count` elements of a predefined type. */
struct pl_sequence pl_content_sequence(const struct pl_datatype *basic, size_t count);
struct pl_sequence pl_content_join(struct pl_sequence first, struct pl_sequence second);
struct pl_sequence pl_content_repeat(struct pl_sequence sequence, size_t count);

/* Of a derived type of several kinds. */
uint32_t pl_content_mixed(const struct pl_datatype *type, size_t count);

/* That of `count` elements of a type. */
static inline uint32_t pl_content(const struct pl_datatype *type, size_t count)
{
    return __builtin_expect(type->content != PL_CONTENT_MIXED, 1) ? type->content
                                                                  : pl_content_mixed(type, count);
}

/* Whether a message of `length` bytes may be received into `capacity` bytes for that. False only where it is
 * sure that the types differ. */
bool pl_content_fits(uint32_t sent, uint32_t wanted, size_t length, size_t capacity);
/* "int32", "several kinds of elements". */
const char *pl_content_name(uint32_t content);

#endif
