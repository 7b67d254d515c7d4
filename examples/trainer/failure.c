/* failure.c: one formatted line, kept for whoever decides to print it. It is
 * not printed here: in a parallel program only rank 0 speaks, and only after
 * all ranks know that they shall stop.
 */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

void failure_set(struct failure *failure, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
}
