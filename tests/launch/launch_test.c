/* mpiexec as its users meet it: options, output, exit codes, and what is left
 * when things die. Each test runs the real program. */
#include "run.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(launch, .timeout = 60);

static struct run r;

/* --- the command line --- */

Test(launch, wrong_command_lines)
{
    static const struct {
        const char *arguments, *says;
        int code;
    } cases[] = {
        {"", "no program to run", 2},
        {"-n 2", "no program to run", 2},
        {"-n", "a value is missing", 2},
        {"-n 0 true", "-n 0: the number of ranks", 2},
        {"-n -3 true", "-n -3: the number of ranks", 2},
        {"-np two true", "-np two: the number of ranks", 2},
        {"-n 2x true", "-n 2x: the number", 2},
        {"-n 99999999999999999999 true", "the number of ranks", 2},
        {"-n 65000 true : -n 65000 true", "more than 65536 ranks", 2},
        {"--tag-outputs true", "unknown option --tag-outputs: did you mean --tag-output?", 2},
        {"--transprt tcp true", "did you mean --transport?", 2},
        {"--qqqqqqqqqq true", "unknown option --qqqqqqqqqq (", 2},
        {"--tiemout 3 true", "did you mean --timeout?", 2},
        {"-zz true", "unknown option -zz (", 2},
        {"--app file", "on the command line with ':' between them", 2},
        {"-configfile file", "on the command line with ':' between them", 2},
        {"--bind-to moon true", "'core' or 'none'", 2},
        {"--timeout soon true", "seconds were expected", 2},
        {"--timeout=0 true", "seconds were expected", 2},
        {"-env =x y true", "cannot be the name of a variable", 2},
        {"-genv A=1 true", "-genv A=1: name and value are two words here: -genv A 1 (or -x A=1)", 2},
        {"-l=3 true", "takes no value", 2},
        {"-n 1 true :", "no program to run", 2},
        {"-host a -host '' true", "-host: the value is empty", 2},
        {"-host a:0 true", "'a:0' is not a host", 2},
        {"-n 2 /nowhere/program", "cannot run '/nowhere/program': No such file", 127},
        {"-n 2 no-such-program", "cannot run 'no-such-program': No such file", 127},
        {"-n 2 /etc/passwd", "cannot run '/etc/passwd': Permission denied", 126},
        {"-n 2 /", "cannot run '/': Permission denied", 126},
        {"-wdir /nowhere true", "cannot run 'true' in the directory '/nowhere' (-wdir): No such file", 1},
        {"--bind-to core -n 65000 true", "", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&r, "$MPIEXEC %s", cases[i].arguments);
        cr_expect_eq(r.code, cases[i].code, "%s: code %d", cases[i].arguments, r.code);
        cr_expect(strstr(r.err, cases[i].says), "%s: said '%s'", cases[i].arguments, r.err);
        cr_expect(!strncmp(r.err, "mpiexec: ", 9) && strchr(r.err, '\n') == r.err + strlen(r.err) - 1,
                  "%s: not one line: '%s'", cases[i].arguments, r.err);
        cr_expect_str_eq(r.out, "");
    }
}

/* Lines of scripts written for Hydra, Intel MPI and Open MPI: all are run, and one line says what had no
 * effect. */
