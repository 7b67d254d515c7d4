/* Recipes of datatypes: writing them down, and reading them out (MPI 5.0, section 5.1.13). */
#include "recipe.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct pl_recipe *pl_recipe_create(int combiner, bool large, size_t room, size_t types)
{
    size_t numbers = 3 * room * sizeof(MPI_Count);
    struct pl_recipe *recipe = calloc(1, sizeof *recipe + numbers + types * sizeof(struct pl_datatype *));
    if (!recipe) {
        pl_fail(PL_ENOMEM, "no memory for a datatype");
        return NULL;
    }
    recipe->combiner = combiner;
    recipe->large = large;
    recipe->room = room;
    recipe->ints = (MPI_Count *)(recipe + 1);
    recipe->addresses = recipe->ints + room;
    recipe->counts = recipe->addresses + room;
    recipe->types = (const struct pl_datatype **)(recipe->counts + room);
    return recipe;
}

void pl_recipe_destroy(struct pl_recipe *recipe)
{
    if (!recipe)
        return;
    for (size_t i = 0; i < recipe->ntypes; i++)
        pl_datatype_release(recipe->types[i]);
    free(recipe);
}

void pl_recipe_int(struct pl_recipe *recipe, MPI_Count value)
{
    recipe->ints[recipe->nints++] = value;
}

void pl_recipe_count(struct pl_recipe *recipe, MPI_Count value)
{
    if (recipe->large)
        recipe->counts[recipe->ncounts++] = value;
    else
        recipe->ints[recipe->nints++] = value;
}

void pl_recipe_address(struct pl_recipe *recipe, MPI_Count value)
{
    if (recipe->large)
        recipe->counts[recipe->ncounts++] = value;
    else
        recipe->addresses[recipe->naddresses++] = value;
}

void pl_recipe_type(struct pl_recipe *recipe, const struct pl_datatype *type)
{
    pl_datatype_hold(type);
    recipe->types[recipe->ntypes++] = type;
}

static const struct pl_recipe named = {.combiner = MPI_COMBINER_NAMED};

/* The recipe, in a form that the call can give: one with large counts needs the call with MPI_Count. */
static int recipe_of(struct pl_mpi *mpi, MPI_Datatype datatype, bool large, const struct pl_recipe **recipe)
{
    const struct pl_datatype *type;
    int error = pl_datatype_of(mpi, datatype, &type);
    if (error)
        return error;
    *recipe = type->recipe ? type->recipe : &named;
    if ((*recipe)->ncounts && !large)
        return pl_bad(MPI_ERR_TYPE, "the datatype was made with large counts: its contents need the _c form");
    return 0;
}

static int envelope(const char *name, MPI_Datatype datatype, bool large, MPI_Count n[4], int *combiner)
{
    struct pl_mpi *mpi = pl_call(name);
    const struct pl_recipe *recipe;
    int error = recipe_of(mpi, datatype, large, &recipe);
    if (!error)
        error = pl_check_pointer(combiner, "combiner");
    if (!error) {
        n[0] = (MPI_Count)recipe->nints;
        n[1] = (MPI_Count)recipe->naddresses;
        n[2] = (MPI_Count)recipe->ncounts;
        n[3] = (MPI_Count)recipe->ntypes;
        *combiner = recipe->combiner;
    }
    return pl_return(mpi, NULL, error);
}

int PMPI_Type_get_envelope_c(MPI_Datatype datatype, MPI_Count *num_integers, MPI_Count *num_addresses,
                             MPI_Count *num_large_counts, MPI_Count *num_datatypes, int *combiner)
{
    MPI_Count n[4];
    MPI_Count *out[4] = {num_integers, num_addresses, num_large_counts, num_datatypes};
    int result = envelope("MPI_Type_get_envelope", datatype, true, n, combiner);
    for (int i = 0; i < 4 && !result; i++)
        if (out[i])
            *out[i] = n[i];
    return result;
}
PL_WEAK(Type_get_envelope_c)

