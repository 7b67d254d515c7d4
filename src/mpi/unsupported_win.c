/* What this library does not have of one-sided communication.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* One-sided */
UNSUPPORTED_ON(comm, Win_create, void *base, MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm,
               MPI_Win *win)
UNSUPPORTED_ON(comm, Win_create_c, void *base, MPI_Aint size, MPI_Aint disp_unit, MPI_Info info,
               MPI_Comm comm, MPI_Win *win)
UNSUPPORTED_ON(comm, Win_allocate, MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr,
               MPI_Win *win)
UNSUPPORTED_ON(comm, Win_allocate_c, MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm,
               void *baseptr, MPI_Win *win)
UNSUPPORTED_ON(comm, Win_allocate_shared, MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm,
               void *baseptr, MPI_Win *win)
UNSUPPORTED_ON(comm, Win_allocate_shared_c, MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm,
               void *baseptr, MPI_Win *win)
UNSUPPORTED(Win_shared_query, MPI_Win win, int rank, MPI_Aint *size, int *disp_unit, void *baseptr)
UNSUPPORTED(Win_shared_query_c, MPI_Win win, int rank, MPI_Aint *size, MPI_Aint *disp_unit, void *baseptr)
UNSUPPORTED_ON(comm, Win_create_dynamic, MPI_Info info, MPI_Comm comm, MPI_Win *win)
UNSUPPORTED(Win_attach, MPI_Win win, void *base, MPI_Aint size)
UNSUPPORTED(Win_detach, MPI_Win win, const void *base)
UNSUPPORTED(Win_free, MPI_Win *win)
UNSUPPORTED(Win_get_group, MPI_Win win, MPI_Group *group)
UNSUPPORTED(Win_set_info, MPI_Win win, MPI_Info info)
UNSUPPORTED(Win_get_info, MPI_Win win, MPI_Info *info_used)
UNSUPPORTED(Win_set_name, MPI_Win win, const char *win_name)
UNSUPPORTED(Win_get_name, MPI_Win win, char *win_name, int *resultlen)
UNSUPPORTED(Put, const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank,
            MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win)
UNSUPPORTED(Put_c, const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype,
            int target_rank, MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype,
            MPI_Win win)
UNSUPPORTED(Get, void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank,
            MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win)
UNSUPPORTED(Get_c, void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int target_rank,
            MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Win win)
UNSUPPORTED(Accumulate, const void *origin_addr, int origin_count, MPI_Datatype origin_datatype,
            int target_rank, MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Op op,
            MPI_Win win)
UNSUPPORTED(Accumulate_c, const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype,
            int target_rank, MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype,
            MPI_Op op, MPI_Win win)
UNSUPPORTED(Get_accumulate, const void *origin_addr, int origin_count, MPI_Datatype origin_datatype,
            void *result_addr, int result_count, MPI_Datatype result_datatype, int target_rank,
            MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win)
UNSUPPORTED(Get_accumulate_c, const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype,
            void *result_addr, MPI_Count result_count, MPI_Datatype result_datatype, int target_rank,
            MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Op op,
            MPI_Win win)
UNSUPPORTED(Fetch_and_op, const void *origin_addr, void *result_addr, MPI_Datatype datatype, int target_rank,
            MPI_Aint target_disp, MPI_Op op, MPI_Win win)
UNSUPPORTED(Compare_and_swap, const void *origin_addr, const void *compare_addr, void *result_addr,
            MPI_Datatype datatype, int target_rank, MPI_Aint target_disp, MPI_Win win)
UNSUPPORTED(Rput, const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank,
            MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win,
            MPI_Request *request)
UNSUPPORTED(Rput_c, const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype,
            int target_rank, MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype,
            MPI_Win win, MPI_Request *request)
UNSUPPORTED(Rget, void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank,
            MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win,
            MPI_Request *request)
UNSUPPORTED(Rget_c, void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int target_rank,
            MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Win win,
            MPI_Request *request)
UNSUPPORTED(Raccumulate, const void *origin_addr, int origin_count, MPI_Datatype origin_datatype,
            int target_rank, MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Op op,
            MPI_Win win, MPI_Request *request)
UNSUPPORTED(Raccumulate_c, const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype,
            int target_rank, MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype,
            MPI_Op op, MPI_Win win, MPI_Request *request)
UNSUPPORTED(Rget_accumulate, const void *origin_addr, int origin_count, MPI_Datatype origin_datatype,
            void *result_addr, int result_count, MPI_Datatype result_datatype, int target_rank,
            MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win,
            MPI_Request *request)
UNSUPPORTED(Rget_accumulate_c, const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype,
            void *result_addr, MPI_Count result_count, MPI_Datatype result_datatype, int target_rank,
            MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Op op,
            MPI_Win win, MPI_Request *request)
UNSUPPORTED(Win_fence, int assert, MPI_Win win)
UNSUPPORTED(Win_start, MPI_Group group, int assert, MPI_Win win)
UNSUPPORTED(Win_complete, MPI_Win win)
UNSUPPORTED(Win_post, MPI_Group group, int assert, MPI_Win win)
UNSUPPORTED(Win_wait, MPI_Win win)
UNSUPPORTED(Win_test, MPI_Win win, int *flag)
UNSUPPORTED(Win_lock, int lock_type, int rank, int assert, MPI_Win win)
UNSUPPORTED(Win_lock_all, int assert, MPI_Win win)
UNSUPPORTED(Win_unlock, int rank, MPI_Win win)
UNSUPPORTED(Win_unlock_all, MPI_Win win)
UNSUPPORTED(Win_flush, int rank, MPI_Win win)
UNSUPPORTED(Win_flush_all, MPI_Win win)
UNSUPPORTED(Win_flush_local, int rank, MPI_Win win)
UNSUPPORTED(Win_flush_local_all, MPI_Win win)
UNSUPPORTED(Win_sync, MPI_Win win)
UNSUPPORTED(Win_create_keyval, MPI_Win_copy_attr_function *win_copy_attr_fn,
            MPI_Win_delete_attr_function *win_delete_attr_fn, int *win_keyval, void *extra_state)
UNSUPPORTED(Win_free_keyval, int *win_keyval)
UNSUPPORTED(Win_set_attr, MPI_Win win, int win_keyval, void *attribute_val)
UNSUPPORTED(Win_get_attr, MPI_Win win, int win_keyval, void *attribute_val, int *flag)
UNSUPPORTED(Win_delete_attr, MPI_Win win, int win_keyval)
