/* What this library does not have of datatypes and packing.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Datatypes and addresses */
UNSUPPORTED(Type_create_keyval, MPI_Type_copy_attr_function *type_copy_attr_fn,
            MPI_Type_delete_attr_function *type_delete_attr_fn, int *type_keyval, void *extra_state)
UNSUPPORTED(Type_free_keyval, int *type_keyval)
UNSUPPORTED(Type_set_attr, MPI_Datatype datatype, int type_keyval, void *attribute_val)
UNSUPPORTED(Type_get_attr, MPI_Datatype datatype, int type_keyval, void *attribute_val, int *flag)
UNSUPPORTED(Type_delete_attr, MPI_Datatype datatype, int type_keyval)

/* Packing */
UNSUPPORTED_ON(comm, Pack, const void *inbuf, int incount, MPI_Datatype datatype, void *outbuf, int outsize,
               int *position, MPI_Comm comm)
UNSUPPORTED_ON(comm, Pack_c, const void *inbuf, MPI_Count incount, MPI_Datatype datatype, void *outbuf,
               MPI_Count outsize, MPI_Count *position, MPI_Comm comm)
UNSUPPORTED_ON(comm, Unpack, const void *inbuf, int insize, int *position, void *outbuf, int outcount,
               MPI_Datatype datatype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Unpack_c, const void *inbuf, MPI_Count insize, MPI_Count *position, void *outbuf,
               MPI_Count outcount, MPI_Datatype datatype, MPI_Comm comm)
UNSUPPORTED_ON(comm, Pack_size, int incount, MPI_Datatype datatype, MPI_Comm comm, int *size)
UNSUPPORTED_ON(comm, Pack_size_c, MPI_Count incount, MPI_Datatype datatype, MPI_Comm comm, MPI_Count *size)
UNSUPPORTED(Pack_external, const char *datarep, const void *inbuf, int incount, MPI_Datatype datatype,
            void *outbuf, MPI_Aint outsize, MPI_Aint *position)
UNSUPPORTED(Pack_external_c, const char *datarep, const void *inbuf, MPI_Count incount, MPI_Datatype datatype,
            void *outbuf, MPI_Count outsize, MPI_Count *position)
UNSUPPORTED(Unpack_external, const char datarep[], const void *inbuf, MPI_Aint insize, MPI_Aint *position,
            void *outbuf, int outcount, MPI_Datatype datatype)
UNSUPPORTED(Unpack_external_c, const char datarep[], const void *inbuf, MPI_Count insize, MPI_Count *position,
            void *outbuf, MPI_Count outcount, MPI_Datatype datatype)
UNSUPPORTED(Pack_external_size, const char *datarep, int incount, MPI_Datatype datatype, MPI_Aint *size)
UNSUPPORTED(Pack_external_size_c, const char *datarep, MPI_Count incount, MPI_Datatype datatype,
            MPI_Count *size)
