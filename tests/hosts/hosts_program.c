/* A rank for the tests of launchers and networks.
 *
 *   check               every pair exchanges messages small and large, and sums are right
 *   wait                says so, and waits until it is ended
 *   survive             sums until a rank is lost; then says when and what, and sums among those left
 *   die RANK SIGNAL     that rank dies so, the others wait for it
 *   lines N             N lines of 1,000 letters
 *   copy                rank 0 copies its standard input to its standard output
 *   large MIB N         rank 0 sends the last rank N messages of so many MiB, and a small one behind each,
 *                       and gets a sum of each back; how long it took
 *   answer [HOW [MS]]   the last rank sends first to rank 0, which receives (recv), or looks every MS (200)
 *                       milliseconds: by MPI_Test (test), MPI_Iprobe (iprobe); or by MPI_Probe (probe)
 *   names NAME...       the values of these variables
 */
#include <mpi-ext.h>
#include <mpi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 200000 };

static int rank, size;

/* Everybody with everybody, a word and a large message: what cannot connect is found here. */
static int pairs(void)
{
    int *out = calloc(LARGE, sizeof *out), *in = calloc(LARGE, sizeof *in), wrong = 0;
    for (int step = 1; step < size; step++) {
        int to = (rank + step) % size, from = (rank + size - step) % size;
        for (int count = 1; count <= LARGE; count += LARGE - 1) {
            for (int i = 0; i < count; i++)
                out[i] = rank + i;
            MPI_Sendrecv(out, count, MPI_INT, to, step, in, count, MPI_INT, from, step, MPI_COMM_WORLD,
                         MPI_STATUS_IGNORE);
            for (int i = 0; i < count; i++)
                wrong += in[i] != from + i;
        }
    }
    free(out);
    free(in);
    return wrong;
}

static int sums(void)
{
    int wrong = 0;
    for (int count = 1; count <= LARGE; count = count * 20 + 1) {
        double *values = malloc(sizeof *values * (size_t)count);
        for (int i = 0; i < count; i++)
            values[i] = rank + i;
        MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
        for (int i = 0; i < count; i++)
            wrong += values[i] != size * (size - 1) / 2.0 + (double)size * i;
        free(values);
    }
    return wrong;
}

static int run_check(void)
{
    char host[MPI_MAX_PROCESSOR_NAME];
    int length, wrong = pairs() + sums(), all;
    MPI_Comm here;
    int local;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &local);
    MPI_Comm_free(&here);
    MPI_Get_processor_name(host, &length);
    MPI_Allreduce(&wrong, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("rank %d of %d on %s with %d: %s\n", rank, size, host, local, all ? "WRONG" : "right");
    return all != 0;
}

static void wait_for_ever(void)
{
    printf("rank %d waits\n", rank);
    fflush(stdout);
    for (;;)
        pause();
}

/* The call in which the loss is seen ends on every survivor with MPIX_ERR_PROC_FAILED. */
static int survive(void)
{
    char text[MPI_MAX_ERROR_STRING];
    int one = 1, sum = 0, code, class, length;
    double last;
    MPI_Comm left;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Barrier(MPI_COMM_WORLD);
    printf("rank %d waits\n", rank);
    fflush(stdout);
    do {
        usleep(10000);
        last = MPI_Wtime();
        code = MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    } while (!code);
    last = MPI_Wtime() - last;
    MPI_Error_class(code, &class);
    MPI_Error_string(code, text, &length);
    printf("rank %d: class %s after %.1f s: %s\n", rank,
           class == MPIX_ERR_PROC_FAILED ? "PROC_FAILED" : "WRONG", last, text);
    code = MPIX_Comm_shrink(MPI_COMM_WORLD, &left);
    if (!code)
        code = MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, left);
    printf("rank %d goes on as one of %d: %d\n", rank, sum, code);
    fflush(stdout);
    return code != 0;
}

