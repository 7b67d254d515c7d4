/* A message is formatted into one buffer and written with one write(2), so that
 * lines of many ranks on one terminal do not mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Thread_local char identity[64];
static _Thread_local enum pl_log_level limit = PL_LOG_WARN;

void pl_log_identity(const char *who, enum pl_log_level level)
{
    snprintf(identity, sizeof identity, "%s", who);
    limit = level;
}

bool pl_log_wants(enum pl_log_level level)
{
    return level <= limit;
}

void pl_log_line(const char *begin, const char *format, va_list args)
{
    char line[1024];
    int at = snprintf(line, sizeof line - 1, "%s", begin);
    int more = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, args);
    size_t length = (size_t)at + (more > 0 ? (size_t)more : 0);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}

void pl_log_write(enum pl_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
    char begin[sizeof identity + 32];
    snprintf(begin, sizeof begin, identity[0] ? "peal[%s]: %s" : "peal%s: %s", identity, names[level]);
    va_list args;
    va_start(args, format);
    pl_log_line(begin, format, args);
    va_end(args);
}
