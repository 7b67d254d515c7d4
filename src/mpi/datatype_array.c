/* Parts of arrays as datatypes (MPI 5.0, sections 5.1.3 and 5.1.4): a box in an array
 * (subarray), and the share of one process of a distributed array (darray).
 *
 * Both go from the dimension whose elements are neighbours to the slowest, and wrap what
 * there is so far in a part for each dimension:
 *
 *   sizes 4 x 6, subsizes 2 x 3, starts 1 x 2        . . . . . .
 *   dimension 1: 3 elements from 2 on                . . x x x .
 *   dimension 0: 2 of that, 6 elements apart,        . . x x x .
 *                from row 1 on                       . . . . . .
 *
 * and the whole gets the bounds of the full array.
 */
#include "recipe.h"

#include <limits.h>

/* Wraps *type in the parts, and gives the new type in its place. */
static int wrap(struct pl_datatype **type, const struct pl_part *parts, size_t nparts)
{
    struct pl_datatype *made = NULL;
    int error = pl_datatype_create(parts, nparts, &made);
    pl_datatype_release(*type);
    *type = error ? NULL : made;
    return error;
}

/* Gives the type the bounds of an array of `bytes`. */
static int frame(struct pl_datatype **type, ptrdiff_t bytes)
{
    struct pl_datatype *made = NULL;
    int error = pl_datatype_resize(*type, 0, bytes, &made);
    pl_datatype_release(*type);
    *type = error ? NULL : made;
    return error;
}

/* The dimension that is the `i`th from the fastest on. */
static int dimension(int i, int ndims, int order)
{
    return order == MPI_ORDER_C ? ndims - 1 - i : i;
}

static int widen(ptrdiff_t *stride, MPI_Count size)
{
    if (!__builtin_mul_overflow(*stride, (ptrdiff_t)size, stride))
        return 0;
    return pl_bad(MPI_ERR_ARG, "the array would be larger than 2^63 bytes");
}

struct subarray {
    bool large;
    int ndims;
    struct pl_numbers sizes, subsizes, starts;
    int order;
};

static int check_subarray(const struct subarray *s)
{
    if (s->ndims < 1)
        return pl_bad(MPI_ERR_ARG, "an array of %d dimensions", s->ndims);
    if (s->order != MPI_ORDER_C && s->order != MPI_ORDER_FORTRAN)
        return pl_bad(MPI_ERR_ARG, "the order is neither MPI_ORDER_C nor MPI_ORDER_FORTRAN");
    for (int i = 0; i < s->ndims; i++) {
        MPI_Count size = pl_number(s->sizes, i), subsize = pl_number(s->subsizes, i),
                  start = pl_number(s->starts, i);
        if (size < 1 || subsize < 1 || subsize > size || start < 0 || start > size - subsize)
            return pl_bad(MPI_ERR_ARG, "dimension %d: %lld elements from %lld on are not in an array of %lld",
                          i, (long long)subsize, (long long)start, (long long)size);
    }
    return 0;
}

static int make_subarray(const struct subarray *s, const struct pl_datatype *old, struct pl_datatype **made)
{
    ptrdiff_t stride = old->extent;
    int error = pl_datatype_row(old, 1, made);
    for (int i = 0; i < s->ndims && !error; i++) {
        int d = dimension(i, s->ndims, s->order);
        struct pl_part part = {.offset = (ptrdiff_t)pl_number(s->starts, d) * stride,
                               .stride = stride,
                               .count = (size_t)pl_number(s->subsizes, d),
                               .type = i ? *made : old};
        error = widen(&stride, pl_number(s->sizes, d));
        if (!error)
            error = wrap(made, &part, 1);
    }
    return error ? error : frame(made, stride);
}

static struct pl_recipe *write_subarray(const struct subarray *s, const struct pl_datatype *old)
{
    struct pl_recipe *recipe = pl_recipe_create(MPI_COMBINER_SUBARRAY, s->large, 3 * (size_t)s->ndims + 2, 1);
    if (!recipe)
        return NULL;
    const struct pl_numbers *lists[] = {&s->sizes, &s->subsizes, &s->starts};
    pl_recipe_int(recipe, s->ndims);
    for (int list = 0; list < 3; list++)
        for (int i = 0; i < s->ndims; i++)
            pl_recipe_count(recipe, pl_number(*lists[list], i));
    pl_recipe_int(recipe, s->order);
    pl_recipe_type(recipe, old);
    return recipe;
}

