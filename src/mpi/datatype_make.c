/* The constructors of datatypes (MPI 5.0, section 5.1.2), all but those of arrays. Each
 * checks its arguments, says of which parts the type is made, and writes its recipe; the
 * two forms of each, with int and with MPI_Count, meet in one function.
 */
#include "recipe.h"

#include <stdlib.h>

int pl_datatype_row(const struct pl_datatype *type, size_t count, struct pl_datatype **made)
{
    struct pl_part part = {.stride = type->extent, .count = count, .type = type};
    return pl_datatype_create(&part, 1, made);
}

/* What every constructor with a count and one old type checks first. */
static int check_common(struct pl_mpi *mpi, MPI_Count count, MPI_Datatype oldtype,
                        const struct pl_datatype **old, MPI_Datatype *newtype)
{
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, oldtype, old);
    if (!error)
        error = pl_check_pointer(newtype, "newtype");
    return error;
}

static int check_block(MPI_Count length)
{
    return length >= 0 ? 0 : pl_bad(MPI_ERR_ARG, "the block length %lld is negative", (long long)length);
}

static int check_array(MPI_Count count, struct pl_numbers numbers, const char *name)
{
    return count ? pl_check_pointer(numbers.wide ? (const void *)numbers.wide : numbers.narrow, name) : 0;
}

/* stride * extent in bytes. */
static int in_bytes(MPI_Count elements, const struct pl_datatype *type, ptrdiff_t *bytes)
{
    if (!__builtin_mul_overflow((ptrdiff_t)elements, type->extent, bytes))
        return 0;
    return pl_bad(MPI_ERR_ARG, "%lld elements of %td bytes are beyond any address", (long long)elements,
                  type->extent);
}

static int contiguous(bool large, MPI_Count count, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_contiguous");
    const struct pl_datatype *old;
    int error = check_common(mpi, count, oldtype, &old, newtype);
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_recipe *recipe = pl_recipe_create(MPI_COMBINER_CONTIGUOUS, large, 1, 1);
    struct pl_datatype *made = NULL;
    error = pl_datatype_row(old, (size_t)count, &made);
    if (recipe) {
        pl_recipe_count(recipe, count);
        pl_recipe_type(recipe, old);
    }
    return pl_datatype_finish(mpi, error, made, recipe, newtype);
}

int PMPI_Type_contiguous_c(MPI_Count count, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    return contiguous(true, count, oldtype, newtype);
}
PL_WEAK(Type_contiguous_c)

int PMPI_Type_contiguous(int count, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    return contiguous(false, count, oldtype, newtype);
}
PL_WEAK(Type_contiguous)

/* `count` rows of `length` elements, `stride` bytes apart. */
static int rows(const struct pl_datatype *old, MPI_Count count, MPI_Count length, ptrdiff_t stride,
                struct pl_datatype **made)
{
    struct pl_datatype *row = NULL;
    int error = pl_datatype_row(old, (size_t)length, &row);
    if (error)
        return error;
    struct pl_part part = {.stride = stride, .count = (size_t)count, .type = row};
    error = pl_datatype_create(&part, 1, made);
    pl_datatype_release(row);
    return error;
}

static int vector(int combiner, bool large, MPI_Count count, MPI_Count length, MPI_Count stride,
                  MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    bool bytes = combiner == MPI_COMBINER_HVECTOR;
    struct pl_mpi *mpi = pl_call(bytes ? "MPI_Type_create_hvector" : "MPI_Type_vector");
    const struct pl_datatype *old;
    ptrdiff_t step = stride;
    int error = check_common(mpi, count, oldtype, &old, newtype);
    if (!error)
        error = check_block(length);
    if (!error && !bytes)
        error = in_bytes(stride, old, &step);
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_recipe *recipe = pl_recipe_create(combiner, large, 3, 1);
    struct pl_datatype *made = NULL;
    error = rows(old, count, length, step, &made);
    if (recipe) {
        pl_recipe_count(recipe, count);
        pl_recipe_count(recipe, length);
        (bytes ? pl_recipe_address : pl_recipe_count)(recipe, stride);
        pl_recipe_type(recipe, old);
    }
    return pl_datatype_finish(mpi, error, made, recipe, newtype);
}

int PMPI_Type_vector_c(MPI_Count count, MPI_Count blocklength, MPI_Count stride, MPI_Datatype oldtype,
                       MPI_Datatype *newtype)
{
    return vector(MPI_COMBINER_VECTOR, true, count, blocklength, stride, oldtype, newtype);
}
PL_WEAK(Type_vector_c)

int PMPI_Type_vector(int count, int blocklength, int stride, MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    return vector(MPI_COMBINER_VECTOR, false, count, blocklength, stride, oldtype, newtype);
}
PL_WEAK(Type_vector)

int PMPI_Type_create_hvector_c(MPI_Count count, MPI_Count blocklength, MPI_Count stride, MPI_Datatype oldtype,
                               MPI_Datatype *newtype)
{
    return vector(MPI_COMBINER_HVECTOR, true, count, blocklength, stride, oldtype, newtype);
}
PL_WEAK(Type_create_hvector_c)