Test(launch, command_lines_of_others)
{
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"-bootstrap ssh -launcher ssh -n 2 true", ""},
        {"--allow-run-as-root --oversubscribe -np 2 --bind-to none --map-by core true", ""},
        {"-genvall -envall --bynode -pernode --bind-to-none -wd / -n 1 true", ""},
        {"-bootstrap slurm -n 2 true", "mpiexec: without effect here: -bootstrap slurm\n"},
        {"--mca btl self,tcp --mca pml ob1 -mca btl ^openib -np 2 true",
         "mpiexec: without effect here: --mca btl, --mca pml\n"},
        {"--mca btl_tcp_if_include eth0 --mca plm_rsh_agent 'ssh -x' -np 1 true", ""},
        {"--report-bindings --rank-by core --bind-to socket -np 2 true : -np 1 --display-map true",
         "mpiexec: without effect here: --report-bindings, --rank-by core, --bind-to socket, "
         "--display-map\n"},
        {"-rmk pbs -print-rank-map --map-by ppr:2:socket -n 1 true",
         "mpiexec: without effect here: -rmk pbs, -print-rank-map, --map-by ppr:2:socket\n"},
        {"--prtemca plm_ssh_no_tree_spawn 1 --output tag --display=map -n 1 true",
         "mpiexec: without effect here: --prtemca plm_ssh_no_tree_spawn, --display=map\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&r, "$MPIEXEC %s", cases[i].arguments);
        cr_expect_eq(r.code, 0, "%s: code %d", cases[i].arguments, r.code);
        cr_expect_str_eq(r.err, cases[i].says);
    }
    run(&r, "$MPIEXEC -iface eth3 sh -c 'echo $PEAL_NET' : --mca btl_tcp_if_exclude lo,docker0 true");
    cr_expect_str_eq(r.out, "^lo,^docker0\n");
    run(&r, "$MPIEXEC --mca btl");
    cr_expect(r.code == 2 && strstr(r.err, "--mca: a value is missing behind it"), "%s", r.err);
}

/* Each knob that --help lists is an option, by its long name, and reaches the ranks; there are twelve at
 * most. */
Test(launch, knobs_are_options)
{
    run(&r, "n=0; for knob in $($MPIEXEC --help | sed -n '/knobs/,$s/^  --\\(peal-\\)\\{0,1\\}\\([a-z-]*\\) "
            ".*/\\2/p'); do "
            "name=PEAL_$(echo $knob | tr a-z- A-Z_); n=$((n + 1)); "
            "test \"$($MPIEXEC --peal-$knob 7 sh -c \"echo \\$$name\")\" = 7 || echo $knob; done; "
            "test $n -ge 10 -a $n -le 12 && echo all");
    cr_assert_str_eq(r.out, "all\n", "not handed on: %s%s", r.out, r.err);
}

Test(launch, help_and_version)
{
    run(&r, "$MPIEXEC --help && $MPIEXEC -version | grep -c '[0-9]\\.[0-9]'");
    cr_assert_eq(r.code, 0);
    cr_assert(strstr(r.out, "--tag-output") && strstr(r.out, "--transport") &&
              strstr(r.out, "--peal-timeout"));
    run(&r, "$MPIEXEC --help >/dev/full");
    cr_assert_eq(r.code, 1);
}

Test(launch, environment_and_directory)
{
    run(&r, "$MPIEXEC -n 1 -wdir / -env A 1 -genv B 2 -x C=3 --transport tcp --peal-timeout 7 --log=info "
            "sh -c 'echo $A$B$C $PEAL_TRANSPORT $PEAL_TIMEOUT $PEAL_LOG; pwd' : -n 1 sh -c 'sleep 0.1; echo "
            "[$A]$B'");
    cr_assert_eq(r.code, 0, "%s", r.err);
    cr_assert_eq(lines_that_are(r.out, "123 tcp 7 info"), 1, "%s", r.out);
    cr_assert_eq(lines_that_are(r.out, "/"), 1);
    cr_assert_eq(lines_that_are(r.out, "[]2"), 1);
    run(&r, "PMI_PORT=x PMIX_RANK=1 RANK=9 $MPIEXEC --allow-run-as-root --oversubscribe -n 3 sh -c 'echo "
            "$PMI_RANK/$PMI_SIZE "
            "$RANK/$WORLD_SIZE $LOCAL_RANK/$LOCAL_WORLD_SIZE $MPI_LOCALRANKID/$MPI_LOCALNRANKS "
            "$OMPI_COMM_WORLD_RANK/$OMPI_COMM_WORLD_SIZE [$PMI_PORT$PMIX_RANK]'");
    cr_assert_eq(lines_that_are(r.out, "0/3 0/3 0/3 0/3 0/3 []"), 1, "%s", r.out);
    cr_assert_eq(lines_that_are(r.out, "2/3 2/3 2/3 2/3 2/3 []"), 1);
}

