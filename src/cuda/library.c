/* Opening CUDA's driver library at run time.
 *
 * Nothing of CUDA is linked: a machine without a driver has no libcuda.so.1, dlopen says so, and no device
 * pointer can exist in the process. Where there is one it is opened but not initialised: the program does
 * that, if it uses CUDA at all, and until then the library's answer to every question about a
 * pointer is that it is not initialised.
 *
 * It is never closed again: the driver leaves threads and exit handlers behind that do not survive it.
 *
 * Rejected: looking only whether the library is loaded already (RTLD_NOLOAD), for many programs
 * call MPI_Init before their first CUDA call, and the runtime loads the driver at that moment.
 */
#include "driver.h"

#include "errors.h"

#include <dlfcn.h>
#include <string.h>

static int look_up(struct pl_cu_library *library, const char *symbol, void *slot)
{
    void *address = dlsym(library->handle, symbol);
    if (!address)
        return pl_fail(PL_EUNSUPPORTED,
                       "libcuda.so.1 has no %s: the driver is too old (CUDA 11 or later is needed)", symbol);
    memcpy(slot, &address, sizeof address);
    return 0;
}

int pl_cu_library_open(struct pl_cu_library *library)
{
    memset(library, 0, sizeof *library);
    library->handle = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!library->handle)
        return pl_fail(PL_EUNSUPPORTED, "there is no CUDA driver here: %s", dlerror());
    int error = 0;
#define PL_CU_LOOK_UP(member, symbol, parameters)                                                            \
    if (!error)                                                                                              \
        error = look_up(library, #symbol, &library->member);
    PL_CU_CALLS(PL_CU_LOOK_UP)
#undef PL_CU_LOOK_UP
    void *address;
#define PL_CU_LOOK_UP(member, symbol, parameters)                                                            \
    address = dlsym(library->handle, #symbol);                                                               \
    memcpy(&library->member, &address, sizeof address);
    PL_CU_NEWER_CALLS(PL_CU_LOOK_UP)
#undef PL_CU_LOOK_UP
    return error;
}

int pl_cu_fail(const struct pl_cu_library *library, pl_cu_result result, const char *doing)
{
    const char *name = NULL, *text = NULL;
    library->error_name(result, &name);
    library->error_text(result, &text);
    return pl_fail(result == PL_CU_OUT_OF_MEMORY ? PL_ENOMEM : PL_ESYSTEM, "CUDA failed %s: %s (%s)", doing,
                   text ? text : "unknown error", name ? name : "no name");
}
