/* Buffered sends (MPI 5.0, section 3.6): buffers that the program attaches, to its process,
 * to a communicator or to a session, and messages that are copied there and sent.
 *
 *   the attached buffer   | data | data |          | data |     |
 *                             |      |                 |
 *   blocks, allocated        head - head ------------ head      in order of address
 *
 * A message takes the first gap it fits in, and gives it back when it has gone. Heads were in the
 * buffer once; programs exist that count less for them than MPI_BSEND_OVERHEAD, as other
 * implementations have it, so only the data takes room now. With MPI_BUFFER_AUTOMATIC the data
 * follows its head. A message for which there is no room waits a little for others to go, because
 * a program may count on that they went at once, and a first one waits for its connection.
 *
 * A communicator's own buffer comes first, then the process's, then a session's.
 */
#include "buffer.h"

#include "device.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum owner { OF_PROCESS, OF_COMM, OF_SESSION };

struct buffer {
    struct pl_list link; /* in mpi->buffers */
    enum owner owner;
    uint64_t key; /* the communicator's context, the session's handle */
    char *base;
    size_t size;
    bool automatic;
    struct pl_list blocks;  /* messages that have not gone, in order of address */
    struct pl_list waiting; /* requests that wait for none to be left */
};

struct block {
    struct pl_list link;
    struct buffer *buffer;
    struct pl_comm *comm; /* held */
    char *data;           /* in the attached buffer, or behind this head */
    size_t size;          /* bytes that it takes there */
    struct pl_request request;
};

/* A request of one of the _iflush functions. */
struct flush {
    struct pl_list link; /* in buffer->waiting, or alone */
    struct pl_mpi_request *request;
};

enum {
    ALIGNMENT = 16,
    PATIENCE_NS = 300 * 1000 * 1000, /* how long one waits for room ... */
    PAUSE_NS = 1000 * 1000,          /* ... looking so often */
};

static struct buffer *find(struct pl_mpi *mpi, enum owner owner, uint64_t key)
{
    pl_list_each(node, &mpi->buffers)
    {
        struct buffer *buffer = pl_container(node, struct buffer, link);
        if (buffer->owner == owner && buffer->key == key)
            return buffer;
    }
    return NULL;
}

static struct buffer *find_any(struct pl_mpi *mpi, enum owner owner)
{
    pl_list_each(node, &mpi->buffers)
    {
        struct buffer *buffer = pl_container(node, struct buffer, link);
        if (buffer->owner == owner)
            return buffer;
    }
    return NULL;
}

static void release_waiting(struct buffer *buffer)
{
    struct pl_list *node;
    while ((node = pl_list_first(&buffer->waiting))) {
        struct flush *flush = pl_container(node, struct flush, link);
        pl_list_remove(node);
        pl_list_init(node);
        pl_mpi_request_end(flush->request);
    }
}

static void gone(struct pl_request *request)
{
    struct block *block = pl_container(request, struct block, request);
    struct buffer *buffer = block->buffer;
    pl_request_finish(request);
    pl_list_remove(&block->link);
    pl_comm_release(block->comm);
    free(block);
    if (pl_list_empty(&buffer->blocks))
        release_waiting(buffer);
}