Test(launch, arguments_arrive_unchanged)
{
    run(&r, "$MPIEXEC -n 1 -- printf '<%%s>' 'a b' '' '-n' '*' '$X'");
    cr_assert_str_eq(r.out, "<a b><><-n><*><$X>");
    run(&r, "$MPIEXEC -host localhost,127.0.0.1:4 -n 2 echo here");
    cr_assert_str_eq(r.out, "here\nhere\n");
}

Test(launch, bind_to_core)
{
    run(&r, "$MPIEXEC -n 1 --bind-to core sh -c 'grep Cpus_allowed_list /proc/self/status'");
    cr_assert_eq(r.code, 0, "%s", r.err);
    run(&r, "$MPIEXEC -n 3000 --bind-to core true");
    cr_assert_eq(r.code, 1);
    cr_assert(strstr(r.err, "--oversubscribe"), "%s", r.err);
    run(&r, "$MPIEXEC -n 9 --bind-to core --oversubscribe true");
    cr_assert_eq(r.code, 0);
}

/* --- output --- */

Test(launch, outputs_are_kept_apart_and_tagged)
{
    run(&r, "$MPIEXEC -l -n 3 sh -c 'echo one; echo two; echo bad >&2; printf last'");
    cr_assert_eq(r.code, 0);
    for (int rank = 0; rank < 3; rank++) {
        static const char *const words[] = {"one", "two", "last"};
        char line[32];
        for (int i = 0; i < 2; i++) {
            snprintf(line, sizeof line, "[%d] %s", rank, words[i]);
            cr_assert_eq(lines_that_are(r.out, line), 1, "%s in %s", line, r.out);
        }
        snprintf(line, sizeof line, "[%d] last", rank);
        cr_assert_eq(lines_that_are(r.out, line), 1, "%s in %s", line, r.out);
        snprintf(line, sizeof line, "[%d] bad", rank);
        cr_assert_eq(lines_that_are(r.err, line), 1, "%s in %s", line, r.err);
    }
}

/* Writers that write their lines in pieces, at the same time. */
Test(launch, lines_of_several_ranks_do_not_mix)
{
    run(&r, "$MPIEXEC -n 4 sh -c 'for i in 1 2 3 4 5 6 7 8 9; do printf aaaa; sleep 0.01; printf bbbb; "
            "printf \"cccc\\n\"; done'");
    cr_assert_eq(lines_that_are(r.out, "aaaabbbbcccc"), 36, "%s", r.out);
    cr_assert_eq(strlen(r.out), 36 * 13);
}

Test(launch, much_output_is_whole)
{
    run(&r, "$MPIEXEC -n 1 seq 1 200000 | md5sum; seq 1 200000 | md5sum");
    cr_assert_eq(strncmp(r.out, r.out + strlen(r.out) / 2, 32), 0, "%s", r.out);
    run(&r,
        "$MPIEXEC -l -n 3 seq 1 50000 | (sleep 0.3; sort | uniq -c | awk '{n++; s+=$1} END {print n, s}')");
    cr_assert_str_eq(r.out, "150000 150000\n");
}

