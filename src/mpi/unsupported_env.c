/* What this library does not have of the environment, sessions, errors, info, dynamic processes.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Sessions */
UNSUPPORTED(Session_init, MPI_Info info, MPI_Errhandler errhandler, MPI_Session *session)
UNSUPPORTED(Session_finalize, MPI_Session *session)
UNSUPPORTED(Session_get_num_psets, MPI_Session session, MPI_Info info, int *npset_names)
UNSUPPORTED(Session_get_nth_pset, MPI_Session session, MPI_Info info, int n, int *pset_len, char *pset_name)
UNSUPPORTED(Session_get_info, MPI_Session session, MPI_Info *info_used)
UNSUPPORTED(Session_get_pset_info, MPI_Session session, const char *pset_name, MPI_Info *info)
UNSUPPORTED(Session_create_errhandler, MPI_Session_errhandler_function *session_errhandler_fn,
            MPI_Errhandler *errhandler)
UNSUPPORTED(Session_set_errhandler, MPI_Session session, MPI_Errhandler errhandler)
UNSUPPORTED(Session_get_errhandler, MPI_Session session, MPI_Errhandler *errhandler)
UNSUPPORTED(Session_call_errhandler, MPI_Session session, int errorcode)

/* Errors */
UNSUPPORTED(Add_error_class, int *errorclass)
UNSUPPORTED(Add_error_code, int errorclass, int *errorcode)
UNSUPPORTED(Add_error_string, int errorcode, const char *string)
UNSUPPORTED(Remove_error_class, int errorclass)
UNSUPPORTED(Remove_error_code, int errorcode)
UNSUPPORTED(Remove_error_string, int errorcode)

/* Info */
UNSUPPORTED(Info_create_env, int argc, char *argv[], MPI_Info *info)
UNSUPPORTED(Info_get, MPI_Info info, const char *key, int valuelen, char *value, int *flag)
UNSUPPORTED(Info_get_valuelen, MPI_Info info, const char *key, int *valuelen, int *flag)

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