int PMPI_Type_get_envelope(MPI_Datatype datatype, int *num_integers, int *num_addresses, int *num_datatypes,
                           int *combiner)
{
    MPI_Count n[4];
    int *out[4] = {num_integers, num_addresses, NULL, num_datatypes};
    int result = envelope("MPI_Type_get_envelope", datatype, false, n, combiner);
    for (int i = 0; i < 4 && !result; i++)
        if (out[i])
            *out[i] = (int)n[i];
    return result;
}
PL_WEAK(Type_get_envelope)

static int check_room(const char *what, MPI_Count room, size_t wanted, const void *array)
{
    if (room < 0 || (size_t)room < wanted)
        return pl_bad(MPI_ERR_ARG, "there is room for %lld %s, but the datatype has %zu", (long long)room,
                      what, wanted);
    return wanted ? pl_check_pointer(array, what) : 0;
}

static int give_types(struct pl_mpi *mpi, const struct pl_recipe *recipe, MPI_Datatype handles[])
{
    int error = 0;
    for (size_t i = 0; i < recipe->ntypes && !error; i++) {
        const struct pl_datatype *type = recipe->types[i];
        if (type->predefined || type->permanent)
            handles[i] = (MPI_Datatype)type->handle;
        else
            error = pl_datatype_publish(mpi, (struct pl_datatype *)(uintptr_t)type, &handles[i]);
    }
    return error;
}

/* Room for, and where to put: integers, addresses, large counts, datatypes. */
struct wanted {
    MPI_Count room[4];
    int *ints;
    MPI_Aint *addresses;
    MPI_Count *counts;
    MPI_Datatype *types;
};

static int contents(const char *name, MPI_Datatype datatype, bool large, const struct wanted *to)
{
    struct pl_mpi *mpi = pl_call(name);
    const struct pl_recipe *recipe;
    int error = recipe_of(mpi, datatype, large, &recipe);
    if (!error && recipe->combiner == MPI_COMBINER_NAMED)
        error = pl_bad(MPI_ERR_TYPE, "a predefined datatype has no contents");
    if (!error)
        error = check_room("integers", to->room[0], recipe->nints, to->ints);
    if (!error)
        error = check_room("addresses", to->room[1], recipe->naddresses, to->addresses);
    if (!error && large)
        error = check_room("large counts", to->room[2], recipe->ncounts, to->counts);
    if (!error)
        error = check_room("datatypes", to->room[3], recipe->ntypes, to->types);
    if (!error)
        error = give_types(mpi, recipe, to->types);
    if (!error) {
        for (size_t i = 0; i < recipe->nints; i++)
            to->ints[i] = (int)recipe->ints[i];
        for (size_t i = 0; i < recipe->naddresses; i++)
            to->addresses[i] = (MPI_Aint)recipe->addresses[i];
        for (size_t i = 0; i < recipe->ncounts; i++)
            to->counts[i] = recipe->counts[i];
    }
    return pl_return(mpi, NULL, error);
}

int PMPI_Type_get_contents_c(MPI_Datatype datatype, MPI_Count max_integers, MPI_Count max_addresses,
                             MPI_Count max_large_counts, MPI_Count max_datatypes, int array_of_integers[],
                             MPI_Aint array_of_addresses[], MPI_Count array_of_large_counts[],
                             MPI_Datatype array_of_datatypes[])
{
    struct wanted to = {{max_integers, max_addresses, max_large_counts, max_datatypes},
                        array_of_integers,
                        array_of_addresses,
                        array_of_large_counts,
                        array_of_datatypes};
    return contents("MPI_Type_get_contents", datatype, true, &to);
}
PL_WEAK(Type_get_contents_c)

int PMPI_Type_get_contents(MPI_Datatype datatype, int max_integers, int max_addresses, int max_datatypes,
                           int array_of_integers[], MPI_Aint array_of_addresses[],
                           MPI_Datatype array_of_datatypes[])
{
    struct wanted to = {{max_integers, max_addresses, 0, max_datatypes},
                        array_of_integers,
                        array_of_addresses,
                        NULL,
                        array_of_datatypes};
    return contents("MPI_Type_get_contents", datatype, false, &to);
}
PL_WEAK(Type_get_contents)
