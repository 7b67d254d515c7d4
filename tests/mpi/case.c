/* What the cases share: telling, counting, and patterns of bytes. */
#include "case.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int failures;

enum { TOLD_AT_MOST = 40 };

int check_failures(void)
{
    return atomic_load(&failures);
}

void check_reset(void)
{
    atomic_store(&failures, 0);
}

bool check_that(bool holds, const char *file, int line, const char *format, ...)
{
    if (holds)
        return true;
    if (atomic_fetch_add(&failures, 1) >= TOLD_AT_MOST)
        return false;
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *base = strrchr(file, '/');
    fprintf(stderr, "rank %d of %d, %s:%d: %s\n", my_rank(), world_size(), base ? base + 1 : file, line,
            text);
    return false;
}

bool check_call(int code, int expected, const char *call, const char *file, int line)
{
    if (code == expected)
        return true;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length, class = -1;
    MPI_Error_string(code, text, &length);
    MPI_Error_class(code, &class);
    if (class == expected)
        return true;
    return check_that(false, file, line, "%.300s gave class %d, not %d: %s", call, class, expected, text);
}

void check_text(int class, const char *const *words, const char *file, int line)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(class, text, &length);
    check_that(length == (int)strlen(text), file, line, "the length of '%s' is said to be %d", text, length);
    for (; *words; words++)
        check_that(strstr(text, *words) != NULL, file, line, "'%s' is not in the text '%s'", *words, text);
}

void check_status(const MPI_Status *status, int source, int tag, MPI_Datatype type, int count,
                  const char *file, int line)
{
    int found = -7;
    check_that(status->MPI_SOURCE == source, file, line, "the source is %d, not %d", status->MPI_SOURCE,
               source);
    check_that(status->MPI_TAG == tag, file, line, "the tag is %d, not %d", status->MPI_TAG, tag);
    check_call(MPI_Get_count(status, type, &found), MPI_SUCCESS, "MPI_Get_count", file, line);
    check_that(found == count, file, line, "the count is %d, not %d", found, count);
}

int rank_in(MPI_Comm comm)
{
    int rank = -1;
    MPI_Comm_rank(comm, &rank);
    return rank;
}

int size_of(MPI_Comm comm)
{
    int size = -1;
    MPI_Comm_size(comm, &size);
    return size;
}

static unsigned char pattern(size_t i, unsigned seed)
{
    return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16) + seed * 31 + 5);
}

void fill(void *bytes, size_t length, unsigned seed)
{
    unsigned char *b = bytes;
    for (size_t i = 0; i < length; i++)
        b[i] = pattern(i, seed);
}

long differs(const void *bytes, size_t length, unsigned seed)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < length; i++)
        if (b[i] != pattern(i, seed))
            return (long)i;
    return -1;
}

void *need(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        fprintf(stderr, "the test needs %zu bytes\n", bytes);
        abort();
    }
    return memory;
}

bool frugal(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return false;
#endif
}

unsigned mix(unsigned a, unsigned b)
{
    uint64_t x = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return (unsigned)(x >> 33);
}

bool test_case_fits(const struct test_case *test, int size, bool deterministic)
{
    if (size < test->ranks)
        return false;
    if ((test->flags & CASE_FEW) && size > 5)
        return false;
    return !deterministic || !(test->flags & (CASE_SLEEPS | CASE_THREADS));
}
