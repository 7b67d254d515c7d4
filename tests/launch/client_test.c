/* The PMI-1 client against launchers that answer oddly, wrongly or not at all:
 * a child plays the launcher from a script of awaited requests and answers. */
#include "errors.h"
#include "pmi1.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int launcher_fd;
static pid_t launcher;

static const char *const greeting[] = {
    "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n",
    "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024\n", /* no rc */
    "kvsname=space rc=0 cmd=my_kvsname\n",                       /* another order */
    NULL,
};

/* Reads one line and writes the next answer, to the end of both lists; then closes. */
static void play(const char *const *first, const char *const *then)
{
    char byte;
    for (int list = 0; list < 2; list++)
        for (const char *const *answer = list ? then : first; answer && *answer; answer++) {
            do
                if (read(launcher_fd, &byte, 1) != 1)
                    _exit(1);
            while (byte != '\n');
            for (const char *c = *answer; *c; c++) /* byte by byte: answers may come in pieces */
                if (write(launcher_fd, c, 1) != 1)
                    _exit(1);
        }
    _exit(0);
}

static void start(const char *const *first, const char *const *then)
{
    int pair[2];
    char number[16];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    launcher_fd = pair[1];
    launcher = fork();
    if (!launcher) {
        close(pair[0]);
        play(first, then);
    }
    close(pair[1]);
    snprintf(number, sizeof number, "%d", pair[0]);
    setenv("PMI_FD", number, 1);
    setenv("PMI_RANK", "2", 1);
    setenv("PMI_SIZE", "5", 1);
}

static struct pl_pmi1 *greeted(const char *const *then)
{
    struct pl_pmi1 *client = NULL;
    start(greeting, then);
    cr_assert_eq(pl_pmi1_open(&client), 0, "%s", pl_fail_text());
    return client;
}

Test(client, knows_its_place, .timeout = 20)
{
    static const char *const then[] = {"appnum=3 cmd=appnum\n", "cmd=universe_size size=9 rc=0\n",
                                       "cmd=finalize_ack\n", NULL};
    struct pl_pmi1 *client = greeted(then);
    int appnum = -1, universe = -1;
    cr_assert(pl_pmi1_present());
    cr_assert_eq(pl_pmi1_rank(client), 2);
    cr_assert_eq(pl_pmi1_size(client), 5);
    cr_assert_eq(pl_pmi1_value_max(client), 1023);
    cr_assert_eq(pl_pmi1_appnum(client, &appnum), 0);
    cr_assert_eq(appnum, 3);
    cr_assert_eq(pl_pmi1_universe_size(client, &universe), 0);
    cr_assert_eq(universe, 9);
    cr_assert_eq(pl_pmi1_finalize(client), 0);
    pl_pmi1_close(client);
    cr_assert_eq(waitpid(launcher, NULL, 0), launcher);
}

Test(client, puts_and_gets, .timeout = 20)
{
    static char long_answer[1100] = "cmd=get_result value=";
    memset(long_answer + strlen(long_answer), 'f', 1023);
    strcat(long_answer, "\n");
    static const char *const then[] = {"rc=0 cmd=put_result\n",
                                       "cmd=put_result rc=-1 msg=duplicate_key\n",
                                       "cmd=barrier_out\n",
                                       "value=card cmd=get_result\n",
                                       "cmd=get_result rc=-1 msg=key not found\n",
                                       long_answer,
                                       long_answer,
                                       NULL};
    struct pl_pmi1 *client = greeted(then);
    char value[1024], little[4], much[1025];
    memset(much, 'x', 1024);
    much[1024] = '\0';
    cr_assert_eq(pl_pmi1_put(client, "card-2", "abc"), 0);
    cr_assert_eq(pl_pmi1_put(client, "card-2", "abc"), PL_EPEER);
    cr_assert(strstr(pl_fail_text(), "duplicate_key"));
    cr_assert_eq(pl_pmi1_put(client, "card-2", much), PL_EARG);
    cr_assert_eq(pl_pmi1_put(client, "card 2", "abc"), PL_EARG);
    cr_assert_eq(pl_pmi1_put(client, "card-2", ""), PL_EARG);
    cr_assert_eq(pl_pmi1_barrier(client), 0);
    cr_assert_eq(pl_pmi1_get(client, "card-3", value, sizeof value), 0);
    cr_assert_str_eq(value, "card");
    cr_assert_eq(pl_pmi1_get(client, "card-9", value, sizeof value), PL_EUNREACHABLE);
    cr_assert_eq(pl_pmi1_get(client, "card-1", value, sizeof value), 0);
    cr_assert_eq(strlen(value), 1023);
    cr_assert_eq(pl_pmi1_get(client, "card-1", little, sizeof little), PL_ETRUNCATE);
    pl_pmi1_close(client);
}

