/* A program that spawns itself, connects with itself, or uses sessions alone: what needs several worlds, or a
 * process's whole life. spawn MODE; prints `all right` on rank 0 of the first world. spawn.sh runs it. */
#include <mpi.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "spawn.c:%d: %s\n", __LINE__, #condition);                                       \
            exit(9);                                                                                         \
        }                                                                                                    \
    } while (0)

static int rank_in(MPI_Comm comm)
{
    int rank = -1;
    MPI_Comm_rank(comm, &rank);
    return rank;
}

static int size_of(MPI_Comm comm)
{
    int size = -1;
    MPI_Comm_size(comm, &size);
    return size;
}

/* Large and small messages across, a merged communicator with collectives, and both again apart. */
static void use(MPI_Comm inter, int high, int expected)
{
    int remote = -1, sum = -1;
    CHECK(!MPI_Comm_remote_size(inter, &remote) && remote == expected);
    int me = rank_in(inter);
    enum { MANY = 300000 };
    int *out = calloc(MANY, sizeof *out), *in = calloc(MANY, sizeof *in);
    for (int i = 0; i < MANY; i++)
        out[i] = i ^ me;
    if (me < remote && me < size_of(inter)) {
        int other = me;
        MPI_Sendrecv(out, MANY, MPI_INT, other, 4, in, MANY, MPI_INT, other, 4, inter, MPI_STATUS_IGNORE);
        for (int i = 0; i < MANY; i++)
            CHECK(in[i] == (i ^ other));
    }
    MPI_Comm all, copy;
    MPI_Intercomm_merge(inter, high, &all);
    CHECK(size_of(all) == size_of(inter) + remote);
    CHECK(rank_in(all) == me + (high ? remote : 0));
    int one = 1;
    for (int k = 0; k < 5; k++) {
        MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, all);
        CHECK(sum == size_of(all));
        MPI_Bcast(out, MANY, MPI_INT, size_of(all) - 1, all);
    }
    MPI_Comm_dup(all, &copy);
    MPI_Group group, world;
    int result = -1;
    MPI_Comm_group(copy, &group);
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_intersection(group, world, &group);
    MPI_Group_compare(group, world, &result);
    CHECK(result == MPI_IDENT || size_of(MPI_COMM_WORLD) > size_of(inter));
    MPI_Comm_free(&copy);
    MPI_Comm_free(&all);
    free(out);
    free(in);
}

static void parent(const char *self, const char *mode)
{
    MPI_Comm children;
    int codes[5] = {-1, -1, -1, -1, -1};
    if (!strcmp(mode, "nobody")) {
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        CHECK(MPI_Comm_spawn("/no/such/program", MPI_ARGV_NULL, 2, MPI_INFO_NULL, 0, MPI_COMM_WORLD,
                             &children, codes) == MPI_ERR_SPAWN);
        CHECK(codes[0] == MPI_ERR_SPAWN && codes[1] == MPI_ERR_SPAWN);
        return;
    }
    if (!strcmp(mode, "several")) {
        char *commands[] = {(char *)(size_t)self, (char *)(size_t)self};
        char *first[] = {(char[]){"child"}, (char[]){"an argument"}, NULL},
             *second[] = {(char[]){"child"}, (char[]){""}, NULL};
        char **arguments[] = {first, second};
        MPI_Comm_spawn_multiple(2, commands, arguments, (int[]){2, 1},
                                (MPI_Info[]){MPI_INFO_NULL, MPI_INFO_NULL}, size_of(MPI_COMM_WORLD) - 1,
                                MPI_COMM_WORLD, &children, codes);
        CHECK(!codes[0] && !codes[2]); /* on every rank */
        use(children, 0, 3);
        MPI_Comm_disconnect(&children);
        return;
    }
    for (int round = 0; round < 3; round++) {
        char *arguments[] = {(char[]){"child"}, (char[]){"an argument"}, NULL};
        MPI_Comm_spawn(self, arguments, 2, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children, codes);
        CHECK(!codes[0] && !codes[1]);
        use(children, 0, 2);
        MPI_Comm_disconnect(&children);
    }
}

