/* What this library does not have of the environment, sessions, errors, info, dynamic processes.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Dynamic processes */
UNSUPPORTED(Open_port, MPI_Info info, char *port_name)
UNSUPPORTED(Close_port, const char *port_name)
UNSUPPORTED(Publish_name, const char *service_name, MPI_Info info, const char *port_name)
UNSUPPORTED(Unpublish_name, const char *service_name, MPI_Info info, const char *port_name)
UNSUPPORTED(Lookup_name, const char *service_name, MPI_Info info, char *port_name)
UNSUPPORTED_ON(comm, Comm_accept, const char *port_name, MPI_Info info, int root, MPI_Comm comm,
               MPI_Comm *newcomm)
UNSUPPORTED_ON(comm, Comm_connect, const char *port_name, MPI_Info info, int root, MPI_Comm comm,
               MPI_Comm *newcomm)
UNSUPPORTED(Comm_join, int fd, MPI_Comm *intercomm)
UNSUPPORTED(Comm_disconnect, MPI_Comm *comm)
UNSUPPORTED(Comm_get_parent, MPI_Comm *parent)
UNSUPPORTED_ON(comm, Comm_spawn, const char *command, char *argv[], int maxprocs, MPI_Info info, int root,
               MPI_Comm comm, MPI_Comm *intercomm, int array_of_errcodes[])
UNSUPPORTED_ON(comm, Comm_spawn_multiple, int count, char *array_of_commands[], char **array_of_argv[],
               const int array_of_maxprocs[], const MPI_Info array_of_info[], int root, MPI_Comm comm,
               MPI_Comm *intercomm, int array_of_errcodes[])