static int subarray(const struct subarray *s, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_create_subarray");
    const struct pl_datatype *old;
    int error = pl_datatype_of(mpi, oldtype, &old);
    if (!error)
        error = pl_check_pointer(newtype, "newtype");
    if (!error && !(pl_given(s->sizes) && pl_given(s->subsizes) && pl_given(s->starts)))
        error = pl_check_pointer(NULL, "array_of_sizes, _subsizes or _starts");
    if (!error)
        error = check_subarray(s);
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_datatype *made = NULL;
    error = make_subarray(s, old, &made);
    return pl_datatype_finish(mpi, error, made, error ? NULL : write_subarray(s, old), newtype);
}

int PMPI_Type_create_subarray_c(int ndims, const MPI_Count array_of_sizes[],
                                const MPI_Count array_of_subsizes[], const MPI_Count array_of_starts[],
                                int order, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct subarray s = {
        true, ndims, {.wide = array_of_sizes}, {.wide = array_of_subsizes}, {.wide = array_of_starts}, order};
    return subarray(&s, oldtype, newtype);
}
PL_WEAK(Type_create_subarray_c)

int PMPI_Type_create_subarray(int ndims, const int array_of_sizes[], const int array_of_subsizes[],
                              const int array_of_starts[], int order, MPI_Datatype oldtype,
                              MPI_Datatype *newtype)
{
    struct subarray s = {
        false, ndims, {.narrow = array_of_sizes}, {.narrow = array_of_subsizes}, {.narrow = array_of_starts},
        order};
    return subarray(&s, oldtype, newtype);
}
PL_WEAK(Type_create_subarray)

struct darray {
    bool large;
    int size, rank, ndims;
    struct pl_numbers gsizes;
    const int *distribs, *dargs, *psizes;
    int order;
};

static int check_dimension(const struct darray *d, int i)
{
    MPI_Count gsize = pl_number(d->gsizes, i);
    int way = d->distribs[i], darg = d->dargs[i], psize = d->psizes[i];
    if (gsize < 1 || psize < 1)
        return pl_bad(MPI_ERR_ARG, "dimension %d: %lld elements over %d processes", i, (long long)gsize,
                      psize);
    if (way != MPI_DISTRIBUTE_NONE && way != MPI_DISTRIBUTE_BLOCK && way != MPI_DISTRIBUTE_CYCLIC)
        return pl_bad(MPI_ERR_ARG, "dimension %d: %d is not a distribution", i, way);
    if (way == MPI_DISTRIBUTE_NONE && psize != 1)
        return pl_bad(MPI_ERR_ARG, "dimension %d is not distributed, but over %d processes", i, psize);
    if (way != MPI_DISTRIBUTE_NONE && darg != MPI_DISTRIBUTE_DFLT_DARG && darg < 1)
        return pl_bad(MPI_ERR_ARG, "dimension %d: blocks of %d elements", i, darg);
    if (way == MPI_DISTRIBUTE_BLOCK && darg != MPI_DISTRIBUTE_DFLT_DARG && (MPI_Count)darg * psize < gsize)
        return pl_bad(MPI_ERR_ARG, "dimension %d: %d blocks of %d do not cover %lld elements", i, psize, darg,
                      (long long)gsize);
    return 0;
}

static int check_darray(const struct darray *d)
{
    if (d->ndims < 1 || d->size < 1 || d->rank < 0 || d->rank >= d->size)
        return pl_bad(MPI_ERR_ARG, "rank %d of %d, %d dimensions", d->rank, d->size, d->ndims);
    if (d->order != MPI_ORDER_C && d->order != MPI_ORDER_FORTRAN)
        return pl_bad(MPI_ERR_ARG, "the order is neither MPI_ORDER_C nor MPI_ORDER_FORTRAN");
    int64_t processes = 1;
    for (int i = 0; i < d->ndims; i++) {
        int error = check_dimension(d, i);
        if (error)
            return error;
        processes *= d->psizes[i];
        if (processes > d->size)
            break;
    }
    if (processes != d->size)
        return pl_bad(MPI_ERR_ARG, "the grid does not have %d processes", d->size);
    return 0;
}

/* This process's place in the grid in dimension i; the grid is numbered as C numbers arrays. */
static int coordinate(const struct darray *d, int i)
{
    int rest = d->rank;
    for (int k = d->ndims - 1; k > i; k--)
        rest /= d->psizes[k];
    return rest % d->psizes[i];
}

/* Wraps *type (at first: old) for one dimension, whose elements are `stride` bytes apart:
 * whole blocks that come round, and what is left of the last one. */
