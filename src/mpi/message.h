/* What point-to-point calls say of a message, checked. */
#ifndef PL_MPI_MESSAGE_H
#define PL_MPI_MESSAGE_H

#include "call.h"
#include "content.h"
#include "mpi_request.h"

/* The data of (buf, count, datatype). */
struct pl_data {
    void *buffer;
    size_t length;                  /* bytes without gaps */
    const struct pl_datatype *type; /* NULL: `length` plain bytes at buffer */
    uint32_t content;               /* content.h */
};

struct pl_message_args {
    struct pl_comm *comm; /* also set when the check failed, where it could be: for the error handler */
    struct pl_data data;
    int peer, tag;
};

/* 0 or an error class. The pointer is only written through by receives. */
int pl_data_of(struct pl_mpi *mpi, const void *buf, MPI_Count count, MPI_Datatype datatype,
               struct pl_data *data);
int pl_message_check(struct pl_mpi *mpi, const void *buf, MPI_Count count, MPI_Datatype datatype, int peer,
                     int tag, MPI_Comm comm, bool receive, struct pl_message_args *args);

static inline void pl_data_send(struct pl_request *request, const struct pl_message_args *args,
                                enum pl_channel channel, enum pl_mode mode)
{
    const struct pl_data *data = &args->data;
    if (__builtin_expect(data->type != NULL, 0))
        pl_send_start_typed(request, args->comm, channel, mode, data->buffer, data->length, args->peer,
                            args->tag, data->content, data->type);
    else
        pl_send_start(request, args->comm, channel, mode, data->buffer, data->length, args->peer, args->tag,
                      data->content);
}

static inline void pl_data_recv(struct pl_request *request, const struct pl_message_args *args,
                                enum pl_channel channel)
{
    const struct pl_data *data = &args->data;
    if (__builtin_expect(data->type != NULL, 0))
        pl_recv_start_typed(request, args->comm, channel, data->buffer, data->length, args->peer, args->tag,
                            data->content, data->type);
    else
        pl_recv_start(request, args->comm, channel, data->buffer, data->length, args->peer, args->tag,
                      data->content);
}

#endif
