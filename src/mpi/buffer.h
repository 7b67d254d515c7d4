/* Buffered sends. */
#ifndef PL_BUFFER_H
#define PL_BUFFER_H

#include "message.h"

/* Copies the message to the attached buffer that counts for its communicator, and sends it from there.
 * 0, or MPI_ERR_BUFFER: there is no buffer, or no room. `handed`, if not NULL, is then complete, and what
 * the program may cancel the message by. */
int pl_buffered_send(struct pl_mpi *mpi, const struct pl_message_args *args, struct pl_request *handed);
/* Waits until all buffered messages are gone. 0 or an error. */
int pl_buffers_flush(struct pl_mpi *mpi);
/* Forgets the buffers; they are the program's. */
void pl_buffers_finish(struct pl_mpi *mpi);

#endif