Test(client, launcher_gone, .timeout = 20)
{
    struct pl_pmi1 *client = greeted(NULL);
    cr_assert_eq(pl_pmi1_barrier(client), PL_EPEER);
    cr_assert(strstr(pl_fail_text(), "launcher is gone"), "%s", pl_fail_text());
    cr_assert_eq(pl_pmi1_barrier(client), PL_EPEER, "it stays gone");
    cr_assert_eq(pl_pmi1_abort(client, 3, true), PL_EPEER);
    pl_pmi1_close(client);
    pl_pmi1_close(NULL);
}

Test(client, nonsense_from_the_launcher, .timeout = 20)
{
    static const char *const garbage[] = {"cmd=put_result rc=0\n", "\x01\x02\n", "=\n", "\n", "hello\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        const char *const then[] = {garbage[i], "cmd=barrier_out\n", NULL};
        struct pl_pmi1 *client = greeted(then);
        cr_assert_eq(pl_pmi1_barrier(client), PL_EPROTOCOL, "%zu", i);
        cr_assert_eq(pl_pmi1_barrier(client), PL_EPROTOCOL, "a late answer is not taken for the due one");
        pl_pmi1_close(client);
    }
}

Test(client, endless_line, .timeout = 20)
{
    static char endless[3 * PL_PMI1_LINE_MAX];
    memset(endless, 'x', sizeof endless - 1);
    const char *const then[] = {endless, NULL};
    struct pl_pmi1 *client = greeted(then);
    cr_assert_eq(pl_pmi1_barrier(client), PL_EPROTOCOL);
    pl_pmi1_close(client);
}

Test(client, refused_at_the_door, .timeout = 20)
{
    static const char *const wrong_version[] = {"cmd=response_to_init rc=-1 pmi_version=2\n", NULL};
    static const char *const no_space[] = {"cmd=response_to_init\n", "cmd=maxes vallen_max=banana\n",
                                           "cmd=my_kvsname rc=0\n", NULL};
    struct pl_pmi1 *client = NULL;
    start(wrong_version, NULL);
    cr_assert_eq(pl_pmi1_open(&client), PL_EPEER);
    start(no_space, NULL);
    cr_assert_eq(pl_pmi1_open(&client), PL_EPROTOCOL);
    cr_assert_null(client);
}

Test(client, environment_that_makes_no_sense, .timeout = 20)
{
    struct pl_pmi1 *client = NULL;
    start(NULL, NULL);
    setenv("PMI_RANK", "5", 1);
    cr_assert_eq(pl_pmi1_open(&client), PL_EARG);
    setenv("PMI_RANK", "x", 1);
    cr_assert_eq(pl_pmi1_open(&client), PL_EARG);
    setenv("PMI_RANK", "1", 1);
    setenv("PMI_FD", "7777", 1);
    cr_assert_eq(pl_pmi1_open(&client), PL_EPEER);
    unsetenv("PMI_SIZE");
    cr_assert_eq(pl_pmi1_open(&client), PL_EARG);
    unsetenv("PMI_FD");
    cr_assert_not(pl_pmi1_present());
}

static void nothing(int number)
{
    (void)number;
}

/* The launcher interrupts the client with signals while it makes it wait. */
Test(client, interrupted_waits_go_on, .timeout = 20)
{
    int pair[2];
    char number[16];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, NULL);
    pid_t rank = getpid();
    launcher_fd = pair[1];
    launcher = fork();
    if (!launcher) {
        close(pair[0]);
        for (int i = 0; i < 20; i++) {
            usleep(2000);
            kill(rank, SIGUSR1);
        }
        play(greeting, NULL);
    }
    close(pair[1]);
    snprintf(number, sizeof number, "%d", pair[0]);
    setenv("PMI_FD", number, 1);
    setenv("PMI_RANK", "0", 1);
    setenv("PMI_SIZE", "1", 1);
    struct pl_pmi1 *client;
    cr_assert_eq(pl_pmi1_open(&client), 0, "%s", pl_fail_text());
    pl_pmi1_close(client);
}