static void die(int who, int number)
{
    int word;
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == who)
        raise(number);
    MPI_Recv(&word, 1, MPI_INT, who, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void copy(void)
{
    char bytes[4096];
    size_t n;
    while (!rank && (n = fread(bytes, 1, sizeof bytes, stdin)) > 0)
        fwrite(bytes, 1, n, stdout);
}

static unsigned sum_of(const unsigned *words, int count)
{
    unsigned sum = 0;
    for (int i = 0; i < count; i++)
        sum = sum * 31 + words[i];
    return sum;
}

static int large(int mib, int n)
{
    int count = mib << 18, last = size - 1, wrong = 0;
    unsigned *words = malloc((size_t)count * sizeof *words), small, sum;
    for (int i = 0; i < count; i++)
        words[i] = rank ? 0 : (unsigned)i * 2654435761u;
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < n && (!rank || rank == last); i++) {
        if (!rank) {
            words[i] ^= (unsigned)i + 1;
            MPI_Send(words, count, MPI_UNSIGNED, last, 1, MPI_COMM_WORLD);
            MPI_Send(&i, 1, MPI_INT, last, 1, MPI_COMM_WORLD);
            MPI_Recv(&sum, 1, MPI_UNSIGNED, last, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            wrong += sum != sum_of(words, count);
        } else {
            MPI_Recv(words, count, MPI_UNSIGNED, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Recv(&small, 1, MPI_UNSIGNED, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            wrong += small != (unsigned)i;
            sum = sum_of(words, count);
            MPI_Send(&sum, 1, MPI_UNSIGNED, 0, 2, MPI_COMM_WORLD);
        }
    }
    free(words);
    if (!rank)
        printf("%d messages of %d MiB in %.3f s: %s\n", n, mib, MPI_Wtime() - start,
               wrong ? "WRONG" : "right");
    return wrong != 0;
}

static void receive(const char *how, unsigned look_us, int *word, int source)
{
    MPI_Request request = MPI_REQUEST_NULL;
    int flag = 0;
    if (!strcmp(how, "test"))
        MPI_Irecv(word, 1, MPI_INT, source, 0, MPI_COMM_WORLD, &request);
    while (!strcmp(how, "test") && !flag) {
        usleep(look_us);
        MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
    }
    while (!strcmp(how, "iprobe") && !flag) {
        usleep(look_us);
        MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
    }
    if (!strcmp(how, "probe"))
        MPI_Probe(source, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (strcmp(how, "test") != 0)
        MPI_Recv(word, 1, MPI_INT, source, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* The last rank sends before it gets anything: only the other one may be able to dial. */
static void answer(const char *how, int look_ms)
{
    int word = rank, last = size - 1;
    if (rank == last)
        MPI_Send(&word, 1, MPI_INT, 0, 0, MPI_COMM_WORLD);
    if (!rank)
        receive(how, (unsigned)look_ms * 1000, &word, last);
    if (!rank)
        printf("rank 0 got %d\n", word);
}

static void lines(int count)
{
    char line[1001];
    memset(line, 'a' + rank % 26, 1000);
    line[1000] = 0;
    for (int i = 0; i < count; i++)
        puts(line);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "check";
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int code = 0;
    if (!strcmp(what, "wait"))
        wait_for_ever();
    else if (!strcmp(what, "die"))
        die(atoi(argv[2]), atoi(argv[3]));
    else if (!strcmp(what, "large"))
        code = large(atoi(argv[2]), atoi(argv[3]));
    else if (!strcmp(what, "answer"))
        answer(argc > 2 ? argv[2] : "recv", argc > 3 ? atoi(argv[3]) : 200);
    else if (!strcmp(what, "survive"))
        code = survive();
    else if (!strcmp(what, "lines"))
        lines(atoi(argv[2]));
    else if (!strcmp(what, "copy"))
        copy();
    else if (!strcmp(what, "names"))
        for (int i = 2; i < argc; i++)
            printf("rank %d: %s=%s\n", rank, argv[i], getenv(argv[i]) ? getenv(argv[i]) : "(unset)");
    else
        code = run_check();
    MPI_Finalize();
    return code;
}
