/* Filters of pushes: quantisation with error feedback, and updates too small to be worth a message.
 *
 *     update + left over  --->  sent:      what 16 or 8 bits can say of it; nothing, if all below the
 * threshold
 *                         \-->  left over: the rest, added to the key's next update
 *
 * So the sum of all that is sent differs from the sum of all that was pushed by no more than one rounding, or
 * one threshold, an element, however long it goes on. It is done when the operation starts, so that a frame
 * sent a second time has the same bits. F. Seide et al., "1-bit stochastic gradient descent", 2014; M. Li et
 * al., 2014, section 4.2.
 */
#include "residual.h"

#include "filter.h"
#include "store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pl_ps_residual {
    struct pl_ps_table shape;
    struct pl_ps_store store;
};

void pl_ps_residuals_finish(struct peal_ps *ps)
{
    for (int t = 0; ps->worker->residuals && t < ps->table_count; t++)
        pl_ps_store_finish(&ps->worker->residuals[t].store);
    free(ps->worker->residuals);
    ps->worker->residuals = NULL;
}

static struct pl_ps_residual *residual_of(struct peal_ps *ps, int table)
{
    struct pl_ps_worker *worker = ps->worker;
    if (!worker->residuals)
        worker->residuals = calloc((size_t)ps->table_count, sizeof *worker->residuals);
    struct pl_ps_residual *residual = worker->residuals ? &worker->residuals[table] : NULL;
    if (residual && !residual->shape.row) {
        residual->shape = ps->tables[table];
        residual->shape.states = 0;
        residual->shape.row = residual->shape.width;
    }
    return residual;
}

/* The update with what was left over, in push->own. */
static bool add_left_over(struct pl_ps_residual *residual, struct pl_ps_operation *push)
{
    for (size_t i = 0; i < push->n; i++) {
        uint64_t key = push->keys ? push->keys[i] : push->first + i;
        float *block =
            pl_ps_store_make(&residual->store, &residual->shape, pl_ps_block(&residual->shape, key), false);
        if (!block)
            return false;
        float *left = block + pl_ps_offset(&residual->shape, key);
        for (size_t j = 0; j < push->floats; j++)
            push->own[i * push->floats + j] += left[j];
        memset(left, 0, push->floats * sizeof *left); /* a key that comes twice has it once */
    }
    return true;
}

static void leave(struct pl_ps_residual *residual, uint64_t key, const float *rest, size_t n)
{
    float *left = pl_ps_store_find(&residual->store, &residual->shape, pl_ps_block(&residual->shape, key)) +
                  pl_ps_offset(&residual->shape, key);
    for (size_t j = 0; j < n; j++)
        left[j] += rest[j];
}

/* Takes out the entries that are small all over; what is left has a list of keys. */
static void skip(struct pl_ps_residual *residual, struct pl_ps_operation *push, float threshold,
                 uint64_t *keys)
{
    size_t kept = 0, floats = push->floats;
    for (size_t i = 0; i < push->n; i++) {
        uint64_t key = push->keys ? push->keys[i] : push->first + i;
        float *values = push->own + i * floats, largest = 0;
        for (size_t j = 0; j < floats; j++)
            largest = fmaxf(largest, fabsf(values[j]));
        if (largest < threshold) {
            leave(residual, key, values, floats);
            continue;
        }
        keys[kept] = key;
        memmove(push->own + kept++ * floats, values, floats * sizeof *values);
    }
    push->n = kept;
    push->keys = push->own_keys = keys;
}

static void quantise(struct pl_ps_residual *residual, struct pl_ps_operation *push, int encoding)
{
    float largest = 0, scratch[64], rest[64];
    unsigned char bytes[128];
    size_t all = push->n * push->floats;
    for (size_t i = 0; i < all; i++)
        largest = fmaxf(largest, fabsf(push->own[i]));
    push->encoding = encoding;
    push->scale = encoding == PL_PS_INTEGER8 ? largest / 127 : 0;
    for (size_t i = 0; i < push->n; i++) {
        uint64_t key = push->keys ? push->keys[i] : push->first + i;
        float *left =
            pl_ps_store_find(&residual->store, &residual->shape, pl_ps_block(&residual->shape, key)) +
            pl_ps_offset(&residual->shape, key);
        for (size_t from = 0, n; from < push->floats; from += n) {
            n = push->floats - from < 64 ? push->floats - from : 64;
            float *values = push->own + i * push->floats + from;
            pl_ps_encode(encoding, values, n, push->scale, bytes);
            pl_ps_decode(encoding, bytes, n, push->scale, scratch);
            for (size_t j = 0; j < n; j++) {
                rest[j] = isfinite(scratch[j]) ? values[j] - scratch[j] : 0;
                left[from + j] += rest[j];
                values[j] = scratch[j];
            }
        }
    }
}

int pl_ps_residual_push(struct peal_ps *ps, struct pl_ps_operation *push)
{
    const struct peal_ps_table *table = &ps->tables[push->table].is;
    int encoding = table->filters & PEAL_PS_FP16   ? PL_PS_FLOAT16
                   : table->filters & PEAL_PS_INT8 ? PL_PS_INTEGER8
                                                   : PL_PS_FLOAT32;
    if (!(table->filters & (PEAL_PS_FP16 | PEAL_PS_INT8 | PEAL_PS_SKIP)) || !push->n)
        return MPI_SUCCESS;
    struct pl_ps_residual *residual = residual_of(ps, push->table);
    uint64_t *keys = table->filters & PEAL_PS_SKIP ? malloc(push->n * sizeof *keys) : NULL;
    bool enough = residual && (keys || !(table->filters & PEAL_PS_SKIP)) &&
                  (push->own || pl_ps_own_updates(ps, push) == MPI_SUCCESS) && add_left_over(residual, push);
    if (!enough) {
        free(keys);
        return pl_ps_fail(ps, MPI_ERR_NO_MEM, "no memory to filter the updates of %zu keys", push->n);
    }
    if (keys)
        skip(residual, push, table->threshold, keys);
    if (encoding != PL_PS_FLOAT32)
        quantise(residual, push, encoding);
    return MPI_SUCCESS;
}
