/* A stand-in for Criterion where it cannot run: under the thread sanitizer, whose
 * view of the address space its process runner does not fit. Only what Peal's
 * tests use: each test in a forked process, an assertion ends it, an expectation
 * marks it as failed. The first argument of the program, if any, is a part of
 * the names "suite::test" to run.
 */
#ifndef PLAIN_CRITERION_H
#define PLAIN_CRITERION_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plain_parameters {
    void *items;
    size_t size, count;
};

struct plain_test {
    const char *suite, *name;
    void (*run)(void *parameter);
    struct plain_parameters (*parameters)(void);
    struct plain_test *next;
};

static struct plain_test *plain_tests;
static int plain_failures;

#define PLAIN_CHECK(ends, condition, ...)                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s:", __FILE__, __LINE__, #condition);                                   \
            fprintf(stderr, " " __VA_ARGS__);                                                                \
            fputc('\n', stderr);                                                                             \
            plain_failures++;                                                                                \
            if (ends)                                                                                        \
                _exit(1);                                                                                    \
        }                                                                                                    \
    } while (0)

#define cr_assert(condition, ...)     PLAIN_CHECK(1, condition, __VA_ARGS__)
#define cr_assert_not(condition, ...) PLAIN_CHECK(1, !(condition), __VA_ARGS__)
#define cr_assert_eq(a, b, ...)       PLAIN_CHECK(1, (a) == (b), __VA_ARGS__)
#define cr_assert_neq(a, b, ...)      PLAIN_CHECK(1, (a) != (b), __VA_ARGS__)
#define cr_assert_lt(a, b, ...)       PLAIN_CHECK(1, (a) < (b), __VA_ARGS__)
#define cr_assert_leq(a, b, ...)      PLAIN_CHECK(1, (a) <= (b), __VA_ARGS__)
#define cr_assert_gt(a, b, ...)       PLAIN_CHECK(1, (a) > (b), __VA_ARGS__)
#define cr_assert_geq(a, b, ...)      PLAIN_CHECK(1, (a) >= (b), __VA_ARGS__)
#define cr_assert_null(a, ...)        PLAIN_CHECK(1, !(a), __VA_ARGS__)
#define cr_assert_not_null(a, ...)    PLAIN_CHECK(1, (a), __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)   PLAIN_CHECK(1, !strcmp(a, b), __VA_ARGS__)
#define cr_assert_fail(...)           PLAIN_CHECK(1, 0, __VA_ARGS__)
#define cr_expect(condition, ...)     PLAIN_CHECK(0, condition, __VA_ARGS__)
#define cr_expect_not(condition, ...) PLAIN_CHECK(0, !(condition), __VA_ARGS__)
#define cr_expect_eq(a, b, ...)       PLAIN_CHECK(0, (a) == (b), __VA_ARGS__)
#define cr_expect_neq(a, b, ...)      PLAIN_CHECK(0, (a) != (b), __VA_ARGS__)
#define cr_expect_lt(a, b, ...)       PLAIN_CHECK(0, (a) < (b), __VA_ARGS__)
#define cr_expect_leq(a, b, ...)      PLAIN_CHECK(0, (a) <= (b), __VA_ARGS__)
#define cr_expect_gt(a, b, ...)       PLAIN_CHECK(0, (a) > (b), __VA_ARGS__)
#define cr_expect_geq(a, b, ...)      PLAIN_CHECK(0, (a) >= (b), __VA_ARGS__)
#define cr_expect_null(a, ...)        PLAIN_CHECK(0, !(a), __VA_ARGS__)
#define cr_expect_not_null(a, ...)    PLAIN_CHECK(0, (a), __VA_ARGS__)
#define cr_expect_fail(...)           PLAIN_CHECK(0, 0, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)   PLAIN_CHECK(0, !strcmp(a, b), __VA_ARGS__)
#define cr_expect_str_empty(a, ...)   PLAIN_CHECK(0, !*(a), __VA_ARGS__)
#define cr_log_info(...)              (printf(__VA_ARGS__), putchar('\n'))
#define cr_skip_test(...)                                                                                    \
    do {                                                                                                     \
        fprintf(stderr, "skipped: " __VA_ARGS__);                                                            \
        fputc('\n', stderr);                                                                                 \
        _exit(0);                                                                                            \
    } while (0)

#define PLAIN_REGISTER(suite_, name_, run_, parameters_)                                                     \
    __attribute__((constructor)) static void plain_register_##suite_##_##name_(void)                         \
    {                                                                                                        \
        static struct plain_test test = {#suite_, #name_, run_, parameters_, NULL};                          \
        test.next = plain_tests;                                                                             \
        plain_tests = &test;                                                                                 \
    }
#define Test(suite_, name_, ...)                                                                             \
    static void plain_##suite_##_##name_(void);                                                              \
    static void plain_run_##suite_##_##name_(void *parameter)                                                \
    {                                                                                                        \
        plain_##suite_##_##name_();                                                                          \
    }                                                                                                        \
    PLAIN_REGISTER(suite_, name_, plain_run_##suite_##_##name_, NULL)                                        \
    static void plain_##suite_##_##name_(void)

static inline int plain_run(const struct plain_test *test, size_t index)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct plain_parameters all = test->parameters ? test->parameters() : (struct plain_parameters){0};
        test->run(all.items ? (char *)all.items + index * all.size : NULL);
        exit(plain_failures != 0);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    if (status)
        printf("FAILED %s::%s [%zu]\n", test->suite, test->name, index);
    return status != 0;
}

int main(int argc, char **argv)
{
    size_t failed = 0, run = 0;
    for (const struct plain_test *test = plain_tests; test; test = test->next) {
        char name[200];
        snprintf(name, sizeof name, "%s::%s", test->suite, test->name);
        if (argc > 1 && !strstr(name, argv[1]))
            continue;
        size_t count = test->parameters ? test->parameters().count : 1;
        for (size_t i = 0; i < count; i++, run++)
            failed += (size_t)plain_run(test, i);
    }
    printf("%zu tests, %zu failed\n", run, failed);
    return failed != 0;
}

#endif
