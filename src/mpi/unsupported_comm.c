/* What this library does not have of groups, communicators, topologies.
 * unsupported.h says how to take a function out. */
#include "unsupported.h"

/* Groups */
UNSUPPORTED(Group_from_session_pset, MPI_Session session, const char *pset_name, MPI_Group *newgroup)

/* Communicators */
UNSUPPORTED(Comm_create_from_group, MPI_Group group, const char *stringtag, MPI_Info info,
            MPI_Errhandler errhandler, MPI_Comm *newcomm)
UNSUPPORTED(Intercomm_create_from_groups, MPI_Group local_group, int local_leader, MPI_Group remote_group,
            int remote_leader, const char *stringtag, MPI_Info info, MPI_Errhandler errhandler,
            MPI_Comm *newintercomm)

/* Topologies */
UNSUPPORTED(Get_hw_resource_info, MPI_Info *hw_info)
