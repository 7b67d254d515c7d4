/* Several ranks on one device. Whatever they do there shares its memory's bandwidth, so the least traffic
 * wins: the first rank reads all inputs and writes all outputs in one kernel.
 *
 *     rank 0   IN0 ---+                 +--> OUT0
 *     rank 1   IN1 ---+--  one kernel --+--> OUT1      n reads and n writes of the vector
 *     rank 2   IN2 ---+                 +--> OUT2
 *
 * Cost: 2 n bytes / bandwidth, and a barrier. As messages, or as the direct schedule with a reduction of two
 * operands a step, the same data would be read and written about twice as often; and kernels of different
 * processes take turns on a device instead of running side by side.
 *
 * All ranks have waited for their own device before they met, so the kernel finds finished inputs; the
 * answer of the first rank, which the others wait for, says that their outputs are there, or why not.
 */
#include "fused.h"

#include "errors.h"

static int reduce(const struct pl_coll_call *call, const void *kernel, char **peer)
{
    struct pl_memory *memory = call->memory;
    int n = call->comm->size;
    struct pl_reduction reduction = {.kernel = kernel, .inputs = n, .outputs = n, .count = call->count};
    for (int i = 0; i < n; i++) {
        reduction.in[i] = peer[3 * i];
        reduction.out[i] = peer[3 * i + 1];
    }
    struct pl_ticket ticket = {0};
    int error = memory->driver->reduce(memory, &reduction, &ticket);
    return error ? error : memory->driver->wait(memory, &ticket);
}

int pl_fused_allreduce(const struct pl_coll_call *call, const void *kernel, char **peer)
{
    int error = call->comm->rank ? 0 : reduce(call, kernel, peer);
    signed char failed = (signed char)error;
    const struct pl_coll_call answer = {.collective = PL_BCAST,
                                        .out = &failed,
                                        .count = 1,
                                        .type = pl_datatype_predefined(PL_HANDLE_BYTE),
                                        .comm = call->comm};
    int lost = pl_coll_blocking(&answer);
    if (error || lost || !failed)
        return error ? error : lost;
    return pl_fail(failed, "the first rank of %s could not reduce on the device for all", call->comm->name);
}