Test(launch, very_long_lines_pass_in_parts)
{
    run(&r, "$MPIEXEC -l -n 1 sh -c 'head -c 3000000 /dev/zero | tr \"\\0\" x; echo' | wc -lc");
    int lines = 0, bytes = 0;
    cr_assert_eq(sscanf(r.out, "%d %d", &lines, &bytes), 2);
    cr_assert_eq(lines, 1);
    cr_assert_eq(bytes, 3000005, "%d", bytes);
    run(&r, "$MPIEXEC -l -n 3 sh -c 'head -c 300000 /dev/zero | tr \"\\0\" $PMI_RANK; echo' | tr -s 012 | "
            "grep -v '^\\[\\([0-2]\\)\\] \\1\\{0,1\\}$' | head");
    cr_assert_str_eq(r.out, "", "parts of two ranks in one line: %s", r.out);
}

Test(launch, a_single_rank_prompts_at_once)
{
    int pair[2], status;
    char seen[7] = "";
    cr_assert_eq(pipe(pair), 0);
    pid_t pid = fork();
    if (!pid) {
        dup2(pair[1], 1);
        execl("/bin/sh", "sh", "-c", "exec $MPIEXEC -n 1 sh -c 'printf prompt; exec sleep 3010'", NULL);
        _exit(127);
    }
    close(pair[1]);
    for (ssize_t got = 0, n = 1; got < 6 && n > 0; got += n)
        n = read(pair[0], seen + got, (size_t)(6 - got));
    cr_assert_str_eq(seen, "prompt", "it may not be held back until the end of the line");
    kill(pid, SIGTERM);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 143, "not ended before the prompt was seen");
}

Test(launch, output_that_cannot_be_written)
{
    run(&r, "$MPIEXEC -n 2 yes >/dev/full");
    cr_assert_eq(r.code, 1);
    cr_assert_str_eq(r.err,
                     "mpiexec: cannot write to standard output: No space left on device; ending the job\n");
    run(&r, "$MPIEXEC -n 2 echo x >&-");
    cr_assert_eq(r.code, 1);
    cr_assert_str_eq(r.err,
                     "mpiexec: cannot write to standard output: Bad file descriptor; ending the job\n");
    run(&r, "($MPIEXEC -n 2 yes; echo $? >&2) | head -n 1");
    cr_assert_str_eq(r.out, "y\n");
    cr_assert_str_eq(r.err, "mpiexec: cannot write to standard output: Broken pipe; ending the job\n1\n");
    run(&r, "$MPIEXEC -n 2 true >&- 2>&- <&-");
    cr_assert_eq(r.code, 0);
}

/* --- input --- */

Test(launch, input_goes_to_rank_0)
{
    run(&r, "seq 1 1000 | $MPIEXEC -n 3 cat | md5sum; seq 1 1000 | md5sum");
    cr_assert_eq(strncmp(r.out, r.out + strlen(r.out) / 2, 32), 0, "%s", r.out);
    run(&r, "printf 'a\\nb\\n' | (while read x; do $MPIEXEC -n 2 true; echo $x; done)");
    cr_assert_str_eq(r.out, "a\nb\n", "no more is read than rank 0 wants");
    run(&r, "yes | $MPIEXEC -n 2 head -n 1");
    cr_assert_str_eq(r.out, "y\n");
}

/* A terminal: a question of rank 0's is seen, what is typed arrives, and so does the end of input. */
Test(launch, input_from_a_terminal)
{
    int master, status, seen = 0;
    char text[4096] = "";
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    if (!pid) {
        execl("/bin/sh", "sh", "-c",
              "stty -echo; exec $MPIEXEC -n 2 sh -c '[ $PMI_RANK = 1 ] && exit; printf question?; exec cat'",
              NULL);
        _exit(127);
    }
    ssize_t n = 1;
    for (; n > 0 && !strstr(text, "question?"); seen += (int)n)
        n = read(master, text + seen, (size_t)(4000 - seen));
    cr_assert_gt(n, 0);
    cr_assert_eq(write(master, "typed\n\004", 7), 7);
    while (seen < 4000 && (n = read(master, text + seen, (size_t)(4000 - seen))) > 0)
        seen += (int)n;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
    cr_assert(strstr(text, "typed"), "%s", text);
    close(master);
}

