/* Reduction operators (MPI 5.0, section 6.9). */
#include "call.h"

#include <stdlib.h>

int pl_op_of(struct pl_mpi *mpi, MPI_Op handle, const struct pl_op **op)
{
    uintptr_t value = (uintptr_t)handle;
    *op = value < 0x1000 ? pl_op_predefined(value)
                         : pl_handle_find(&mpi->handles[PL_CLASS_OP], PL_CLASS_OP, value);
    if (*op)
        return 0;
    if (handle == MPI_OP_NULL)
        return pl_bad(MPI_ERR_OP, "the operator is MPI_OP_NULL");
    return pl_bad(MPI_ERR_OP, "%p is not an operator (freed, or never made)", (void *)handle);
}

static int create(const char *name, const struct pl_op *model, bool given, MPI_Op *op)
{
    struct pl_mpi *mpi = pl_call(name);
    int error = given ? 0 : pl_bad(MPI_ERR_ARG, "the function is NULL");
    if (!error)
        error = pl_check_pointer(op, "op");
    if (error)
        return pl_return(mpi, NULL, error);
    struct pl_op *made = malloc(sizeof *made);
    uintptr_t handle = made ? pl_handle_new(&mpi->handles[PL_CLASS_OP], PL_CLASS_OP, made) : 0;
    if (!handle) {
        free(made);
        return pl_return(mpi, NULL, pl_fail(PL_ENOMEM, "no memory for an operator"));
    }
    *made = *model;
    *op = (MPI_Op)handle;
    return pl_return(mpi, NULL, 0);
}

int PMPI_Op_create(MPI_User_function *function, int commute, MPI_Op *op)
{
    struct pl_op model = {.kind = PL_OP_USER,
                          .commutative = commute != 0,
                          .function = (pl_user_function *)function,
                          .name = "a user's operator"};
    return create("MPI_Op_create", &model, function != NULL, op);
}
PL_WEAK(Op_create)

int PMPI_Op_create_c(MPI_User_function_c *function, int commute, MPI_Op *op)
{
    struct pl_op model = {.kind = PL_OP_USER,
                          .commutative = commute != 0,
                          .function_c = (pl_user_function_c *)function,
                          .name = "a user's operator"};
    return create("MPI_Op_create_c", &model, function != NULL, op);
}
PL_WEAK(Op_create_c)

int PMPI_Op_commutative(MPI_Op op, int *commute)
{
    struct pl_mpi *mpi = pl_call("MPI_Op_commutative");
    const struct pl_op *o;
    int error = pl_op_of(mpi, op, &o);
    if (!error)
        error = pl_check_pointer(commute, "commute");
    if (!error)
        *commute = o->commutative;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Op_commutative)

int PMPI_Op_free(MPI_Op *op)
{
    struct pl_mpi *mpi = pl_call("MPI_Op_free");
    const struct pl_op *o;
    int error = pl_check_pointer(op, "op");
    if (!error)
        error = pl_op_of(mpi, *op, &o);
    if (!error && (uintptr_t)*op < 0x1000)
        error = pl_bad(MPI_ERR_OP, "%s is predefined and cannot be freed", o->name);
    if (!error) {
        struct pl_op *made = pl_handle_find(&mpi->handles[PL_CLASS_OP], PL_CLASS_OP, (uintptr_t)*op);
        pl_handle_drop(&mpi->handles[PL_CLASS_OP], (uintptr_t)*op);
        free(made);
        *op = MPI_OP_NULL;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Op_free)

int PMPI_Reduce_local_c(const void *inbuf, void *inoutbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op)
{
    struct pl_mpi *mpi = pl_call("MPI_Reduce_local");
    const struct pl_datatype *type;
    const struct pl_op *o;
    int error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_op_of(mpi, op, &o);
    if (!error)
        error = pl_check_op(o, type);
    if (!error)
        error = pl_check_buffer(inbuf, count, type);
    if (!error)
        error = pl_check_buffer(inoutbuf, count, type);
    if (!error && count && type->size && inbuf == inoutbuf)
        error = pl_bad(MPI_ERR_BUFFER, "inbuf and inoutbuf are the same");
    if (!error && count)
        error = pl_reduce_any(mpi->rank, o, type, inbuf, inoutbuf, (size_t)count);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Reduce_local_c)

int PMPI_Reduce_local(const void *inbuf, void *inoutbuf, int count, MPI_Datatype datatype, MPI_Op op)
{
    return PMPI_Reduce_local_c(inbuf, inoutbuf, count, datatype, op);
}
PL_WEAK(Reduce_local)