static int distribute(const struct darray *d, int i, ptrdiff_t stride, const struct pl_datatype *inner,
                      struct pl_datatype **type)
{
    MPI_Count gsize = pl_number(d->gsizes, i), block = gsize, psize = d->psizes[i], place = coordinate(d, i);
    if (d->distribs[i] == MPI_DISTRIBUTE_CYCLIC)
        block = d->dargs[i] == MPI_DISTRIBUTE_DFLT_DARG ? 1 : d->dargs[i];
    else if (d->distribs[i] == MPI_DISTRIBUTE_BLOCK)
        block = d->dargs[i] == MPI_DISTRIBUTE_DFLT_DARG ? (gsize + psize - 1) / psize : d->dargs[i];
    MPI_Count cycle = block * psize, start = place * block, rest = gsize > start ? gsize - start : 0;
    MPI_Count whole = rest / cycle + (rest % cycle >= block);
    MPI_Count left = rest % cycle < block ? rest % cycle : 0;
    struct pl_part elements = {.stride = stride, .count = (size_t)block, .type = inner};
    struct pl_datatype *one = NULL;
    int error = pl_datatype_create(&elements, 1, &one);
    if (error)
        return error;
    struct pl_part parts[] = {
        {.offset = start * stride, .stride = cycle * stride, .count = (size_t)whole, .type = one},
        {.offset = (start + whole * cycle) * stride, .stride = stride, .count = (size_t)left, .type = inner}};
    error = wrap(type, parts, 2);
    pl_datatype_release(one);
    return error;
}

static int make_darray(const struct darray *d, const struct pl_datatype *old, struct pl_datatype **made)
{
    ptrdiff_t stride = old->extent;
    int error = 0;
    for (int i = 0; i < d->ndims && !error; i++) {
        int k = dimension(i, d->ndims, d->order);
        error = distribute(d, k, stride, i ? *made : old, made);
        if (!error)
            error = widen(&stride, pl_number(d->gsizes, k));
    }
    return error ? error : frame(made, stride);
}

static struct pl_recipe *write_darray(const struct darray *d, const struct pl_datatype *old)
{
    struct pl_recipe *recipe = pl_recipe_create(MPI_COMBINER_DARRAY, d->large, 4 * (size_t)d->ndims + 4, 1);
    if (!recipe)
        return NULL;
    const int *lists[] = {d->distribs, d->dargs, d->psizes};
    pl_recipe_int(recipe, d->size);
    pl_recipe_int(recipe, d->rank);
    pl_recipe_int(recipe, d->ndims);
    for (int i = 0; i < d->ndims; i++)
        pl_recipe_count(recipe, pl_number(d->gsizes, i));
    for (int list = 0; list < 3; list++)
        for (int i = 0; i < d->ndims; i++)
            pl_recipe_int(recipe, lists[list][i]);
    pl_recipe_int(recipe, d->order);
    pl_recipe_type(recipe, old);
    return recipe;
}

static int darray(const struct darray *d, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_create_darray");
    const struct pl_datatype *old;
    int error = pl_datatype_of(mpi, oldtype, &old);
    if (!error)
        error = pl_check_pointer(newtype, "newtype");
    if (!error && !(pl_given(d->gsizes) && d->distribs && d->dargs && d->psizes))
        error = pl_check_pointer(NULL, "array_of_gsizes, _distribs, _dargs or _psizes");
    if (!error)
        error = check_darray(d);
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_datatype *made = NULL;
    error = make_darray(d, old, &made);
    return pl_datatype_finish(mpi, error, made, error ? NULL : write_darray(d, old), newtype);
}

int PMPI_Type_create_darray_c(int size, int rank, int ndims, const MPI_Count array_of_gsizes[],
                              const int array_of_distribs[], const int array_of_dargs[],
                              const int array_of_psizes[], int order, MPI_Datatype oldtype,
                              MPI_Datatype *newtype)
{
    struct darray d = {true,
                       size,
                       rank,
                       ndims,
                       {.wide = array_of_gsizes},
                       array_of_distribs,
                       array_of_dargs,
                       array_of_psizes,
                       order};
    return darray(&d, oldtype, newtype);
}
PL_WEAK(Type_create_darray_c)

int PMPI_Type_create_darray(int size, int rank, int ndims, const int array_of_gsizes[],
                            const int array_of_distribs[], const int array_of_dargs[],
                            const int array_of_psizes[], int order, MPI_Datatype oldtype,
                            MPI_Datatype *newtype)
{
    struct darray d = {
        false,           size, rank, ndims, {.narrow = array_of_gsizes}, array_of_distribs, array_of_dargs,
        array_of_psizes, order};
    return darray(&d, oldtype, newtype);
}
PL_WEAK(Type_create_darray)
