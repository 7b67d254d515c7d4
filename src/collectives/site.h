/* Where in the program a call was made. */
#ifndef PL_SITE_H
#define PL_SITE_H

#include <stddef.h>

/* Appends " at main+0x12 (./program)" to a text: the innermost caller of this thread that is not of this
 * library. Nothing where that cannot be had. */
void pl_call_site(char *text, size_t size);

#endif