/* --- how it ends --- */

Test(launch, exit_codes)
{
    static const struct {
        const char *command;
        int code;
    } cases[] = {
        {"$MPIEXEC -n 4 true", 0},
        {"$MPIEXEC -n 4 sh -c '[ $PMI_RANK != 2 ] || exit 42; sleep 20'", 42},
        {"$MPIEXEC -n 4 sh -c '[ $PMI_RANK != 2 ] || kill -9 $$; sleep 20'", 137},
        {"$MPIEXEC -n 4 sh -c '[ $PMI_RANK != 2 ] || kill -SEGV $$; sleep 20'", 139},
        {"$MPIEXEC --timeout 0.2 -n 2 sleep 20", 124},
        {"MPIEXEC_TIMEOUT=0.2 $MPIEXEC -n 2 sleep 20", 124},
        {"MPIEXEC_TIMEOUT=0.01 $MPIEXEC --timeout 20 -n 2 sleep 0.1", 0},
        {"MPIEXEC_TIMEOUT=soon $MPIEXEC -n 2 true", 2},
        {"$MPIEXEC -n 3 $PROGRAM abort 17", 17},
        {"$MPIEXEC -n 3 $PROGRAM abort 0", 1},
        {"$MPIEXEC -n 3 $PROGRAM abort -1", 255},
        {"$MPIEXEC -n 3 $PROGRAM leave", 1},
        {"$MPIEXEC -n 3 $PROGRAM die", 137},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&r, "%s", cases[i].command);
        cr_expect_eq(r.code, cases[i].code, "%s: %d, %s", cases[i].command, r.code, r.err);
        cr_expect_lt(r.seconds, 15, "%s", cases[i].command);
    }
}

Test(launch, a_death_is_told_with_name_and_cause)
{
    char line[64];
    run(&r, "$MPIEXEC -n 4 $PROGRAM die");
    cr_assert_eq(sscanf(r.err, "mpiexec: rank 1 (pid %*d) on %*s was killed by %60[^\n]", line), 1, "%s",
                 r.err);
    cr_assert_str_eq(line, "signal 9 (Killed); ending the job");
    cr_assert(strstr(r.err, "\nmpiexec: how the ranks ended:\n"), "%s", r.err);
    cr_assert(strstr(r.err, "\nmpiexec:   0, 2-3: ended by mpiexec\n"), "%s", r.err);
    run(&r, "$MPIEXEC -n 4 $PROGRAM leave");
    cr_assert(strstr(r.err, "rank 1 (pid ") && strstr(r.err, "exited without MPI_Finalize"), "%s", r.err);
    run(&r, "$MPIEXEC -n 4 $PROGRAM abort 5");
    cr_assert(strstr(r.err, "rank 1 (pid ") && strstr(r.err, "called MPI_Abort with code 5"), "%s", r.err);
}

/* Ranks that will not go by SIGTERM go by SIGKILL. */
Test(launch, stubborn_ranks_are_killed)
{
    run(&r, "$MPIEXEC -n 3 sh -c '[ $PMI_RANK != 1 ] || exit 3; trap \"\" TERM; sleep 3001 & sleep 3001; "
            "sleep 3001'");
    cr_assert_eq(r.code, 3);
    cr_assert_lt(r.seconds, 15);
    cr_assert_eq(processes_with("3001"), 0);
}

Test(launch, nothing_is_left_behind_by_a_job_that_ends_well)
{
    run(&r, "$MPIEXEC -n 2 sh -c 'setsid sleep 3002 & sleep 3002 & exit 0'");
    cr_assert_eq(r.code, 0);
    cr_assert_eq(processes_with("3002"), 0);
}

Test(launch, what_a_rank_left_behind_may_finish_its_output)
{
    run(&r, "$MPIEXEC -n 2 sh -c '(sleep 0.1; echo late) & exit 0'");
    cr_assert_eq(lines_that_are(r.out, "late"), 2);
}

