/* Type signatures of messages: a receive of another type than was sent is an error there, over every protocol
 * and in every kind of receive, and what the standard allows is none. */
#include "case.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct record {
    int whole;
    double real;
    float pair[2];
};

enum { LARGE = 60000 }; /* of at most 32 bytes each */

/* What is sent and received: S a struct of the members of a record, P the same packed otherwise, R three S.
 */
static struct types {
    MPI_Datatype s, p, r, column, four, any;
} make(void)
{
    struct types t;
    OK(MPI_Type_create_struct(3, (int[]){1, 1, 2},
                              (MPI_Aint[]){0, offsetof(struct record, real), offsetof(struct record, pair)},
                              (MPI_Datatype[]){MPI_INT, MPI_DOUBLE, MPI_FLOAT}, &t.s));
    OK(MPI_Type_create_struct(4, (int[]){1, 1, 1, 1}, (MPI_Aint[]){0, 4, 12, 16},
                              (MPI_Datatype[]){MPI_INT, MPI_DOUBLE, MPI_FLOAT, MPI_FLOAT}, &t.p));
    OK(MPI_Type_contiguous(3, t.s, &t.r));
    OK(MPI_Type_vector(4, 1, 2, MPI_INT, &t.column));
    OK(MPI_Type_contiguous(4, MPI_INT, &t.four));
    OK(MPI_Type_create_struct(3, (int[]){1, 8, 2},
                              (MPI_Aint[]){0, offsetof(struct record, real), offsetof(struct record, pair)},
                              (MPI_Datatype[]){MPI_INT, MPI_BYTE, MPI_FLOAT}, &t.any));
    MPI_Datatype *all[] = {&t.s, &t.p, &t.r, &t.column, &t.four, &t.any};
    for (int i = 0; i < 6; i++)
        OK(MPI_Type_commit(all[i]));
    return t;
}

static void drop(struct types *t)
{
    MPI_Datatype *all[] = {&t->s, &t->p, &t->r, &t->column, &t->four, &t->any};
    for (int i = 0; i < 6; i++)
        OK(MPI_Type_free(all[i]));
}

static int class_of(int code)
{
    int class = 0;
    MPI_Error_class(code, &class);
    return class;
}

/* From the left to the right, by each kind of receive; `class` is what each must end with. */
static void pass(const char *what, int sends, MPI_Datatype sent, int receives, MPI_Datatype wanted, int class)
{
    static const char *const kinds[] = {"Recv", "Irecv before", "Mrecv", "Recv_init", "Sendrecv"};
    int n = world_size(), right = (my_rank() + 1) % n, left = (my_rank() + n - 1) % n;
    char *from = need(LARGE * 32), *to = need(LARGE * 32);
    memset(from, 1, LARGE * 32);
    for (int kind = 0; kind < 5; kind++) {
        MPI_Request out = MPI_REQUEST_NULL, in = MPI_REQUEST_NULL;
        MPI_Message message;
        MPI_Status status;
        int code = MPI_SUCCESS;
        if (kind == 1)
            OK(MPI_Irecv(to, receives, wanted, left, 5, MPI_COMM_WORLD, &in));
        if (kind == 1)
            OK(MPI_Barrier(MPI_COMM_WORLD));
        if (kind != 4)
            OK(MPI_Isend(from, sends, sent, right, 5, MPI_COMM_WORLD, &out));
        if (kind == 0)
            code = MPI_Recv(to, receives, wanted, left, 5, MPI_COMM_WORLD, &status);
        if (kind == 2)
            OK(MPI_Mprobe(left, 5, MPI_COMM_WORLD, &message, &status));
        if (kind == 2)
            code = MPI_Mrecv(to, receives, wanted, &message, &status);
        if (kind == 3) {
            OK(MPI_Recv_init(to, receives, wanted, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &in));
            OK(MPI_Start(&in));
        }
        if (kind == 1 || kind == 3)
            code = MPI_Wait(&in, &status);
        if (kind == 4)
            code = MPI_Sendrecv(from, sends, sent, right, 5, to, receives, wanted, left, 5, MPI_COMM_WORLD,
                                &status);
        OK(MPI_Wait(&out, MPI_STATUS_IGNORE));
        if (kind == 3)
            OK(MPI_Request_free(&in));
        CHECK(class_of(code) == class, "%s, %s: class %d", what, kinds[kind], class_of(code));
        if (class == MPI_ERR_TYPE)
            check_text(class, (const char *[]){"datatypes differ", "sent", "tag 5", NULL}, __FILE__,
                       __LINE__);
    }
    free(from);
    free(to);
}

