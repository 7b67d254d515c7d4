/* Recipes: how a derived datatype was made, for MPI_Type_get_envelope and _contents, and
 * what the constructors share.
 *
 * A constructor has an int form and a form with MPI_Count; the two give different contents (MPI 5.0,
 * section 5.1.13): what is an int or an address in the first is a large count in the second. `large` says
 * which. Numbers are put down in the order of the standard's tables.
 */
#ifndef PL_RECIPE_H
#define PL_RECIPE_H

#include "call.h"
#include "numbers.h"

_Static_assert(sizeof(MPI_Aint) == sizeof(MPI_Count), "addresses and counts are the same numbers here");

struct pl_recipe {
    int combiner;
    bool large;
    size_t nints, naddresses, ncounts, ntypes;
    size_t room;                          /* numbers there is memory for */
    MPI_Count *ints, *addresses, *counts; /* [room] each, allocated with the recipe */
    const struct pl_datatype **types;     /* held */
    char name[MPI_MAX_OBJECT_NAME];       /* of the datatype */
};

/* A recipe of up to `room` numbers of each kind and `types` types; NULL: no memory (text set). */
struct pl_recipe *pl_recipe_create(int combiner, bool large, size_t room, size_t types);
void pl_recipe_destroy(struct pl_recipe *recipe);                  /* accepts NULL */
void pl_recipe_int(struct pl_recipe *recipe, MPI_Count value);     /* an int in both forms */
void pl_recipe_count(struct pl_recipe *recipe, MPI_Count value);   /* int, or large count */
void pl_recipe_address(struct pl_recipe *recipe, MPI_Count value); /* address, or large count */
void pl_recipe_type(struct pl_recipe *recipe, const struct pl_datatype *type);

/* Gives the type its recipe and a handle; both are freed if that fails. Ends the call. */
int pl_datatype_finish(struct pl_mpi *mpi, int error, struct pl_datatype *type, struct pl_recipe *recipe,
                       MPI_Datatype *handle);

/* A handle of an object that perhaps has one already; counted, so that each is freed on its own. */
int pl_datatype_publish(struct pl_mpi *mpi, struct pl_datatype *type, MPI_Datatype *handle);

/* The library goes down: the handle's reference is given back, whatever the program did. */
void pl_datatype_forget(struct pl_datatype *type);

/* Where the attributes of a type are kept. */
void **pl_datatype_attributes(struct pl_mpi *mpi, const struct pl_datatype *type);

/* A type of `count` elements of another, one after the other. */
int pl_datatype_row(const struct pl_datatype *type, size_t count, struct pl_datatype **made);

#endif
