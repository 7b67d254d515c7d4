/* Ports: where groups that share no communicator meet (MPI 5.0, section 11.8). */
#ifndef PL_PORT_H
#define PL_PORT_H

#include "call.h"

/* Opens a port and writes its name ([MPI_MAX_PORT_NAME]). */
int pl_port_open(struct pl_mpi *mpi, char *name);
int pl_port_close(struct pl_mpi *mpi, const char *name);
/* Closes all: for the end of the rank. */
void pl_ports_close(struct pl_mpi *mpi);

/* Collective over comm; the name matters at root, and how long to wait for an answer: 0 is as long as usual.
 * The new intercommunicator. */
int pl_port_accept(struct pl_mpi *mpi, const char *name, int root, struct pl_comm *comm,
                   struct pl_comm **made);
int pl_port_connect(struct pl_mpi *mpi, const char *name, int root, struct pl_comm *comm, double seconds,
                    struct pl_comm **made);

/* Connects a world that MPI_Comm_spawn started to its parent; nothing otherwise. */
int pl_spawn_greet_parent(struct pl_mpi *mpi);

#endif