/* Starts mpiexec with a command of its own, and waits until `ranks` processes have `word`. */
static pid_t start(const char *options, const char *word, int ranks)
{
    char command[512];
    snprintf(command, sizeof command, "exec $MPIEXEC %s 2>/dev/null", options);
    pid_t pid = fork();
    if (!pid) {
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    for (int i = 0; i < 2000 && processes_with(word) < ranks; i++)
        usleep(5000);
    cr_assert_geq(processes_with(word), ranks);
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Test(launch, kill_9_of_mpiexec_kills_the_ranks)
{
    pid_t pid = start("-n 5 sleep 3003", "3003", 5 + 1); /* and mpiexec has the word too */
    kill(pid, SIGKILL);
    cr_assert_eq(end_of(pid), 137);
    for (int i = 0; i < 1000 && processes_with("3003"); i++)
        usleep(5000);
    cr_assert_eq(processes_with("3003"), 0);
}

/* The death signal reaches the shells alone. */
Test(launch, kill_9_of_mpiexec_kills_what_a_rank_started)
{
    pid_t pid = start("-n 2 sh -c 'sleep 3013; echo 3013x'", "3013", 2);
    kill(pid, SIGKILL);
    cr_assert_eq(end_of(pid), 137);
    for (int i = 0; i < 1000 && processes_with("3013"); i++)
        usleep(5000);
    cr_assert_eq(processes_with("3013"), 0);
}

Test(launch, who_ignores_a_signal_is_killed)
{
    setenv("PEAL_TIMEOUT", "0.1", 1);
    pid_t pid = start("-n 2 sh -c 'trap \"\" TERM; sleep 3014 & echo 3014x; wait; wait' 3014x", "3014", 2);
    kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 143);
    cr_assert_eq(processes_with("3014"), 0);
}

Test(launch, sigterm_and_sigint_are_passed_on)
{
    pid_t pid = start("-n 3 sleep 3004", "3004", 4);
    kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 143);
    pid = start("-n 3 sleep 3005", "3005", 4);
    kill(pid, SIGINT);
    cr_assert_eq(end_of(pid), 130);
    cr_assert_eq(processes_with("3004") + processes_with("3005"), 0);
}

Test(launch, ranks_may_end_well_after_a_signal)
{
    pid_t pid =
        start("-n 2 sh -c 'trap \"sleep 0.2; exit 0\" TERM; sleep 3006 & echo 3006x; wait' 3006x", "3006", 2);
    kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 0);
    cr_assert_eq(processes_with("3006"), 0);
}

Test(launch, a_second_signal_kills)
{
    pid_t pid = start("-n 2 sh -c 'trap \"\" INT; trap \"exec sleep 3007\" USR1; sleep 3012 & wait' 3012x",
                      "3012", 2);
    kill(pid, SIGINT);
    kill(pid, SIGUSR1); /* served after the first: two of one kind that wait together would be one */
    for (int i = 0; i < 2000 && processes_with("3007") < 2; i++)
        usleep(5000);
    kill(pid, SIGINT);
    cr_assert_eq(end_of(pid), 130);
    cr_assert_eq(processes_with("3007") + processes_with("3012"), 0);
}

/* How many of the processes with `word` are stopped. */
static int stopped(const char *word)
{
    run(&r,
        "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline | grep -q ' %s ' && grep '^State:.T' $p/status; "
        "done 2>/dev/null | wc -l",
        word);
    return atoi(r.out);
}

