/* Operators on device memory: which of the driver's loops does what pl_op_apply does on the host.
 *
 * The loops are found by name, "OPERATOR_KIND": "sum_f32", "minloc_double_int". As in op_kernels.c, what is
 * the same for signed and unsigned numbers exists once, under the unsigned name. There are none for
 * long double and quadruple precision, which devices do not have, nor for a user's functions: such
 * data is reduced on the host.
 */
#include "op.h"

#include "device.h"
#include "errors.h"
#include "rank.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const operators[PL_OP_KINDS] = {
    [PL_OP_SUM] = "sum",   [PL_OP_MIN] = "min",   [PL_OP_MAX] = "max",       [PL_OP_PROD] = "prod",
    [PL_OP_BAND] = "band", [PL_OP_BOR] = "bor",   [PL_OP_BXOR] = "bxor",     [PL_OP_LAND] = "land",
    [PL_OP_LOR] = "lor",   [PL_OP_LXOR] = "lxor", [PL_OP_MINLOC] = "minloc", [PL_OP_MAXLOC] = "maxloc",
};

static const char *const kinds[PL_BASIC_COUNT] = {
    [PL_BASIC_BYTE] = "u8",
    [PL_BASIC_INT8] = "i8",
    [PL_BASIC_INT16] = "i16",
    [PL_BASIC_INT32] = "i32",
    [PL_BASIC_INT64] = "i64",
    [PL_BASIC_UINT8] = "u8",
    [PL_BASIC_UINT16] = "u16",
    [PL_BASIC_UINT32] = "u32",
    [PL_BASIC_UINT64] = "u64",
    [PL_BASIC_INT128] = "i128",
    [PL_BASIC_FLOAT16] = "f16",
    [PL_BASIC_BFLOAT16] = "bf16",
    [PL_BASIC_FLOAT] = "f32",
    [PL_BASIC_DOUBLE] = "f64",
    [PL_BASIC_COMPLEX_FLOAT16] = "complex_f16",
    [PL_BASIC_COMPLEX_FLOAT] = "complex_f32",
    [PL_BASIC_COMPLEX_DOUBLE] = "complex_f64",
    [PL_BASIC_BOOL] = "u8",
    [PL_BASIC_LOGICAL8] = "u8",
    [PL_BASIC_LOGICAL16] = "u16",
    [PL_BASIC_LOGICAL32] = "u32",
    [PL_BASIC_LOGICAL64] = "u64",
    [PL_BASIC_LOGICAL128] = "u128",
    [PL_BASIC_FLOAT_INT] = "float_int",
    [PL_BASIC_DOUBLE_INT] = "double_int",
    [PL_BASIC_LONG_INT] = "long_int",
    [PL_BASIC_INT_INT] = "int_int",
    [PL_BASIC_SHORT_INT] = "short_int",
    [PL_BASIC_FLOAT_FLOAT] = "float_float",
    [PL_BASIC_DOUBLE_DOUBLE] = "double_double",
};

bool pl_op_device_name(const struct pl_op *op, enum pl_basic basic, char name[PL_OP_DEVICE_NAME])
{
    const char *kind = kinds[basic];
    if (op->kind == PL_OP_USER || !operators[op->kind] || !kind)
        return false;
    bool sign_counts = op->kind == PL_OP_MIN || op->kind == PL_OP_MAX;
    bool is_signed = kind[0] == 'i' && kind[1] >= '0' && kind[1] <= '9';
    snprintf(name, PL_OP_DEVICE_NAME, "%s_%s%s", operators[op->kind], is_signed && !sign_counts ? "u" : "",
             kind + (is_signed && !sign_counts));
    return true;
}

const void *pl_op_device_kernel(struct pl_memory *memory, const void *address, const struct pl_op *op,
                                const struct pl_datatype *type)
{
    char name[PL_OP_DEVICE_NAME];
    if (!type->predefined || !pl_op_device_name(op, type->basic, name))
        return NULL;
    return memory->driver->kernel(memory, address, name);
}

/* The bytes of `count` elements in host memory, gaps and all: a copy, if they are on a device. */
struct here {
    void *buffer; /* as pl_op_apply wants it */
    void *copy;   /* malloc'd, or NULL: it is the program's own */
    const void *there;
    size_t bytes;
};

static int copy_wait(struct pl_memory *memory, void *to, const void *from, size_t bytes)
{
    struct pl_ticket ticket = {0};
    int error = memory->driver->copy(memory, to, from, bytes, &ticket);
    return error ? error : memory->driver->wait(memory, &ticket);
}

static int bring(struct pl_memory *memory, const struct pl_datatype *type, const void *buffer, size_t count,
                 struct here *here)
{
    ptrdiff_t begin = type->program ? type->true_lb : 0;
    *here = (struct here){.buffer = (void *)(uintptr_t)buffer, .there = (const char *)buffer + begin};
    if (!pl_memory_holds(memory, here->there))
        return 0;
    bool gap_counts = type->predefined || !type->program; /* pairs are moved with the gap behind them */
    here->bytes =
        (count - 1) * (size_t)type->extent + (size_t)(gap_counts ? type->extent : type->true_extent);
    here->copy = malloc(here->bytes);
    if (!here->copy)
        return pl_fail(PL_ENOMEM, "no memory to reduce %zu bytes on the host", here->bytes);
    here->buffer = (char *)here->copy - begin;
    return copy_wait(memory, here->copy, here->there, here->bytes);
}

static int on_device(struct pl_memory *memory, const void *kernel, const void *in, void *inout, size_t count)
{
    struct pl_reduction reduction = {
        .kernel = kernel, .inputs = 2, .outputs = 1, .in = {in, inout}, .out = {inout}, .count = count};
    struct pl_ticket ticket = {0};
    int error = memory->driver->reduce(memory, &reduction, &ticket);
    return error ? error : memory->driver->wait(memory, &ticket);
}

int pl_reduce_any(struct pl_rank *rank, const struct pl_op *op, const struct pl_datatype *type,
                  const void *in, void *inout, size_t count)
{
    struct pl_memory *memory = rank->memory;
    if (!memory)
        return pl_op_apply(op, type, in, inout, inout, count);
    const void *kernel = NULL;
    if (type->predefined && pl_memory_holds(memory, in) && pl_memory_holds(memory, inout))
        kernel = pl_op_device_kernel(memory, inout, op, type);
    if (kernel)
        return on_device(memory, kernel, in, inout, count);
    struct here from, to = {0};
    int error = bring(memory, type, in, count, &from);
    if (!error)
        error = bring(memory, type, inout, count, &to);
    if (!error)
        error = pl_op_apply(op, type, from.buffer, to.buffer, to.buffer, count);
    if (!error && to.copy)
        error = copy_wait(memory, (void *)(uintptr_t)to.there, to.copy, to.bytes);
    free(from.copy);
    free(to.copy);
    return error;
}