static void child(int argc, char **argv)
{
    MPI_Comm up;
    int remote;
    MPI_Comm_get_parent(&up);
    CHECK(up != MPI_COMM_NULL);
    CHECK(argc == 3 && (!strcmp(argv[2], "an argument") || !argv[2][0]));
    MPI_Comm_remote_size(up, &remote);
    use(up, 1, remote);
    MPI_Comm_disconnect(&up);
    MPI_Comm_get_parent(&up);
    CHECK(up == MPI_COMM_NULL);
}

/* Two jobs that know only a file: one writes the port's name into it, the other reads it. */
static void meet(const char *path, int serves)
{
    char port[MPI_MAX_PORT_NAME] = "", temporary[4096];
    MPI_Comm inter;
    int root = rank_in(MPI_COMM_WORLD) == 0;
    for (int round = 0; round < 2; round++) {
        snprintf(temporary, sizeof temporary, "%s.%d", path, round);
        if (serves && root) {
            char partial[4200];
            snprintf(partial, sizeof partial, "%s.part", temporary);
            MPI_Open_port(MPI_INFO_NULL, port);
            FILE *file = fopen(partial, "w");
            CHECK(file && fputs(port, file) >= 0 && !fclose(file) && !rename(partial, temporary));
        } else if (root) {
            FILE *file;
            while (!(file = fopen(temporary, "r")))
                usleep(10000);
            CHECK(fgets(port, sizeof port, file) && !fclose(file));
        }
        if (serves)
            MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &inter);
        else
            MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &inter);
        int remote;
        MPI_Comm_remote_size(inter, &remote);
        use(inter, !serves, remote);
        MPI_Comm_disconnect(&inter);
        if (serves && root)
            MPI_Close_port(port);
    }
}

/* Rank 0 and rank 1 join over a socket that they have beside MPI. */
static void join(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), me = rank_in(MPI_COMM_WORLD);
    MPI_Comm inter;
    if (me == 0) {
        int one;
        CHECK(!bind(fd, (struct sockaddr *)&address, sizeof address) && !listen(fd, 1));
        MPI_Barrier(MPI_COMM_WORLD);
        one = accept(fd, NULL, NULL);
        CHECK(one >= 0 && !MPI_Comm_join(one, &inter));
    } else {
        MPI_Barrier(MPI_COMM_WORLD);
        if (me > 1)
            return;
        CHECK(!connect(fd, (struct sockaddr *)&address, sizeof address) && !MPI_Comm_join(fd, &inter));
    }
    int got = -1;
    MPI_Sendrecv(&me, 1, MPI_INT, 0, 0, &got, 1, MPI_INT, 0, 0, inter, MPI_STATUS_IGNORE);
    CHECK(got == 1 - me);
    MPI_Comm_disconnect(&inter);
}

/* Sessions without MPI_Init, one after the other, and after MPI_Finalize; infos before and after. */
static int sessions(void)
{
    int sum = -1, flag = -1, rank = -1;
    MPI_Info info;
    CHECK(!MPI_Info_create(&info) && !MPI_Info_set(info, "mpi_thread_support_level", "MPI_THREAD_MULTIPLE"));
    for (int round = 0; round < 4; round++) {
        MPI_Session session;
        MPI_Group group;
        MPI_Comm comm;
        CHECK(!MPI_Session_init(info, MPI_ERRORS_RETURN, &session));
        CHECK(!MPI_Initialized(&flag) && flag == (round == 3));
        CHECK(!MPI_Group_from_session_pset(session, "mpi://WORLD", &group));
        CHECK(!MPI_Comm_create_from_group(group, "test", MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm));
        CHECK(!MPI_Group_free(&group));
        CHECK(!MPI_Allreduce(&(int){1}, &sum, 1, MPI_INT, MPI_SUM, comm) && sum == size_of(comm));
        rank = rank_in(comm);
        CHECK(!MPI_Comm_free(&comm) && !MPI_Session_finalize(&session));
        if (round == 2) {
            CHECK(!MPI_Init(NULL, NULL) && !MPI_Barrier(MPI_COMM_WORLD) && !MPI_Finalize());
            CHECK(!MPI_Finalized(&flag) && flag);
        }
    }
    char value[64] = "";
    int length = sizeof value;
    CHECK(!MPI_Info_get_string(info, "mpi_thread_support_level", &length, value, &flag) && flag);
    CHECK(!MPI_Info_free(&info));
    return rank;
}

