/* One log, on standard error, one whole line a message: `peal[rank@host]: ...`.
 * Whoever first knows something logs it, once. PEAL_LOG sets the level. */
#ifndef PL_LOG_H
#define PL_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum pl_log_level { PL_LOG_ERROR, PL_LOG_WARN, PL_LOG_INFO, PL_LOG_DEBUG };

/* Who speaks in this thread (copied, at most 63 bytes) and up to which level. */
void pl_log_identity(const char *who, enum pl_log_level level);

/* Writes one whole line on standard error, at most 1,023 bytes of it, that begins with `begin` (not longer
 * than 200 bytes). */
void pl_log_line(const char *begin, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

bool pl_log_wants(enum pl_log_level level);
void pl_log_write(enum pl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define pl_log(level, ...)                                                                                   \
    do {                                                                                                     \
        if (pl_log_wants(level))                                                                             \
            pl_log_write(level, __VA_ARGS__);                                                                \
    } while (0)
#define pl_error(...) pl_log(PL_LOG_ERROR, __VA_ARGS__)
#define pl_warn(...)  pl_log(PL_LOG_WARN, __VA_ARGS__)
#define pl_info(...)  pl_log(PL_LOG_INFO, __VA_ARGS__)
#define pl_debug(...) pl_log(PL_LOG_DEBUG, __VA_ARGS__)

#endif