static void equal(void)
{
    struct types t = make();
    pass("numbers", 4, MPI_INT, 8, MPI_INT, MPI_SUCCESS);
    pass("numbers and a column", 4, MPI_INT, 1, t.column, MPI_SUCCESS);
    pass("columns and numbers", 2, t.column, 2, t.four, MPI_SUCCESS);
    pass("structs", 1, t.s, 1, t.s, MPI_SUCCESS);
    pass("structs packed otherwise", 6, t.s, 6, t.p, MPI_SUCCESS);
    pass("structs of structs", 6, t.p, 2, t.r, MPI_SUCCESS);
    pass("into more than comes", 1, t.r, 5, t.p, MPI_SUCCESS);
    pass("a part of a struct", 1, MPI_INT, 1, t.s, MPI_SUCCESS);
    pass("bytes into a struct", 20, MPI_BYTE, 1, t.s, MPI_SUCCESS);
    pass("a struct into bytes", 1, t.s, 20, MPI_BYTE, MPI_SUCCESS);
    pass("characters as bytes", 4, MPI_CHAR, 1, MPI_INT, MPI_SUCCESS);
    pass("packed data", 20, MPI_PACKED, 1, t.p, MPI_SUCCESS);
    pass("a struct with bytes", 1, t.any, 1, t.s, MPI_SUCCESS);
    pass("nothing", 0, MPI_INT, 1, MPI_FLOAT, MPI_SUCCESS);
    pass("C and Fortran", 3, MPI_INT, 3, MPI_INTEGER, MPI_SUCCESS);
    pass("long and int64", 3, MPI_LONG, 3, MPI_INT64_T, MPI_SUCCESS);
    pass("pairs and their halves", 3, MPI_2INT, 6, MPI_INT, MPI_SUCCESS);
    pass("pairs of two kinds", 3, MPI_DOUBLE_INT, 3, MPI_DOUBLE_INT, MPI_SUCCESS);
    pass("many", LARGE, t.s, LARGE, t.p, MPI_SUCCESS);
    pass("many numbers", 4 * LARGE, MPI_INT, LARGE, t.column, MPI_SUCCESS);
    drop(&t);
}

static void different(void)
{
    struct types t = make();
    pass("floats for integers", 4, MPI_INT, 8, MPI_FLOAT, MPI_ERR_TYPE);
    pass("long for double", 2, MPI_LONG, 2, MPI_DOUBLE, MPI_ERR_TYPE);
    pass("a column for floats", 4, MPI_FLOAT, 1, t.column, MPI_ERR_TYPE);
    pass("integers for structs", 1, t.s, 100, MPI_INT, MPI_ERR_TYPE);
    pass("a struct for floats", 5, MPI_FLOAT, 1, t.s, MPI_ERR_TYPE);
    pass("many floats for integers", 4 * LARGE, MPI_INT, 4 * LARGE, MPI_FLOAT, MPI_ERR_TYPE);
    pass("many columns for floats", 4 * LARGE, MPI_FLOAT, LARGE, t.column, MPI_ERR_TYPE);
    pass("what does not fit", 4, MPI_INT, 2, MPI_FLOAT, MPI_ERR_TRUNCATE);
    drop(&t);
}

const struct test_case signature_cases[] = {
    {"equal", equal, 1, 0},
    {"different", different, 1, 0},
    {0},
};