int PMPI_Type_create_hvector(int count, int blocklength, MPI_Aint stride, MPI_Datatype oldtype,
                             MPI_Datatype *newtype)
{
    return vector(MPI_COMBINER_HVECTOR, false, count, blocklength, stride, oldtype, newtype);
}
PL_WEAK(Type_create_hvector)

/* The arguments of the indexed constructors and of struct. */
struct blocks {
    const char *name;
    int combiner;
    bool large;
    MPI_Count count;
    struct pl_numbers lengths;
    MPI_Count length; /* of every block, in the _block constructors, instead of lengths */
    struct pl_numbers displacements;
    const MPI_Datatype *types; /* struct; else NULL */
    MPI_Datatype oldtype;
};

static bool one_length(const struct blocks *b)
{
    return b->combiner == MPI_COMBINER_INDEXED_BLOCK || b->combiner == MPI_COMBINER_HINDEXED_BLOCK;
}

static bool in_elements(const struct blocks *b)
{
    return b->combiner == MPI_COMBINER_INDEXED || b->combiner == MPI_COMBINER_INDEXED_BLOCK;
}

static int fill_part(struct pl_mpi *mpi, const struct blocks *b, const struct pl_datatype *old, MPI_Count i,
                     struct pl_part *part)
{
    MPI_Count length = one_length(b) ? b->length : pl_number(b->lengths, i);
    ptrdiff_t at = pl_number(b->displacements, i);
    int error = check_block(length);
    part->type = old;
    if (!error && b->types)
        error = pl_datatype_of(mpi, b->types[i], &part->type);
    if (!error && in_elements(b))
        error = in_bytes(at, old, &at);
    if (error)
        return error;
    part->offset = at;
    part->stride = part->type->extent;
    part->count = (size_t)length;
    return 0;
}

static struct pl_recipe *write_blocks(const struct blocks *b, const struct pl_part *parts,
                                      const struct pl_datatype *old)
{
    bool structure = b->combiner == MPI_COMBINER_STRUCT;
    size_t n = (size_t)b->count;
    struct pl_recipe *recipe = pl_recipe_create(b->combiner, b->large, 2 * n + 2, structure ? n : 1);
    if (!recipe)
        return NULL;
    pl_recipe_count(recipe, b->count);
    if (one_length(b))
        pl_recipe_count(recipe, b->length);
    for (MPI_Count i = 0; i < b->count && !one_length(b); i++)
        pl_recipe_count(recipe, pl_number(b->lengths, i));
    for (MPI_Count i = 0; i < b->count; i++)
        (in_elements(b) ? pl_recipe_count : pl_recipe_address)(recipe, pl_number(b->displacements, i));
    for (MPI_Count i = 0; i < b->count && structure; i++)
        pl_recipe_type(recipe, parts[i].type);
    if (!structure)
        pl_recipe_type(recipe, old);
    return recipe;
}

static int check_blocks(struct pl_mpi *mpi, const struct blocks *b, const struct pl_datatype **old,
                        MPI_Datatype *newtype)
{
    bool structure = b->combiner == MPI_COMBINER_STRUCT;
    int error = structure ? pl_check_count(b->count) : check_common(mpi, b->count, b->oldtype, old, newtype);
    if (!error)
        error = pl_check_pointer(newtype, "newtype");
    if (!error)
        error = check_array(b->count, b->displacements, "array_of_displacements");
    if (!error && !one_length(b))
        error = check_array(b->count, b->lengths, "array_of_blocklengths");
    if (!error && b->count && structure)
        error = pl_check_pointer(b->types, "array_of_types");
    return error;
}

static int make_blocks(const struct blocks *b, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call(b->name);
    const struct pl_datatype *old = NULL;
    struct pl_part *parts = NULL;
    int error = check_blocks(mpi, b, &old, newtype);
    if (!error && !(parts = calloc(b->count ? (size_t)b->count : 1, sizeof *parts)))
        error = pl_fail(PL_ENOMEM, "no memory for a datatype of %lld blocks", (long long)b->count);
    for (MPI_Count i = 0; i < b->count && !error; i++)
        error = fill_part(mpi, b, old, i, &parts[i]);
    if (error) {
        free(parts);
        return pl_return(mpi, NULL, error);
    }
    struct pl_datatype *made = NULL;
    error = pl_datatype_create(parts, (size_t)b->count, &made);
    struct pl_recipe *recipe = error ? NULL : write_blocks(b, parts, old);
    free(parts);
    return pl_datatype_finish(mpi, error, made, recipe, newtype);
}

