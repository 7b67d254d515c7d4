/* The text of the last failure lives in a thread-local slot, like errno: a rank
 * is a thread of its own in in-process worlds, and in a process the thread that
 * made the call is the one that reads the text. Completions that fail later
 * copy the text into their request (src/p2p).
 */
#include "errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_text[PL_ERROR_TEXT];

int pl_fail(int error, const char *format, ...)
{
    char text[PL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(last_text, text, sizeof text);
    return error;
}

int pl_fail_errno(const char *format, ...)
{
    int number = errno;
    char text[PL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pl_fail(PL_ESYSTEM, "%.400s: %s", text, strerror(number));
}

const char *pl_fail_text(void)
{
    return last_text;
}

const char *pl_error_name(int error)
{
    switch (error) {
    case PL_OK:
        return "no error";
    case PL_ENOMEM:
        return "out of memory";
    case PL_EARG:
        return "wrong argument";
    case PL_ESYSTEM:
        return "a system call failed";
    case PL_EUNSUPPORTED:
        return "not supported";
    case PL_EUNREACHABLE:
        return "peer not reachable";
    case PL_EPEER:
        return "a peer failed";
    case PL_EPROTOCOL:
        return "protocol error";
    case PL_ETRUNCATE:
        return "message truncated";
    case PL_EMISMATCH:
        return "mismatched collective calls";
    case PL_EDEADLOCK:
        return "deadlock";
    case PL_ECANCELLED:
        return "cancelled";
    case PL_ETIMEOUT:
        return "timed out";
    case PL_EREVOKED:
        return "communicator revoked";
    case PL_ETYPE:
        return "the datatypes differ";
    case PL_EPENDING:
        return "a possible sender failed";
    default:
        return "internal error";
    }
}