static uintptr_t aligned(uintptr_t address)
{
    return (address + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
}

/* Gives the block the first gap of its size and links it where it is. Whether there is one. */
static bool first_fit(struct buffer *buffer, struct block *made)
{
    uintptr_t at = aligned((uintptr_t)buffer->base);
    uintptr_t limit = (uintptr_t)buffer->base + buffer->size;
    struct pl_list *next = buffer->blocks.next;
    for (; next != &buffer->blocks; next = next->next) {
        struct block *block = pl_container(next, struct block, link);
        if (at + made->size <= (uintptr_t)block->data) {
            limit = (uintptr_t)block->data;
            break;
        }
        at = aligned((uintptr_t)block->data + block->size);
    }
    if (at > limit || limit - at < made->size)
        return false;
    made->data = (char *)at;
    pl_list_append(next, &made->link); /* before `next` */
    return true;
}

static int no_room(const struct buffer *buffer, size_t length)
{
    return pl_bad(MPI_ERR_BUFFER,
                  "%zu bytes and the overhead do not fit what is free of the attached buffer of %zu bytes",
                  length, buffer->size);
}

static struct buffer *find_attached_for(struct pl_mpi *mpi, const struct pl_comm *comm)
{
    struct buffer *buffer = find(mpi, OF_COMM, comm->context);
    if (!buffer)
        buffer = find_any(mpi, OF_PROCESS);
    return buffer ? buffer : find_any(mpi, OF_SESSION);
}

/* Room for the block in the buffer that counts, after a wait if need be; other threads may detach meanwhile.
 */
static int find_room(struct pl_mpi *mpi, struct block *block, size_t length)
{
    for (int64_t until = pl_rank_now(mpi->rank) + PATIENCE_NS;;) {
        struct buffer *buffer = block->buffer = find_attached_for(mpi, block->comm);
        if (!buffer)
            return pl_bad(MPI_ERR_BUFFER, "no buffer is attached: call MPI_Buffer_attach first");
        if (first_fit(buffer, block))
            return 0;
        if (pl_list_empty(&buffer->blocks) || pl_rank_now(mpi->rank) >= until ||
            pl_pause(mpi->rank, PAUSE_NS) < 0)
            return no_room(buffer, length);
    }
}

static int allocate(struct pl_mpi *mpi, struct pl_comm *comm, size_t length, struct block **made)
{
    struct buffer *buffer = find_attached_for(mpi, comm);
    bool automatic = buffer && buffer->automatic;
    struct block *block = malloc(sizeof *block + (automatic ? length : 0));
    if (!block)
        return pl_fail(PL_ENOMEM, "no memory for a buffered message of %zu bytes", length);
    *block = (struct block){.buffer = buffer, .comm = comm, .size = length};
    if (automatic) {
        block->data = (char *)(block + 1);
        pl_list_append(&buffer->blocks, &block->link);
    } else {
        int error = find_room(mpi, block, length);
        if (error) {
            free(block);
            return error;
        }
    }
    pl_comm_hold(comm);
    *made = block;
    return 0;
}

/* A request that is complete, as a buffered send is for the program, and knows the message for MPI_Cancel. */
static void hand_out(struct pl_request *handed, const struct pl_message_args *args, uint32_t serial)
{
    pl_send_start(handed, args->comm, PL_CHANNEL_USER, PL_MODE_STANDARD, NULL, 0, MPI_PROC_NULL, 0, 0);
    if (args->peer == MPI_PROC_NULL)
        return;
    handed->peer = args->comm->target->peers[args->peer];
    handed->serial = serial;
}

int pl_buffered_send(struct pl_mpi *mpi, const struct pl_message_args *args, struct pl_request *handed)
{
    const struct pl_data *data = &args->data;
    if (args->peer == MPI_PROC_NULL) {
        if (handed)
            hand_out(handed, args, 0);
        return 0;
    }
    struct block *block = NULL;
    int error = allocate(mpi, args->comm, data->length, &block);
    if (error)
        return error;
    if (data->type)
        error = pl_pack_any(mpi->rank, data->type, 0, data->buffer, block->data, data->length);
    else if (data->length)
        memcpy(block->data, data->buffer, data->length);
    if (error) {
        gone(&block->request);
        return error;
    }
    block->request.completed = gone;
    if (handed)
        hand_out(handed, args, (uint32_t)mpi->rank->counters.sent + 1);
    pl_send_start(&block->request, args->comm, PL_CHANNEL_USER, PL_MODE_STANDARD, block->data, data->length,
                  args->peer, args->tag, data->content);
    return 0;
}

static int flush(struct pl_mpi *mpi, struct buffer *buffer)
{
    unsigned idle = 0;
    while (!pl_list_empty(&buffer->blocks)) {
        int events = pl_progress(mpi->rank);
        if (events == 0)
            events = pl_idle(mpi->rank, idle++);
        else
            idle = 0;
        if (events < 0)
            return events;
    }
    return 0;
}

int pl_buffers_flush(struct pl_mpi *mpi)
{
    int error = 0;
    pl_list_each(node, &mpi->buffers)
    {
        if (!error)
            error = flush(mpi, pl_container(node, struct buffer, link));
    }
    return error;
}

void pl_buffers_finish(struct pl_mpi *mpi)
{
    pl_list_each(node, &mpi->buffers)
    {
        struct buffer *buffer = pl_container(node, struct buffer, link);
        pl_list_remove(node);
        if (pl_list_empty(&buffer->blocks)) /* else a rank that ends in an error: they are still looked at */
            free(buffer);
    }
}

/* What the functions have in common: whose buffer it is. */
struct whose {
    enum owner owner;
    uint64_t key;
    struct pl_comm *comm; /* whose error handler counts, or NULL */
};

static int whose_process(struct pl_mpi *mpi, struct whose *whose)
{
    *whose = (struct whose){OF_PROCESS, 0, NULL};
    return 0;
}

static int whose_comm(struct pl_mpi *mpi, MPI_Comm comm, struct whose *whose)
{
    *whose = (struct whose){OF_COMM, 0, NULL};
    int error = pl_comm_of(mpi, comm, &whose->comm);
    if (!error)
        whose->key = whose->comm->context;
    return error;
}

static int whose_session(struct pl_mpi *mpi, MPI_Session session, struct whose *whose)
{
    *whose = (struct whose){OF_SESSION, (uintptr_t)session, NULL};
    if (pl_handle_find(&mpi->handles[PL_CLASS_SESSION], PL_CLASS_SESSION, (uintptr_t)session))
        return 0;
    return pl_bad(MPI_ERR_SESSION, "%p is not a session", (void *)session);
}

static int attach(struct pl_mpi *mpi, const struct whose *whose, void *base, MPI_Count size)
{
    bool automatic = base == MPI_BUFFER_AUTOMATIC;
    if (size < 0)
        return pl_bad(MPI_ERR_ARG, "the size %lld is negative", (long long)size);
    if (!base && size)
        return pl_bad(MPI_ERR_BUFFER, "the buffer is NULL but the size is %lld", (long long)size);
    if (find(mpi, whose->owner, whose->key))
        return pl_bad(MPI_ERR_BUFFER, "a buffer is attached already: detach it first");
    struct buffer *made = calloc(1, sizeof *made);
    if (!made)
        return pl_fail(PL_ENOMEM, "no memory to attach a buffer");
    *made = (struct buffer){.owner = whose->owner,
                            .key = whose->key,
                            .base = base,
                            .size = automatic ? 0 : (size_t)size,
                            .automatic = automatic};
    pl_list_init(&made->blocks);
    pl_list_init(&made->waiting);
    pl_list_append(&mpi->buffers, &made->link);
    return 0;
}

static int find_attached(struct pl_mpi *mpi, const struct whose *whose, struct buffer **buffer)
{
    *buffer = find(mpi, whose->owner, whose->key);
    return *buffer ? 0 : pl_bad(MPI_ERR_BUFFER, "no buffer is attached");
}

static int detach(struct pl_mpi *mpi, const struct whose *whose, void *address, MPI_Count *size)
{
    struct buffer *buffer;
    int error = find_attached(mpi, whose, &buffer);
    if (!error)
        error = flush(mpi, buffer);
    if (error)
        return error;
    if (address)
        *(void **)address = buffer->base;
    if (size)
        *size = (MPI_Count)buffer->size;
    pl_list_remove(&buffer->link);
    free(buffer);
    return 0;
}

static void flush_finish(struct pl_mpi_request *request)
{
    struct flush *flush = request->extra;
    pl_list_remove(&flush->link);
    free(flush);
}

static const struct pl_special flush_special = {.finish = flush_finish};

static int iflush(struct pl_mpi *mpi, const struct whose *whose, MPI_Request *handle)
{
    struct buffer *buffer = find(mpi, whose->owner, whose->key);
    int error = pl_check_pointer(handle, "request");
    struct flush *flush = error ? NULL : malloc(sizeof *flush);
    struct pl_comm *comm = whose->comm ? whose->comm : mpi->rank->self;
    struct pl_mpi_request *request = flush ? pl_mpi_request_create(mpi, comm) : NULL;
    if (!request) {
        free(flush);
        return error ? error : pl_fail(PL_ENOMEM, "no memory for a request");
    }
    pl_mpi_request_begin_run(request);
    request->special = &flush_special;
    request->extra = flush;
    flush->request = request;
    pl_list_init(&flush->link);
    *handle = (MPI_Request)request->handle;
    if (buffer && !pl_list_empty(&buffer->blocks))
        pl_list_append(&buffer->waiting, &flush->link);
    else
        pl_mpi_request_end(request);
    return 0;
}

/* A flush of what is not there is done at once. */
static int flush_of(struct pl_mpi *mpi, const struct whose *whose)
{
    struct buffer *buffer = find(mpi, whose->owner, whose->key);
    return buffer ? flush(mpi, buffer) : 0;
}

static int narrowed(int result, const MPI_Count *wide, int *size)
{
    if (!result && size)
        *size = *wide > INT_MAX ? MPI_UNDEFINED : (int)*wide;
    return result;
}

/* One function: find whose buffer it is, do the work, end the call. */
#define CALL(name, find_whose, work)                                                                         \
    {                                                                                                        \
        struct pl_mpi *mpi = pl_call(name);                                                                  \
        struct whose whose;                                                                                  \
        int error = find_whose;                                                                              \
        if (!error)                                                                                          \
            error = work;                                                                                    \
        return pl_return(mpi, whose.comm, error);                                                            \
    }

int PMPI_Buffer_attach_c(void *buffer, MPI_Count size)
    CALL("MPI_Buffer_attach", whose_process(mpi, &whose), attach(mpi, &whose, buffer, size))
        PL_WEAK(Buffer_attach_c)

            int PMPI_Buffer_attach(void *buffer, int size)
{
    return PMPI_Buffer_attach_c(buffer, size);
}
PL_WEAK(Buffer_attach)

int PMPI_Buffer_detach_c(void *buffer_addr, MPI_Count *size)
    CALL("MPI_Buffer_detach", whose_process(mpi, &whose), detach(mpi, &whose, buffer_addr, size))
        PL_WEAK(Buffer_detach_c)

            int PMPI_Buffer_detach(void *buffer_addr, int *size)
{
    MPI_Count wide = 0;
    return narrowed(PMPI_Buffer_detach_c(buffer_addr, &wide), &wide, size);
}
PL_WEAK(Buffer_detach)

int PMPI_Buffer_flush(void) CALL("MPI_Buffer_flush", whose_process(mpi, &whose), flush_of(mpi, &whose))
    PL_WEAK(Buffer_flush)

        int PMPI_Buffer_iflush(MPI_Request *request)
            CALL("MPI_Buffer_iflush", whose_process(mpi, &whose), iflush(mpi, &whose, request))
                PL_WEAK(Buffer_iflush)

                    int PMPI_Comm_attach_buffer_c(MPI_Comm comm, void *buffer, MPI_Count size)
                        CALL("MPI_Comm_attach_buffer", whose_comm(mpi, comm, &whose),
                             attach(mpi, &whose, buffer, size)) PL_WEAK(Comm_attach_buffer_c)

                            int PMPI_Comm_attach_buffer(MPI_Comm comm, void *buffer, int size)
{
    return PMPI_Comm_attach_buffer_c(comm, buffer, size);
}
PL_WEAK(Comm_attach_buffer)

int PMPI_Comm_detach_buffer_c(MPI_Comm comm, void *buffer_addr, MPI_Count *size)
    CALL("MPI_Comm_detach_buffer", whose_comm(mpi, comm, &whose), detach(mpi, &whose, buffer_addr, size))
        PL_WEAK(Comm_detach_buffer_c)

            int PMPI_Comm_detach_buffer(MPI_Comm comm, void *buffer_addr, int *size)
{
    MPI_Count wide = 0;
    return narrowed(PMPI_Comm_detach_buffer_c(comm, buffer_addr, &wide), &wide, size);
}
PL_WEAK(Comm_detach_buffer)

int PMPI_Comm_flush_buffer(MPI_Comm comm)
    CALL("MPI_Comm_flush_buffer", whose_comm(mpi, comm, &whose), flush_of(mpi, &whose))
        PL_WEAK(Comm_flush_buffer)

            int PMPI_Comm_iflush_buffer(MPI_Comm comm, MPI_Request *request)
                CALL("MPI_Comm_iflush_buffer", whose_comm(mpi, comm, &whose), iflush(mpi, &whose, request))
                    PL_WEAK(Comm_iflush_buffer)

                        int PMPI_Session_attach_buffer_c(MPI_Session session, void *buffer, MPI_Count size)
                            CALL("MPI_Session_attach_buffer", whose_session(mpi, session, &whose),
                                 attach(mpi, &whose, buffer, size)) PL_WEAK(Session_attach_buffer_c)

                                int PMPI_Session_attach_buffer(MPI_Session session, void *buffer, int size)
{
    return PMPI_Session_attach_buffer_c(session, buffer, size);
}
PL_WEAK(Session_attach_buffer)

int PMPI_Session_detach_buffer_c(MPI_Session session, void *buffer_addr, MPI_Count *size)
    CALL("MPI_Session_detach_buffer", whose_session(mpi, session, &whose),
         detach(mpi, &whose, buffer_addr, size)) PL_WEAK(Session_detach_buffer_c)

        int PMPI_Session_detach_buffer(MPI_Session session, void *buffer_addr, int *size)
{
    MPI_Count wide = 0;
    return narrowed(PMPI_Session_detach_buffer_c(session, buffer_addr, &wide), &wide, size);
}
PL_WEAK(Session_detach_buffer)

int PMPI_Session_flush_buffer(MPI_Session session)
    CALL("MPI_Session_flush_buffer", whose_session(mpi, session, &whose), flush_of(mpi, &whose))
        PL_WEAK(Session_flush_buffer)

            int PMPI_Session_iflush_buffer(MPI_Session session, MPI_Request *request)
                CALL("MPI_Session_iflush_buffer", whose_session(mpi, session, &whose),
                     iflush(mpi, &whose, request)) PL_WEAK(Session_iflush_buffer)
