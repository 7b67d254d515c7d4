/* Snapshots and kill -9: saved [TIMES]. A child runs a parameter server in its own process, pushes and saves
 * in a loop, and is killed at a random moment; then the snapshot must be readable by another number of
 * servers, be of one moment (all keys alike), and be the last that was complete or the one that was being
 * made. The next child goes on from it.
 */
#include <mpi.h>
#include <peal.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEYS = 3000, RANGE = 20000, SERVERS_MOST = 4 };

/* In memory that parent and children share. */
struct notes {
    volatile int begun, complete; /* the value that all keys had in the latest save */
    volatile int loaded;          /* the value found, -1: none */
    volatile int saves;
};

struct child {
    struct notes *notes;
    char path[256];
    int forever; /* 0: only load and compare */
};

static float *buffer(float value)
{
    float *values = malloc(RANGE * sizeof *values);
    for (int i = 0; values && i < RANGE; i++)
        values[i] = value;
    return values;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

static int go_on(peal_ps *ps, struct child *c, const uint64_t *keys)
{
    float *ones = buffer(1);
    int failed = 0;
    for (int value = c->notes->loaded; c->forever && !failed; c->notes->saves++) {
        failed =
            peal_ps_push(ps, 0, KEYS, keys, ones, NULL) || peal_ps_push_range(ps, 1, 0, RANGE, ones, NULL);
        c->notes->begun = ++value;
        failed = failed || peal_ps_save(ps, c->path);
        c->notes->complete = value;
    }
    free(ones);
    return failed ? fail("push or save", peal_ps_why(ps)) : 0;
}

static int load(peal_ps *ps, struct child *c)
{
    static uint64_t keys[KEYS];
    float *got = buffer(0), first = 0;
    int wrong = 0;
    for (int i = 0; i < KEYS; i++)
        keys[i] = (uint64_t)i * 1234567;
    if (access(c->path, F_OK) == 0 && peal_ps_load(ps, c->path))
        wrong = fail("load", peal_ps_why(ps));
    if (!wrong && peal_ps_pull(ps, 0, KEYS, keys, got, NULL))
        wrong = fail("pull", peal_ps_why(ps));
    first = got[0];
    for (int i = 0; i < KEYS && !wrong; i++)
        wrong = got[i] != first;
    if (!wrong && peal_ps_pull_range(ps, 1, 0, RANGE, got, NULL))
        wrong = fail("pull", peal_ps_why(ps));
    for (int i = 0; i < RANGE && !wrong; i++)
        wrong = got[i] != first;
    free(got);
    c->notes->loaded = (int)first;
    return wrong ? fail("the snapshot", "is not of one moment") : go_on(ps, c, keys);
}

static int body(void *argument)
{
    const struct peal_ps_table tables[] = {{.width = 1}, {.range = RANGE}};
    int size;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const struct peal_ps_options options = {
        .servers = size - 1, .mode = PEAL_PS_ASYNC, .tables = tables, .table_count = 2};
    peal_ps *ps;
    if (peal_ps_create(MPI_COMM_WORLD, &options, &ps))
        return 1;
    int failed = peal_ps_role(ps) & PEAL_PS_WORKER ? load(ps, argument) : peal_ps_serve(ps) != MPI_SUCCESS;
    return peal_ps_destroy(&ps) != MPI_SUCCESS || failed;
}

static pid_t start(struct child *c, int servers)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    struct peal_world_result result;
    _exit(peal_run(1 + servers, body, c, NULL, &result) != 0);
}

/* One life: at least one save is begun, then it dies some time within the next two. */
static int live_and_die(struct child *c, int servers)
{
    int status = 0, saves = c->notes->saves;
    c->forever = 1;
    pid_t pid = start(c, servers);
    for (int i = 0; i < 60000 && c->notes->saves <= saves && !waitpid(pid, &status, WNOHANG); i++)
        usleep(1000);
    usleep((unsigned)rand() % 12000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return c->notes->saves <= saves || !WIFSIGNALED(status)
               ? fail("the child", "did not save, or ended itself")
               : 0;
}

static int look(struct child *c, int servers)
{
    int status;
    c->forever = 0;
    c->notes->loaded = -1;
    waitpid(start(c, servers), &status, 0);
    if (status)
        return 1;
    if (c->notes->loaded == c->notes->complete || c->notes->loaded == c->notes->begun)
        return 0;
    fprintf(stderr, "saved: %d, being saved: %d, found: %d\n", c->notes->complete, c->notes->begun,
            c->notes->loaded);
    return 1;
}

int main(int argc, char **argv)
{
    int times = argc > 1 ? atoi(argv[1]) : 20, failed = 0, newer = 0;
    const char *folder = getenv("TMPDIR");
    struct child c = {
        .notes = mmap(NULL, sizeof *c.notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    if (c.notes == MAP_FAILED)
        return 1;
    snprintf(c.path, sizeof c.path, "%s/peal-saved-%d", folder ? folder : "/tmp", (int)getpid());
    srand((unsigned)getpid());
    for (int i = 0; i < times && !failed; i++) {
        failed = live_and_die(&c, 1 + i % SERVERS_MOST) || look(&c, 1 + (i + 1) % SERVERS_MOST);
        newer += c.notes->loaded != c.notes->complete;
        c.notes->begun = c.notes->complete = c.notes->loaded;
    }
    unlink(c.path);
    strcat(c.path, ".part");
    unlink(c.path);
    printf("%s: killed %d times in %d saves, %d times after the rename\n", failed ? "WRONG" : "all right",
           times, c.notes->saves, newer);
    return failed;
}
