/* Trace files, and the file that is made of them, which must be read again as it was. */
#include "fuzz.h"

#include "trace_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pl_trace_sum sum, again;
    char *text = NULL;
    size_t length = 0;
    FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL,
         *out = open_memstream(&text, &length);
    if (in && out) {
        pl_trace_read(in, &sum, out, 1000);
        fflush(out);
        FILE *second = length ? fmemopen(text, length, "r") : NULL;
        if (second) {
            pl_trace_read(second, &again, NULL, 0);
            if (again.events != sum.events || again.functions != sum.functions || again.inside != sum.inside)
                abort();
            fclose(second);
        }
    }
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    free(text);
    return 0;
}