/* Spawned by a thread: says so, is answered, goes. */
static void brief(void)
{
    int number = -1;
    MPI_Comm parent;
    CHECK(!MPI_Comm_get_parent(&parent) && parent != MPI_COMM_NULL);
    MPI_Send(&(int){7}, 1, MPI_INT, 0, 1, parent);
    MPI_Recv(&number, 1, MPI_INT, 0, 1, parent, MPI_STATUS_IGNORE);
    CHECK(number == 8 && !MPI_Comm_disconnect(&parent));
}

static void *spawner(void *program)
{
    char mode[] = "brief", *argv[] = {mode, NULL};
    MPI_Comm self, child;
    for (int round = 0; round < 4; round++) {
        int number = -1;
        CHECK(!MPI_Comm_dup(MPI_COMM_SELF, &self));
        CHECK(!MPI_Comm_spawn(program, argv, 1, MPI_INFO_NULL, 0, self, &child, MPI_ERRCODES_IGNORE));
        MPI_Recv(&number, 1, MPI_INT, 0, 1, child, MPI_STATUS_IGNORE);
        MPI_Send(&(int){number + 1}, 1, MPI_INT, 0, 1, child);
        CHECK(number == 7 && !MPI_Comm_disconnect(&child) && !MPI_Comm_free(&self));
    }
    return NULL;
}

/* Threads that spawn at the same time: one that disconnects leaves the others' ways alone. */
static void threads(char *program)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&thread[i], NULL, spawner, program));
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

static int order[4], deleted;

static int note(MPI_Comm comm, int keyval, void *value, void *extra)
{
    int flag = -1;
    CHECK(!MPI_Finalized(&flag) && !flag);
    order[deleted++] = (int)(size_t)value;
    return MPI_SUCCESS;
}

/* What is on MPI_COMM_SELF is deleted first of all in MPI_Finalize, the latest first. */
static void life(void)
{
    int flag = -1, class = -1, length, rank;
    char text[MPI_MAX_ERROR_STRING];
    MPI_Info info;
    MPI_Session session;
    CHECK(!MPI_Initialized(&flag) && !flag && !MPI_Finalized(&flag) && !flag);
    CHECK(!MPI_Info_create(&info) && !MPI_Info_set(info, "a", "b"));
    CHECK(!MPI_Error_class(MPI_ERR_COMM, &class) && class == MPI_ERR_COMM);
    MPI_Init(NULL, NULL);
    CHECK(!MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session));
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int i = 0; i < 4; i++) {
        int key;
        MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, note, &key, NULL);
        MPI_Comm_set_attr(MPI_COMM_SELF, key, (void *)(size_t)i);
    }
    MPI_Finalize();
    for (int i = 0; i < 4; i++)
        CHECK(deleted == 4 && order[i] == 3 - i);
    CHECK(!MPI_Finalized(&flag) && flag && !MPI_Initialized(&flag) && flag);
    CHECK(!MPI_Session_finalize(&session));
    CHECK(!MPI_Error_string(MPI_ERR_COMM, text, &length) && length > 0);
    int nkeys = -1;
    CHECK(!MPI_Info_get_nkeys(info, &nkeys) && nkeys == 1 && !MPI_Info_free(&info));
    if (!rank)
        puts("all right");
}

int main(int argc, char **argv)
{
    CHECK(argc > 1);
    const char *mode = argv[1];
    if (!strcmp(mode, "life")) {
        life();
        return 0;
    }
    if (!strcmp(mode, "sessions")) {
        if (!sessions())
            puts("all right");
        return 0;
    }
    int level = -1;
    MPI_Init_thread(&argc, &argv, strcmp(mode, "threads") ? MPI_THREAD_SINGLE : MPI_THREAD_MULTIPLE, &level);
    int rank = rank_in(MPI_COMM_WORLD);
    if (!strcmp(mode, "threads"))
        threads(argv[0]);
    else if (!strcmp(mode, "brief"))
        brief();
    else if (!strcmp(mode, "child"))
        child(argc, argv);
    else if (!strcmp(mode, "serve") || !strcmp(mode, "visit"))
        meet(argv[2], !strcmp(mode, "serve"));
    else if (!strcmp(mode, "join"))
        join(argv[2]);
    else
        parent(argv[0], mode);
    if (!rank && strcmp(mode, "child") && strcmp(mode, "brief"))
        puts("all right");
    MPI_Finalize();
    return 0;
}
