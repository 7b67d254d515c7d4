/* libibverbs, opened with dlopen when a verbs port is, and not linked.
 *
 * The Peal that a distribution or a container ships was built where the headers
 * were; whoever runs it on a laptop has no libibverbs, and must not need it to
 * start. So the library's control functions are looked up by name, once a port.
 * What is hot (post, poll, arm) are inline functions of <infiniband/verbs.h> that
 * call through the context's own table, and need no symbol at all.
 *
 * The calls go to the versions of the symbols that the header was written for (the
 * library keeps an older, incompatible set under IBVERBS_1.0). The library stays
 * in memory after dlclose: its providers register themselves and cannot be unloaded.
 */
#include "verbs_library.h"

#include "errors.h"

#include <dlfcn.h>
#include <string.h>

#define SONAME  "libibverbs.so.1"
#define VERSION "IBVERBS_1.1"

int pl_verbs_library_open(struct pl_verbs_library *library)
{
    void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return pl_fail(PL_EUNSUPPORTED,
                       "verbs: %s cannot be opened (%.200s); on Debian it is in the package libibverbs1, "
                       "and the drivers are in ibverbs-providers",
                       SONAME, dlerror());
    void *symbol;
    const char *missing = NULL;
#define FIND(result, name, parameters)                                                                       \
    symbol = dlvsym(handle, "ibv_" #name, VERSION);                                                          \
    if (!symbol)                                                                                             \
        symbol = dlsym(handle, "ibv_" #name);                                                                \
    if (!symbol)                                                                                             \
        missing = "ibv_" #name;                                                                              \
    memcpy(&library->name, &symbol, sizeof symbol);
    PL_VERBS_CALLS(FIND)
#undef FIND
    symbol = dlsym(handle, "ibv_reg_dmabuf_mr");
    memcpy(&library->reg_dmabuf_mr, &symbol, sizeof symbol);
    if (missing) {
        dlclose(handle);
        return pl_fail(PL_EUNSUPPORTED, "verbs: %s has no function %s: it is too old", SONAME, missing);
    }
    library->handle = handle;
    return 0;
}

void pl_verbs_library_close(struct pl_verbs_library *library)
{
    if (library->handle)
        dlclose(library->handle);
    library->handle = NULL;
}
