/* A detour of a stream by way of the host:
 *
 *     stream   ...work before --> copy out --> [tell] --> (wait for the word) --> copy back --> work after...
 *                                                 |                ^
 *     host                                        +--> a thread works on page-locked memory, writes the word
 *
 * Nobody waits on the host: the driver calls `tell` when the stream has come there, and a device looks at the
 * word by itself. Work between the two must not need the driver: a device has few queues, and what is
 * submitted there while a stream is held may be put behind the held stream.
 *
 * Rejected: a host function that waits for the word instead of the stream. The driver may run those of all
 * streams on one thread, one behind the other, and the one that waits keeps the one that would
 * end its wait from running.
 *
 * Whether a stream can wait is tried once, with a word that has come already: a driver may be too old for it,
 * a virtual device may refuse.
 */
#include "state.h"

#include "errors.h"
#include "log.h"

#include <time.h>

static pl_cu_result move(const struct pl_cu_library *cu, const struct pl_move *m, void *stream)
{
    return m->bytes ? cu->copy(pl_cu_address_of(m->to), pl_cu_address_of(m->from), m->bytes, stream) : 0;
}

static bool can_hold(struct pl_cuda_context *c, const uint32_t *word)
{
    struct pl_cuda *cuda = c->cuda;
    if (cuda->tried_holding)
        return cuda->holds_streams;
    cuda->tried_holding = true;
    struct pl_cuda_pointer pointer;
    if (!cuda->cu.launch_host || !cuda->cu.stream_wait_value) {
        pl_info("the CUDA driver is too old for streams that wait: calls on a stream wait on the host");
    } else if (!pl_cuda_look(cuda, word, &pointer)) {
        pl_info("no page-locked memory: calls on a stream wait on the host");
    } else if (!pl_cuda_enter(c)) {
        pl_cu_result result =
            cuda->cu.stream_wait_value(c->in, pl_cu_address_of(word), *word, PL_CU_WAIT_VALUE_GEQ);
        pl_cuda_leave(c);
        cuda->holds_streams = !result;
        if (result) {
            pl_cu_fail(&cuda->cu, result, "to let a stream wait for a word in memory");
            pl_info("%s: calls on a stream wait on the host", pl_fail_text());
        }
    }
    return cuda->holds_streams;
}

/* The stream could not be held: what it was to wait for, the host waits for. */
static void wait_here(const struct pl_cu_library *cu, void *stream, const struct pl_detour *detour)
{
    if (cu->stream_synchronize(stream))
        return;
    while ((int32_t)(__atomic_load_n(detour->word, __ATOMIC_ACQUIRE) - detour->number) < 0)
        nanosleep(&(struct timespec){0, 50 * 1000}, NULL);
}

int pl_cuda_detour(struct pl_memory *memory, void *stream, const struct pl_detour *detour,
                   struct pl_ticket *ticket)
{
    struct pl_cuda *cuda = pl_cuda_of(memory);
    struct pl_cu_library *cu = &cuda->cu;
    struct pl_cuda_context *c = pl_cuda_current(cuda);
    if (!c)
        return PL_EARG;
    if (!can_hold(c, detour->word))
        return PL_EUNSUPPORTED;
    pl_cu_result result = move(cu, &detour->before[0], stream);
    if (!result)
        result = move(cu, &detour->before[1], stream);
    if (!result)
        result = cu->launch_host(stream, detour->tell, detour->argument);
    if (result) {
        cu->stream_synchronize(stream); /* earlier copies still use the caller's memory */
        return pl_cu_fail(cu, result, "to take a stream to the host");
    }
    result =
        cu->stream_wait_value(stream, pl_cu_address_of(detour->word), detour->number, PL_CU_WAIT_VALUE_GEQ);
    if (!result)
        result = move(cu, &detour->after, stream);
    int error = result ? pl_cu_fail(cu, result, "to hold a stream") : pl_cuda_record(c, stream, NULL, ticket);
    if (error)
        wait_here(cu, stream, detour);
    return error;
}