int PMPI_Type_indexed_c(MPI_Count count, const MPI_Count array_of_blocklengths[],
                        const MPI_Count array_of_displacements[], MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_indexed",
                       MPI_COMBINER_INDEXED,
                       true,
                       count,
                       {.wide = array_of_blocklengths},
                       0,
                       {.wide = array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_indexed_c)

int PMPI_Type_indexed(int count, const int array_of_blocklengths[], const int array_of_displacements[],
                      MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_indexed",
                       MPI_COMBINER_INDEXED,
                       false,
                       count,
                       {.narrow = array_of_blocklengths},
                       0,
                       {.narrow = array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_indexed)

int PMPI_Type_create_hindexed_c(MPI_Count count, const MPI_Count array_of_blocklengths[],
                                const MPI_Count array_of_displacements[], MPI_Datatype oldtype,
                                MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_hindexed",
                       MPI_COMBINER_HINDEXED,
                       true,
                       count,
                       {.wide = array_of_blocklengths},
                       0,
                       {.wide = array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_hindexed_c)

int PMPI_Type_create_hindexed(int count, const int array_of_blocklengths[],
                              const MPI_Aint array_of_displacements[], MPI_Datatype oldtype,
                              MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_hindexed",
                       MPI_COMBINER_HINDEXED,
                       false,
                       count,
                       {.narrow = array_of_blocklengths},
                       0,
                       {.wide = (const MPI_Count *)array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_hindexed)

int PMPI_Type_create_indexed_block_c(MPI_Count count, MPI_Count blocklength,
                                     const MPI_Count array_of_displacements[], MPI_Datatype oldtype,
                                     MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_indexed_block",
                       MPI_COMBINER_INDEXED_BLOCK,
                       true,
                       count,
                       {NULL, NULL},
                       blocklength,
                       {.wide = array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_indexed_block_c)

int PMPI_Type_create_indexed_block(int count, int blocklength, const int array_of_displacements[],
                                   MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_indexed_block",
                       MPI_COMBINER_INDEXED_BLOCK,
                       false,
                       count,
                       {NULL, NULL},
                       blocklength,
                       {.narrow = array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_indexed_block)

int PMPI_Type_create_hindexed_block_c(MPI_Count count, MPI_Count blocklength,
                                      const MPI_Count array_of_displacements[], MPI_Datatype oldtype,
                                      MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_hindexed_block",
                       MPI_COMBINER_HINDEXED_BLOCK,
                       true,
                       count,
                       {NULL, NULL},
                       blocklength,
                       {.wide = array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_hindexed_block_c)

int PMPI_Type_create_hindexed_block(int count, int blocklength, const MPI_Aint array_of_displacements[],
                                    MPI_Datatype oldtype, MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_hindexed_block",
                       MPI_COMBINER_HINDEXED_BLOCK,
                       false,
                       count,
                       {NULL, NULL},
                       blocklength,
                       {.wide = (const MPI_Count *)array_of_displacements},
                       NULL,
                       oldtype};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_hindexed_block)

int PMPI_Type_create_struct_c(MPI_Count count, const MPI_Count array_of_blocklengths[],
                              const MPI_Count array_of_displacements[], const MPI_Datatype array_of_types[],
                              MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_struct",
                       MPI_COMBINER_STRUCT,
                       true,
                       count,
                       {.wide = array_of_blocklengths},
                       0,
                       {.wide = array_of_displacements},
                       array_of_types,
                       MPI_DATATYPE_NULL};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_struct_c)

int PMPI_Type_create_struct(int count, const int array_of_blocklengths[],
                            const MPI_Aint array_of_displacements[], const MPI_Datatype array_of_types[],
                            MPI_Datatype *newtype)
{
    struct blocks b = {"MPI_Type_create_struct",
                       MPI_COMBINER_STRUCT,
                       false,
                       count,
                       {.narrow = array_of_blocklengths},
                       0,
                       {.wide = (const MPI_Count *)array_of_displacements},
                       array_of_types,
                       MPI_DATATYPE_NULL};
    return make_blocks(&b, newtype);
}
PL_WEAK(Type_create_struct)

static int resized(bool large, MPI_Datatype oldtype, MPI_Count lb, MPI_Count extent, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_create_resized");
    const struct pl_datatype *old;
    int error = check_common(mpi, 0, oldtype, &old, newtype);
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_recipe *recipe = pl_recipe_create(MPI_COMBINER_RESIZED, large, 2, 1);
    struct pl_datatype *made = NULL;
    error = pl_datatype_resize(old, (ptrdiff_t)lb, (ptrdiff_t)extent, &made);
    if (recipe) {
        pl_recipe_address(recipe, lb);
        pl_recipe_address(recipe, extent);
        pl_recipe_type(recipe, old);
    }
    return pl_datatype_finish(mpi, error, made, recipe, newtype);
}

int PMPI_Type_create_resized_c(MPI_Datatype oldtype, MPI_Count lb, MPI_Count extent, MPI_Datatype *newtype)
{
    return resized(true, oldtype, lb, extent, newtype);
}
PL_WEAK(Type_create_resized_c)

int PMPI_Type_create_resized(MPI_Datatype oldtype, MPI_Aint lb, MPI_Aint extent, MPI_Datatype *newtype)
{
    return resized(false, oldtype, lb, extent, newtype);
}
PL_WEAK(Type_create_resized)