Test(launch, stop_and_continue)
{
    char options[64], word[32]; /* of this run alone: what another one left stopped must not be counted */
    snprintf(word, sizeof word, "3009.%d", (int)getpid());
    snprintf(options, sizeof options, "-n 3 sleep %s", word);
    pid_t pid = start(options, word, 4);
    kill(pid, SIGTSTP);
    for (int i = 0; i < 200 && stopped(word) < 4; i++)
        usleep(20000);
    int while_stopped = stopped(word);
    kill(pid, SIGCONT);
    for (int i = 0; i < 200 && stopped(word); i++)
        usleep(20000);
    int while_going = stopped(word);
    kill(pid, SIGCONT); /* whatever was wrong, nothing stays stopped; not once mpiexec may be ending, where a
                           leak check stops its threads and would wait for ever for a stop that this undid */
    kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 143);
    cr_assert_eq(while_stopped, 4);
    cr_assert_eq(while_going, 0);
}

/* Nobody reads the output: the first signal ends the ranks, the second mpiexec. */
Test(launch, output_that_nobody_reads)
{
    int pair[2];
    cr_assert_eq(pipe(pair), 0);
    pid_t pid = fork();
    if (!pid) {
        dup2(pair[1], 1);
        execl("/bin/sh", "sh", "-c", "exec $MPIEXEC -n 2 yes 3011 2>/dev/null", NULL);
        _exit(127);
    }
    close(pair[1]);
    for (int i = 0; i < 2000 && processes_with("3011") < 3; i++)
        usleep(5000);
    usleep(100000);
    kill(pid, SIGTERM);
    for (int i = 0; i < 2000 && processes_with("3011") > 1; i++)
        usleep(5000);
    cr_assert_eq(processes_with("3011"), 1, "the ranks have ended, mpiexec holds output");
    kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 143);
    close(pair[0]);
}

/* --- PMI --- */

Test(launch, many_ranks_exchange_cards)
{
    static const int sizes[] = {1, 2, 3, 5, 8, 16, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        run(&r, "$MPIEXEC -n %d $PROGRAM exchange", sizes[i]);
        cr_assert_eq(r.code, 0, "%d ranks: %s", sizes[i], r.err);
        char line[64];
        for (int rank = 0; rank < sizes[i]; rank++) {
            snprintf(line, sizeof line, "rank %d of %d fine", rank, sizes[i]);
            cr_assert_eq(lines_that_are(r.out, line), 1, "%s", line);
        }
    }
}

