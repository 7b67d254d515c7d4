/* What MPI_T has nothing of here: enumerations, categories, events and their sources. Their numbers
 * are 0, so every index, name and handle is wrong.
 */
#include "tools.h"

static int refuse(const char *name, int reason)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call(name, &code);
    return pl_tools_return(mpi, code ? code : reason);
}

static int count(const char *name, int *number)
{
    int code;
    struct pl_mpi *mpi = pl_tools_call(name, &code);
    if (!code && !number)
        code = MPI_T_ERR_INVALID;
    if (!code)
        *number = 0;
    return pl_tools_return(mpi, code);
}

int PMPI_T_enum_get_info(MPI_T_enum enumtype, int *num, char *name, int *name_len)
{
    return refuse("MPI_T_enum_get_info", MPI_T_ERR_INVALID);
}
PL_WEAK(T_enum_get_info)

int PMPI_T_enum_get_item(MPI_T_enum enumtype, int indx, int *value, char *name, int *name_len)
{
    return refuse("MPI_T_enum_get_item", MPI_T_ERR_INVALID);
}
PL_WEAK(T_enum_get_item)

int PMPI_T_category_changed(int *update_number)
{
    return count("MPI_T_category_changed", update_number);
}
PL_WEAK(T_category_changed)

int PMPI_T_category_get_num(int *num_cat)
{
    return count("MPI_T_category_get_num", num_cat);
}
PL_WEAK(T_category_get_num)

int PMPI_T_category_get_info(int cat_index, char *name, int *name_len, char *desc, int *desc_len,
                             int *num_cvars, int *num_pvars, int *num_categories)
{
    return refuse("MPI_T_category_get_info", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_category_get_info)

int PMPI_T_category_get_index(const char *name, int *cat_index)
{
    return refuse("MPI_T_category_get_index", MPI_T_ERR_INVALID_NAME);
}
PL_WEAK(T_category_get_index)

int PMPI_T_category_get_num_events(int cat_index, int *num_events)
{
    return refuse("MPI_T_category_get_num_events", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_category_get_num_events)

int PMPI_T_category_get_cvars(int cat_index, int len, int indices[])
{
    return refuse("MPI_T_category_get_cvars", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_category_get_cvars)

int PMPI_T_category_get_pvars(int cat_index, int len, int indices[])
{
    return refuse("MPI_T_category_get_pvars", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_category_get_pvars)

int PMPI_T_category_get_events(int cat_index, int len, int indices[])
{
    return refuse("MPI_T_category_get_events", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_category_get_events)

int PMPI_T_category_get_categories(int cat_index, int len, int indices[])
{
    return refuse("MPI_T_category_get_categories", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_category_get_categories)

int PMPI_T_source_get_num(int *num_sources)
{
    return count("MPI_T_source_get_num", num_sources);
}
PL_WEAK(T_source_get_num)

int PMPI_T_source_get_info(int source_index, char *name, int *name_len, char *desc, int *desc_len,
                           MPI_T_source_order *ordering, MPI_Count *ticks_per_second, MPI_Count *max_ticks,
                           MPI_Info *info)
{
    return refuse("MPI_T_source_get_info", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_source_get_info)

int PMPI_T_source_get_timestamp(int source_index, MPI_Count *timestamp)
{
    return refuse("MPI_T_source_get_timestamp", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_source_get_timestamp)

int PMPI_T_event_get_num(int *num_events)
{
    return count("MPI_T_event_get_num", num_events);
}
PL_WEAK(T_event_get_num)

int PMPI_T_event_get_info(int event_index, char *name, int *name_len, int *verbosity,
                          MPI_Datatype array_of_datatypes[], MPI_Aint array_of_displacements[],
                          int *num_elements, MPI_T_enum *enumtype, MPI_Info *info, char *desc, int *desc_len,
                          int *bind)
{
    return refuse("MPI_T_event_get_info", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_event_get_info)

int PMPI_T_event_get_index(const char *name, int *event_index)
{
    return refuse("MPI_T_event_get_index", MPI_T_ERR_INVALID_NAME);
}
PL_WEAK(T_event_get_index)

int PMPI_T_event_handle_alloc(int event_index, void *obj_handle, MPI_Info info,
                              MPI_T_event_registration *event_registration)
{
    return refuse("MPI_T_event_handle_alloc", MPI_T_ERR_INVALID_INDEX);
}
PL_WEAK(T_event_handle_alloc)

int PMPI_T_event_handle_free(MPI_T_event_registration event_registration, void *user_data,
                             MPI_T_event_free_cb_function free_cb_function)
{
    return refuse("MPI_T_event_handle_free", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_handle_free)

int PMPI_T_event_handle_get_info(MPI_T_event_registration event_registration, MPI_Info *info_used)
{
    return refuse("MPI_T_event_handle_get_info", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_handle_get_info)

int PMPI_T_event_handle_set_info(MPI_T_event_registration event_registration, MPI_Info info)
{
    return refuse("MPI_T_event_handle_set_info", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_handle_set_info)

int PMPI_T_event_register_callback(MPI_T_event_registration event_registration, MPI_T_cb_safety cb_safety,
                                   MPI_Info info, void *user_data, MPI_T_event_cb_function event_cb_function)
{
    return refuse("MPI_T_event_register_callback", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_register_callback)

int PMPI_T_event_callback_get_info(MPI_T_event_registration event_registration, MPI_T_cb_safety cb_safety,
                                   MPI_Info *info_used)
{
    return refuse("MPI_T_event_callback_get_info", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_callback_get_info)

int PMPI_T_event_callback_set_info(MPI_T_event_registration event_registration, MPI_T_cb_safety cb_safety,
                                   MPI_Info info)
{
    return refuse("MPI_T_event_callback_set_info", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_callback_set_info)

int PMPI_T_event_set_dropped_handler(MPI_T_event_registration event_registration,
                                     MPI_T_event_dropped_cb_function dropped_cb_function)
{
    return refuse("MPI_T_event_set_dropped_handler", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_set_dropped_handler)

int PMPI_T_event_read(MPI_T_event_instance event_instance, int element_index, void *buffer)
{
    return refuse("MPI_T_event_read", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_read)

int PMPI_T_event_copy(MPI_T_event_instance event_instance, void *buffer)
{
    return refuse("MPI_T_event_copy", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_copy)

int PMPI_T_event_get_source(MPI_T_event_instance event_instance, int *source_index)
{
    return refuse("MPI_T_event_get_source", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_get_source)

int PMPI_T_event_get_timestamp(MPI_T_event_instance event_instance, MPI_Count *event_timestamp)
{
    return refuse("MPI_T_event_get_timestamp", MPI_T_ERR_INVALID_HANDLE);
}
PL_WEAK(T_event_get_timestamp)
