/* Arrays of counts or displacements, as the two forms of an MPI function have them: int, or MPI_Count or
 * MPI_Aint, which are one type here. */
#ifndef PL_NUMBERS_H
#define PL_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

struct pl_numbers {
    const int *narrow;
    const int64_t *wide;
};

static inline struct pl_numbers pl_narrow(const int *numbers)
{
    return (struct pl_numbers){.narrow = numbers};
}

static inline struct pl_numbers pl_wide(const int64_t *numbers)
{
    return (struct pl_numbers){.wide = numbers};
}

static inline bool pl_given(struct pl_numbers numbers)
{
    return numbers.narrow || numbers.wide;
}

static inline int64_t pl_number(struct pl_numbers numbers, int64_t i)
{
    return numbers.wide ? numbers.wide[i] : numbers.narrow[i];
}

#endif