Test(launch, garbage_on_the_pmi_connection_is_an_error)
{
    static const struct {
        const char *garbage, *says;
    } cases[] = {
        {"hello\n", "'hello' is no PMI-1 request"},
        {"cmd=fly to=moon\n", "'cmd=fly' is no PMI-1 request"},
        {"\n", "not a PMI-1 line (nothing in it)"},
        {"\001\002\003\n", "not a PMI-1 line (bytes that are not text): '"},
        {"=\n", "not a PMI-1 line (a value without a name)"},
        {"cmd=barrier_in\ncmd=barrier_in\n", "it entered the PMI barrier twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&r, "$MPIEXEC -n 3 $PROGRAM garbage '%s'", cases[i].garbage);
        cr_expect_eq(r.code, 1, "%zu: %d", i, r.code);
        cr_expect(strstr(r.err, "rank 1 (pid ") && strstr(r.err, cases[i].says), "%zu: %s", i, r.err);
    }
    run(&r, "$MPIEXEC -n 2 bash -c '[ $PMI_RANK = 1 ] || sleep 20; head -c 9999 /dev/urandom >&$PMI_FD; "
            "sleep 20'");
    cr_expect_eq(r.code, 1);
    cr_expect(strstr(r.err, "rank 1 (pid ") && strstr(r.err, "PMI connection"), "%s", r.err);
    cr_expect_lt(r.seconds, 15);
}

Test(launch, requests_that_are_not_served_are_refused)
{
    run(&r, "$MPIEXEC -n 1 bash -c 'for line in \"cmd=init pmi_version=2 pmi_subversion=0\" \"cmd=getbyidx "
            "idx=0\" "
            "\"cmd=create_kvs\" \"cmd=get kvsname=other key=a\" \"cmd=put kvsname=other "
            "key=a value=b\"; "
            "do echo $line >&$PMI_FD; read -u $PMI_FD answer; echo $answer; done; "
            "printf \"mcmd=spawn\\nnprocs=1\\nendcmd\\n\" >&$PMI_FD; read -u $PMI_FD answer; echo $answer'");
    cr_assert_eq(r.code, 0, "%s", r.err);
    int refusals = 0;
    for (const char *at = r.out; (at = strstr(at, "rc=-1")); at++)
        refusals++;
    cr_assert_eq(refusals, 6, "%s", r.out);
}

Test(launch, a_program_that_is_not_mpi_among_some_that_are)
{
    run(&r, "$MPIEXEC -n 2 $PROGRAM exchange : -n 1 true");
    cr_assert_eq(r.code, 1);
    cr_assert(strstr(r.err, "waits in the start-up barrier, but rank 2 has ended"), "%s", r.err);
}

Test(launch, the_client_under_another_launcher)
{
    run(&r, "command -v mpiexec.hydra");
    if (r.code)
        cr_skip_test("mpiexec.hydra is not installed");
    for (int ranks = 1; ranks <= 8; ranks++) {
        run(&r, "mpiexec.hydra -n %d $PROGRAM exchange | sort | uniq | wc -l", ranks);
        cr_assert_eq(atoi(r.out), ranks, "%d ranks: %s %s", ranks, r.out, r.err);
    }
}

/* Another MPI's program finds its world through our PMI-1. */
Test(launch, a_program_of_mpich)
{
    run(&r, "command -v mpicc.mpich");
    if (r.code)
        cr_skip_test("mpicc.mpich is not installed");
    run(&r, "d=$(mktemp -d) && trap 'rm -rf $d' EXIT && printf '#include <mpi.h>\n#include <stdio.h>\nint "
            "main(void) { int r, s; "
            "MPI_Init(0, 0); MPI_Comm_rank(MPI_COMM_WORLD, &r); MPI_Allreduce(&r, &s, 1, MPI_INT, MPI_SUM, "
            "MPI_COMM_WORLD); if (s == 10) puts(\"ten\"); MPI_Finalize(); return 0; }' >$d/a.c && "
            "mpicc.mpich -o $d/a $d/a.c && $MPIEXEC -n 5 $d/a");
    cr_assert_eq(r.code, 0, "%s", r.err);
    cr_assert_eq(lines_that_are(r.out, "ten"), 5, "%s %s", r.out, r.err);
}

Test(launch, more_ranks_than_processes)
{
    if (geteuid())
        cr_skip_test("only root can become a user who may start few processes");
    run(&r, "setpriv --reuid 61234 --clear-groups prlimit --nproc=12 $MPIEXEC -n 64 sleep 3008");
    cr_assert_eq(r.code, 1, "%d %s", r.code, r.err);
    cr_assert(strstr(r.err, "of 64 ranks could be started: fork: Resource temporarily unavailable"), "%s",
              r.err);
    cr_assert_eq(processes_with("3008"), 0);
    run(&r, "ulimit -n 100; $MPIEXEC -n 64 true");
    cr_assert_eq(r.code, 1);
    cr_assert(strstr(r.err, "64 ranks need 208 open files in mpiexec, and the limit is 100"), "%s", r.err);
}

Test(launch, knobs_in_the_manual)
{
    run(&r, "for knob in $($MPIEXEC --help | sed -n '/knobs/,$s/^  --\\(peal-\\)\\{0,1\\}\\([a-z-]*\\) "
            ".*/PEAL_\\2/p' | "
            "tr a-z- A-Z_); do grep -q \"$knob\" $MANUAL || echo $knob; done; $MPIEXEC --help | grep -c -- "
            "--transport");
    cr_assert_str_eq(r.out, "1\n", "not in peal.7: %s", r.out);
}
