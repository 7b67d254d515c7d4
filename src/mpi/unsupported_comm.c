/* What this library does not have of groups, communicators, topologies.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Groups */
UNSUPPORTED(Group_from_session_pset, MPI_Session session, const char *pset_name, MPI_Group *newgroup)

/* Communicators */
UNSUPPORTED_ON(comm, Comm_remote_size, MPI_Comm comm, int *size)
UNSUPPORTED_ON(comm, Comm_remote_group, MPI_Comm comm, MPI_Group *group)
UNSUPPORTED_ON(comm, Comm_idup, MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request)
UNSUPPORTED_ON(comm, Comm_idup_with_info, MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm,
               MPI_Request *request)
UNSUPPORTED_ON(comm, Comm_create_group, MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *newcomm)
UNSUPPORTED(Comm_create_from_group, MPI_Group group, const char *stringtag, MPI_Info info,
            MPI_Errhandler errhandler, MPI_Comm *newcomm)
UNSUPPORTED_ON(local_comm, Intercomm_create, MPI_Comm local_comm, int local_leader, MPI_Comm peer_comm,
               int remote_leader, int tag, MPI_Comm *newintercomm)
UNSUPPORTED(Intercomm_create_from_groups, MPI_Group local_group, int local_leader, MPI_Group remote_group,
            int remote_leader, const char *stringtag, MPI_Info info, MPI_Errhandler errhandler,
            MPI_Comm *newintercomm)
UNSUPPORTED_ON(intercomm, Intercomm_merge, MPI_Comm intercomm, int high, MPI_Comm *newintracomm)
UNSUPPORTED(Comm_create_keyval, MPI_Comm_copy_attr_function *comm_copy_attr_fn,
            MPI_Comm_delete_attr_function *comm_delete_attr_fn, int *comm_keyval, void *extra_state)
UNSUPPORTED(Comm_free_keyval, int *comm_keyval)
UNSUPPORTED_ON(comm, Comm_set_attr, MPI_Comm comm, int comm_keyval, void *attribute_val)
UNSUPPORTED_ON(comm, Comm_get_attr, MPI_Comm comm, int comm_keyval, void *attribute_val, int *flag)
UNSUPPORTED_ON(comm, Comm_delete_attr, MPI_Comm comm, int comm_keyval)

/* Topologies */
UNSUPPORTED_ON(comm_old, Cart_create, MPI_Comm comm_old, int ndims, const int dims[], const int periods[],
               int reorder, MPI_Comm *comm_cart)
UNSUPPORTED_ON(comm, Cart_coords, MPI_Comm comm, int rank, int maxdims, int coords[])
UNSUPPORTED_ON(comm, Cart_get, MPI_Comm comm, int maxdims, int dims[], int periods[], int coords[])
UNSUPPORTED_ON(comm, Cart_map, MPI_Comm comm, int ndims, const int dims[], const int periods[], int *newrank)
UNSUPPORTED_ON(comm, Cart_rank, MPI_Comm comm, const int coords[], int *rank)
UNSUPPORTED_ON(comm, Cart_shift, MPI_Comm comm, int direction, int disp, int *rank_source, int *rank_dest)
UNSUPPORTED_ON(comm, Cart_sub, MPI_Comm comm, const int remain_dims[], MPI_Comm *newcomm)
UNSUPPORTED_ON(comm, Cartdim_get, MPI_Comm comm, int *ndims)
UNSUPPORTED(Dims_create, int nnodes, int ndims, int dims[])
UNSUPPORTED_ON(comm_old, Graph_create, MPI_Comm comm_old, int nnodes, const int indx[], const int edges[],
               int reorder, MPI_Comm *comm_graph)
UNSUPPORTED_ON(comm, Graph_get, MPI_Comm comm, int maxindex, int maxedges, int indx[], int edges[])
UNSUPPORTED_ON(comm, Graph_map, MPI_Comm comm, int nnodes, const int indx[], const int edges[], int *newrank)
UNSUPPORTED_ON(comm, Graph_neighbors, MPI_Comm comm, int rank, int maxneighbors, int neighbors[])
UNSUPPORTED_ON(comm, Graph_neighbors_count, MPI_Comm comm, int rank, int *nneighbors)
UNSUPPORTED_ON(comm, Graphdims_get, MPI_Comm comm, int *nnodes, int *nedges)
UNSUPPORTED_ON(comm_old, Dist_graph_create, MPI_Comm comm_old, int n, const int sources[],
               const int degrees[], const int destinations[], const int weights[], MPI_Info info, int reorder,
               MPI_Comm *comm_dist_graph)
UNSUPPORTED_ON(comm_old, Dist_graph_create_adjacent, MPI_Comm comm_old, int indegree, const int sources[],
               const int sourceweights[], int outdegree, const int destinations[], const int destweights[],
               MPI_Info info, int reorder, MPI_Comm *comm_dist_graph)
UNSUPPORTED_ON(comm, Dist_graph_neighbors, MPI_Comm comm, int maxindegree, int sources[], int sourceweights[],
               int maxoutdegree, int destinations[], int destweights[])
UNSUPPORTED_ON(comm, Dist_graph_neighbors_count, MPI_Comm comm, int *indegree, int *outdegree, int *weighted)
UNSUPPORTED_ON(comm, Topo_test, MPI_Comm comm, int *status)
UNSUPPORTED(Get_hw_resource_info, MPI_Info *hw_info)
