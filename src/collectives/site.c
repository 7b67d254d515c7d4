/* The call site of an error, read off the stack when there is one to tell: who makes no mistake pays nothing
 * for it. A name needs the program's symbols to be dynamic (-rdynamic); an offset that addr2line takes is
 * there always.
 */
#include "site.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdio.h>
#include <string.h>

void pl_call_site(char *text, size_t size)
{
    enum { FRAMES = 48 };
    void *frames[FRAMES];
    Dl_info own, info;
    int n = backtrace(frames, FRAMES);
    size_t at = strlen(text);
    if (!dladdr((void *)(size_t)pl_call_site, &own))
        return;
    for (int i = 0; i < n; i++) {
        if (!dladdr(frames[i], &info) || info.dli_fbase == own.dli_fbase || !info.dli_fname)
            continue;
        const char *slash = strrchr(info.dli_fname, '/');
        const char *file = slash ? slash + 1 : info.dli_fname;
        if (info.dli_sname)
            snprintf(text + at, size - at, " at %.60s+%#zx (%.60s)", info.dli_sname,
                     (size_t)((char *)frames[i] - (char *)info.dli_saddr), file);
        else
            snprintf(text + at, size - at, " at %.60s+%#zx", file,
                     (size_t)((char *)frames[i] - (char *)info.dli_fbase));
        return;
    }
}
