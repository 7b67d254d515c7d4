/* Datatypes chosen by precision, range or size (MPI 5.0, section 19.1.9), and the pairs
 * for MINLOC and MAXLOC of two given types (section 5.1.15).
 *
 * What MPI_Type_create_f90_* gives is predefined for the program: it is not freed, and the same numbers
 * give the same handle. It is a copy of the predefined type of that size, with a recipe.
 */
#include "recipe.h"

#include <limits.h>
#include <stdlib.h>

/* What a kind of Fortran's offers: decimal digits and exponent range. */
struct kind {
    int digits, range;
    uintptr_t real, complex;
};
static const struct kind kinds[] = {
    {6, 37, (uintptr_t)MPI_REAL4, (uintptr_t)MPI_COMPLEX8},
    {15, 307, (uintptr_t)MPI_REAL8, (uintptr_t)MPI_COMPLEX16},
    {33, 4931, (uintptr_t)MPI_REAL16, (uintptr_t)MPI_COMPLEX32},
};
static const struct kind integers[] = {
    {0, 2, (uintptr_t)MPI_INTEGER1, 0},   {0, 4, (uintptr_t)MPI_INTEGER2, 0},
    {0, 9, (uintptr_t)MPI_INTEGER4, 0},   {0, 18, (uintptr_t)MPI_INTEGER8, 0},
    {0, 38, (uintptr_t)MPI_INTEGER16, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds, INTEGERS = sizeof integers / sizeof *integers };

/* The type that was made before for these numbers, or NULL. */
static struct pl_datatype *earlier(struct pl_mpi *mpi, int combiner, int p, int r)
{
    const struct pl_handles *handles = &mpi->handles[PL_CLASS_DATATYPE];
    for (uint32_t i = 0; i < handles->size; i++) {
        struct pl_datatype *type = handles->slots[i].object;
        const struct pl_recipe *recipe = type ? type->recipe : NULL;
        if (recipe && recipe->combiner == combiner && recipe->ints[0] == p &&
            (recipe->nints == 1 || recipe->ints[1] == r))
            return type;
    }
    return NULL;
}

static int make(struct pl_mpi *mpi, int combiner, int p, int r, uintptr_t base, MPI_Datatype *newtype)
{
    struct pl_datatype *type = earlier(mpi, combiner, p, r);
    if (type) {
        *newtype = (MPI_Datatype)type->handle;
        return 0;
    }
    struct pl_recipe *recipe = pl_recipe_create(combiner, false, 2, 0);
    type = recipe ? malloc(sizeof *type) : NULL;
    uintptr_t handle = type ? pl_handle_new(&mpi->handles[PL_CLASS_DATATYPE], PL_CLASS_DATATYPE, type) : 0;
    if (!handle) {
        free(type);
        pl_recipe_destroy(recipe);
        return pl_fail(PL_ENOMEM, "no memory for a datatype");
    }
    *type = *pl_datatype_predefined(base);
    type->handle = handle;
    type->recipe = recipe;
    type->name = recipe->name;
    pl_recipe_int(recipe, p);
    if (combiner != MPI_COMBINER_F90_INTEGER)
        pl_recipe_int(recipe, r);
    *newtype = (MPI_Datatype)handle;
    return 0;
}

/* MPI_UNDEFINED asks for nothing. */
static bool enough(int has, int wanted)
{
    return wanted == MPI_UNDEFINED || has >= wanted;
}

static int floating(const char *name, int combiner, int p, int r, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call(name);
    int error = pl_check_pointer(newtype, "newtype"), i = 0;
    while (i < KINDS && !(enough(kinds[i].digits, p) && enough(kinds[i].range, r)))
        i++;
    if (!error && p == MPI_UNDEFINED && r == MPI_UNDEFINED)
        error = pl_bad(MPI_ERR_ARG, "neither precision nor range is given");
    if (!error && i == KINDS)
        error = pl_bad(MPI_ERR_ARG, "no type has %d digits and a range of %d", p, r);
    if (!error)
        error = make(mpi, combiner, p, r,
                     combiner == MPI_COMBINER_F90_REAL ? kinds[i].real : kinds[i].complex, newtype);
    return pl_return(mpi, NULL, error);
}

int PMPI_Type_create_f90_real(int p, int r, MPI_Datatype *newtype)
{
    return floating("MPI_Type_create_f90_real", MPI_COMBINER_F90_REAL, p, r, newtype);
}
PL_WEAK(Type_create_f90_real)

int PMPI_Type_create_f90_complex(int p, int r, MPI_Datatype *newtype)
{
    return floating("MPI_Type_create_f90_complex", MPI_COMBINER_F90_COMPLEX, p, r, newtype);
}
PL_WEAK(Type_create_f90_complex)

int PMPI_Type_create_f90_integer(int r, MPI_Datatype *newtype)
{
    struct pl_mpi *mpi = pl_call("MPI_Type_create_f90_integer");
    int error = pl_check_pointer(newtype, "newtype"), i = 0;
    while (i < INTEGERS && integers[i].range < r)
        i++;
    if (!error && i == INTEGERS)
        error = pl_bad(MPI_ERR_ARG, "no integer has a range of %d", r);
    if (!error)
        error = make(mpi, MPI_COMBINER_F90_INTEGER, r, 0, integers[i].real, newtype);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_create_f90_integer)

int PMPI_Type_match_size(int typeclass, int size, MPI_Datatype *datatype)
{
    static const MPI_Datatype whole[] = {MPI_INTEGER1, MPI_INTEGER2, MPI_INTEGER4, MPI_INTEGER8,
                                         MPI_INTEGER16};
    static const MPI_Datatype real[] = {MPI_REAL2, MPI_REAL4, MPI_REAL8, MPI_REAL16};
    static const MPI_Datatype complex[] = {MPI_COMPLEX4, MPI_COMPLEX8, MPI_COMPLEX16, MPI_COMPLEX32};
    struct pl_mpi *mpi = pl_call("MPI_Type_match_size");
    const MPI_Datatype *list = typeclass == MPI_TYPECLASS_INTEGER   ? whole
                               : typeclass == MPI_TYPECLASS_REAL    ? real
                               : typeclass == MPI_TYPECLASS_COMPLEX ? complex
                                                                    : NULL;
    int n = list == whole ? 5 : 4, i = 0;
    int error = pl_check_pointer(datatype, "datatype");
    if (!error && !list)
        error = pl_bad(MPI_ERR_ARG, "%d is not a class of types", typeclass);
    while (!error && i < n && pl_datatype_predefined((uintptr_t)list[i])->size != (size_t)size)
        i++;
    if (!error && i == n)
        error = pl_bad(MPI_ERR_ARG, "no type of that class has %d bytes", size);
    if (!error)
        *datatype = list[i];
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_match_size)

int PMPI_Type_get_value_index(MPI_Datatype value_type, MPI_Datatype index_type, MPI_Datatype *pair_type)
{
    static const MPI_Datatype pairs[][3] = {
        {MPI_FLOAT, MPI_INT, MPI_FLOAT_INT},
        {MPI_DOUBLE, MPI_INT, MPI_DOUBLE_INT},
        {MPI_LONG, MPI_INT, MPI_LONG_INT},
        {MPI_INT, MPI_INT, MPI_2INT},
        {MPI_SHORT, MPI_INT, MPI_SHORT_INT},
        {MPI_LONG_DOUBLE, MPI_INT, MPI_LONG_DOUBLE_INT},
        {MPI_REAL, MPI_REAL, MPI_2REAL},
        {MPI_DOUBLE_PRECISION, MPI_DOUBLE_PRECISION, MPI_2DOUBLE_PRECISION},
        {MPI_INTEGER, MPI_INTEGER, MPI_2INTEGER},
    };
    struct pl_mpi *mpi = pl_call("MPI_Type_get_value_index");
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, value_type, &type);
    if (!error)
        error = pl_datatype_of(mpi, index_type, &type);
    if (!error)
        error = pl_check_pointer(pair_type, "pair_type");
    if (!error) {
        *pair_type = MPI_DATATYPE_NULL;
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
            if (pairs[i][0] == value_type && pairs[i][1] == index_type)
                *pair_type = pairs[i][2];
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Type_get_value_index)
