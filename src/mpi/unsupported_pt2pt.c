/* What this library does not have of point to point: buffers, persistent, partitioned, requests, statuses.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Point to point */
UNSUPPORTED_ON(comm, Bsend, const void *buf, int count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Bsend_c, const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm)
UNSUPPORTED_ON(comm, Ibsend, const void *buf, int count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ibsend_c, const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Sendrecv_replace, void *buf, int count, MPI_Datatype datatype, int dest, int sendtag,
               int source, int recvtag, MPI_Comm comm, MPI_Status *status)
UNSUPPORTED_ON(comm, Sendrecv_replace_c, void *buf, MPI_Count count, MPI_Datatype datatype, int dest,
               int sendtag, int source, int recvtag, MPI_Comm comm, MPI_Status *status)
UNSUPPORTED_ON(comm, Isendrecv, const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest,
               int sendtag, void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Isendrecv_c, const void *sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, int dest,
               int sendtag, void *recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int source,
               int recvtag, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Isendrecv_replace, void *buf, int count, MPI_Datatype datatype, int dest, int sendtag,
               int source, int recvtag, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Isendrecv_replace_c, void *buf, MPI_Count count, MPI_Datatype datatype, int dest,
               int sendtag, int source, int recvtag, MPI_Comm comm, MPI_Request *request)

/* Point to point: attached buffers */
UNSUPPORTED(Buffer_attach, void *buffer, int size)
UNSUPPORTED(Buffer_attach_c, void *buffer, MPI_Count size)
UNSUPPORTED(Buffer_detach, void *buffer_addr, int *size)
UNSUPPORTED(Buffer_detach_c, void *buffer_addr, MPI_Count *size)
UNSUPPORTED(Buffer_flush, void)
UNSUPPORTED(Buffer_iflush, MPI_Request *request)
UNSUPPORTED_ON(comm, Comm_attach_buffer, MPI_Comm comm, void *buffer, int size)
UNSUPPORTED_ON(comm, Comm_attach_buffer_c, MPI_Comm comm, void *buffer, MPI_Count size)
UNSUPPORTED_ON(comm, Comm_detach_buffer, MPI_Comm comm, void *buffer_addr, int *size)
UNSUPPORTED_ON(comm, Comm_detach_buffer_c, MPI_Comm comm, void *buffer_addr, MPI_Count *size)
UNSUPPORTED_ON(comm, Comm_flush_buffer, MPI_Comm comm)
UNSUPPORTED_ON(comm, Comm_iflush_buffer, MPI_Comm comm, MPI_Request *request)
UNSUPPORTED(Session_attach_buffer, MPI_Session session, void *buffer, int size)
UNSUPPORTED(Session_attach_buffer_c, MPI_Session session, void *buffer, MPI_Count size)
UNSUPPORTED(Session_detach_buffer, MPI_Session session, void *buffer_addr, int *size)
UNSUPPORTED(Session_detach_buffer_c, MPI_Session session, void *buffer_addr, MPI_Count *size)
UNSUPPORTED(Session_flush_buffer, MPI_Session session)
UNSUPPORTED(Session_iflush_buffer, MPI_Session session, MPI_Request *request)

/* Point to point: persistent, partitioned */
UNSUPPORTED_ON(comm, Send_init, const void *buf, int count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Send_init_c, const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Bsend_init, const void *buf, int count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Bsend_init_c, const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ssend_init, const void *buf, int count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Ssend_init_c, const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Rsend_init, const void *buf, int count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Rsend_init_c, const void *buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Recv_init, void *buf, int count, MPI_Datatype datatype, int source, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED_ON(comm, Recv_init_c, void *buf, MPI_Count count, MPI_Datatype datatype, int source, int tag,
               MPI_Comm comm, MPI_Request *request)
UNSUPPORTED(Start, MPI_Request *request)
UNSUPPORTED(Startall, int count, MPI_Request array_of_requests[])
UNSUPPORTED_ON(comm, Psend_init, const void *buf, int partitions, MPI_Count count, MPI_Datatype datatype,
               int dest, int tag, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED_ON(comm, Precv_init, void *buf, int partitions, MPI_Count count, MPI_Datatype datatype, int dest,
               int tag, MPI_Comm comm, MPI_Info info, MPI_Request *request)
UNSUPPORTED(Pready, int partition, MPI_Request request)
UNSUPPORTED(Pready_range, int partition_low, int partition_high, MPI_Request request)
UNSUPPORTED(Pready_list, int length, int array_of_partitions[], MPI_Request request)
UNSUPPORTED(Parrived, MPI_Request request, int partition, int *flag)

/* Requests and statuses */
UNSUPPORTED(Request_get_status, MPI_Request request, int *flag, MPI_Status *status)
UNSUPPORTED(Request_get_status_all, int count, const MPI_Request requests[], int *flag, MPI_Status statuses[])
UNSUPPORTED(Request_get_status_any, int count, const MPI_Request requests[], int *index, int *flag,
            MPI_Status *status)
UNSUPPORTED(Request_get_status_some, int incount, const MPI_Request requests[], int *outcount, int indices[],
            MPI_Status statuses[])
UNSUPPORTED(Grequest_start, MPI_Grequest_query_function *query_fn, MPI_Grequest_free_function *free_fn,
            MPI_Grequest_cancel_function *cancel_fn, void *extra_state, MPI_Request *request)
UNSUPPORTED(Grequest_complete, MPI_Request request)
