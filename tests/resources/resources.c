/* One rank of a job that is short of something. resources.sh starts it; the first argument says of what.
 *
 * Whatever is missing, each call ends well with the right data, or with an error: never a crash, a hang or
 * wrong data. An error is printed and ends the job with code 3. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mpi.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGE = 1 << 20, ROUNDS = 20 };

static int rank, size;

static void die(int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING];
    int length;
    MPI_Error_string(code, text, &length);
    fprintf(stderr, "rank %d: %s: %s\n", rank, what, text);
    MPI_Abort(MPI_COMM_WORLD, 3);
}

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        int code_ = (call);                                                                                  \
        if (code_)                                                                                           \
            die(code_, #call);                                                                               \
    } while (0)

static void wrong(const char *what)
{
    fprintf(stderr, "rank %d: WRONG DATA: %s\n", rank, what);
    MPI_Abort(MPI_COMM_WORLD, 4);
}

/* Messages of all lengths around a ring, and an allreduce after each. */
static void exchange(void)
{
    int right = (rank + 1) % size, left = (rank + size - 1) % size;
    unsigned char *out = malloc(LARGE), *in = malloc(LARGE);
    if (!out || !in)
        die(MPI_ERR_NO_MEM, "malloc");
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = round % 4 == 3 ? LARGE : round % 4 == 2 ? 20000 : 8;
        memset(out, rank + round, length);
        TRY(MPI_Sendrecv(out, (int)length, MPI_BYTE, right, round, in, (int)length, MPI_BYTE, left, round,
                         MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        for (size_t i = 0; i < length; i++)
            if (in[i] != (unsigned char)(left + round))
                wrong("a message");
        int sum = 0;
        TRY(MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
        if (sum != size * (size - 1) / 2)
            wrong("a sum");
    }
    free(out);
    free(in);
}

static void on_alarm(int signal)
{
}

/* A signal every 200 us, without SA_RESTART. */
static void storm(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval every = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < 5; i++)
        exchange();
    setitimer(ITIMER_REAL, &never, NULL);
}

/* The kernel refuses to read and write other processes' memory. */
static void refuse_reading(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        fprintf(stderr, "seccomp: %s\n", strerror(errno));
        exit(77);
    }
}

/* Children that end by exit(), by _exit() and by a shell, between messages; and one that outlives them. */
static void have_children(void)
{
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0 && i == 1)
            _exit(5);
        if (child == 0)
            exit(5);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 5) {
            fprintf(stderr, "rank %d: a child ended with status %#x\n", rank, (unsigned)status);
            MPI_Abort(MPI_COMM_WORLD, 4);
        }
        exchange();
    }
    if (system("true"))
        wrong("system()");
    exchange();
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "refused"))
        refuse_reading();
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (!strcmp(what, "refused-later")) {
        exchange();
        refuse_reading();
    }
    if (!strcmp(what, "storm"))
        storm();
    if (!strcmp(what, "children"))
        have_children();
    exchange();
    MPI_Finalize();
    if (rank == 0)
        printf("all right\n");
    return 0;
}
