/* The type signature of a message (MPI 5.0, section 3.3.1): the sequence of its basic elements. Sender and
 * receiver must agree on it, and nothing but their bytes goes over the wire; so the envelope says in 32
 * bits what the sender sent. Where all elements are of one kind, which they nearly always are, it is
 * the kind; else a hash of the sequence that does not depend on how it is nested:
 *
 *     h(a b c) = a B^2 + b B + c (mod 2^32)        of {a b} and {c}: h(a b) B^1 + h(c)
 *
 * so a struct may be received as its members, or as another struct of the same. What is longer than what came
 * is compared only where the kinds alone tell. Never a false alarm: equal sequences have equal hashes, and
 * what is held alike counts as equal although the standard would have MPI_INT and MPI_UNSIGNED differ, which
 * real programs mix and which does no harm.
 *
 * Cost: one load in each call; it is compared together with the signature of collectives, in the same word.
 * Rejected: sending the handle of the type and names of the functions, for which there is no room in the
 * header.
 */
#include "content.h"
#include "signature.h"

#include <string.h>

enum { BASE = 0x01000193 }; /* odd, so powers never vanish */

/* How many numbers an element is. */
static size_t numbers_of(const struct pl_datatype *basic)
{
    return basic->group == PL_TYPES_COMPLEX || basic->group == PL_TYPES_PAIR ? 2 : 1;
}

static struct pl_sequence one(uint8_t kind)
{
    return (struct pl_sequence){kind, BASE};
}

/* The kind of the value of a pair of two kinds, whose index is an int; 0: it is none. */
static uint8_t value_kind(const struct pl_datatype *pair)
{
    static const uint8_t kinds[PL_BASIC_COUNT] = {
        [PL_BASIC_FLOAT_INT] = PL_BASIC_FLOAT,
        [PL_BASIC_DOUBLE_INT] = PL_BASIC_DOUBLE,
        [PL_BASIC_LONG_INT] = PL_BASIC_INT64,
        [PL_BASIC_SHORT_INT] = PL_BASIC_INT16,
        [PL_BASIC_LONG_DOUBLE_INT] = PL_BASIC_LONG_DOUBLE,
    };
    return kinds[pair->basic];
}

uint8_t pl_content_within(const struct pl_datatype *basic)
{
    return value_kind(basic) ? PL_CONTENT_MIXED : basic->content;
}

struct pl_sequence pl_content_sequence(const struct pl_datatype *basic, size_t count)
{
    if (value_kind(basic))
        return pl_content_repeat(pl_content_join(one(value_kind(basic)), one(PL_BASIC_INT32)), count);
    return pl_content_repeat(one(basic->content), count * numbers_of(basic));
}

struct pl_sequence pl_content_join(struct pl_sequence first, struct pl_sequence second)
{
    return (struct pl_sequence){first.hash * second.power + second.hash, first.power * second.power};
}

struct pl_sequence pl_content_repeat(struct pl_sequence sequence, size_t count)
{
    struct pl_sequence whole = {0, 1};
    for (; count; count >>= 1, sequence = pl_content_join(sequence, sequence))
        if (count & 1)
            whole = pl_content_join(whole, sequence);
    return whole;
}

uint32_t pl_content_mixed(const struct pl_datatype *type, size_t count)
{
    return PL_CONTENT_HASHED | pl_content_repeat(type->signature->sequence, count).hash;
}

bool pl_content_fits(uint32_t sent, uint32_t wanted, size_t length, size_t capacity)
{
    if (sent == wanted || !sent || !wanted || !length || length > capacity)
        return true;
    return (wanted & PL_CONTENT_HASHED) && length < capacity;
}

const char *pl_content_name(uint32_t content)
{
    if (content & PL_CONTENT_HASHED)
        return "several kinds of elements";
    return content ? pl_basic_name((enum pl_basic)content) : "bytes";
}
