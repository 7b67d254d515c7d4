/* MPI_Alloc_mem and addresses. */
#include "case.h"

#include <stdint.h>
#include <string.h>

static void alloc(void)
{
    static const MPI_Aint sizes[] = {0, 1, 100, 4096, 1 << 20};
    char *memory[5];
    for (int i = 0; i < 5; i++) {
        OK(MPI_Alloc_mem(sizes[i], MPI_INFO_NULL, &memory[i]));
        CHECK(memory[i] && (uintptr_t)memory[i] % 16 == 0, "%p", (void *)memory[i]);
        fill(memory[i], (size_t)sizes[i], (unsigned)i);
    }
    for (int i = 0; i < 5; i++)
        CHECK(differs(memory[i], (size_t)sizes[i], (unsigned)i) < 0, "%ld bytes", (long)sizes[i]);
    for (int i = 4; i >= 0; i--)
        OK(MPI_Free_mem(memory[i]));
    OK(MPI_Free_mem(NULL));
    for (int i = 0; i < 200; i++) {
        OK(MPI_Alloc_mem(300000, MPI_INFO_NULL, &memory[0]));
        memset(memory[0], i, 300000);
        OK(MPI_Free_mem(memory[0]));
    }
    FAILS(MPI_ERR_ARG, MPI_Alloc_mem(-1, MPI_INFO_NULL, &memory[0]));
    if (!frugal()) /* the sanitizers end a program for such a wish */
        FAILS(MPI_ERR_NO_MEM, MPI_Alloc_mem((MPI_Aint)1 << 60, MPI_INFO_NULL, &memory[0]));
    FAILS(MPI_ERR_ARG, MPI_Alloc_mem(8, MPI_INFO_NULL, NULL));
}

/* Such memory is memory like other: also for messages. */
static void in_messages(void)
{
    int n = world_size(), me = my_rank(), left = (me + n - 1) % n;
    static const int sizes[] = {10, 9000, 400000};
    char *out, *in;
    OK(MPI_Alloc_mem(400000, MPI_INFO_NULL, &out));
    OK(MPI_Alloc_mem(400000, MPI_INFO_NULL, &in));
    fill(out, 400000, (unsigned)me);
    for (int i = 0; i < 3; i++) {
        OK(MPI_Sendrecv(out, sizes[i], MPI_BYTE, (me + 1) % n, 0, in, sizes[i], MPI_BYTE, left, 0,
                        MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        CHECK(differs(in, (size_t)sizes[i], (unsigned)left) < 0, "%d bytes", sizes[i]);
    }
    OK(MPI_Free_mem(out));
    OK(MPI_Free_mem(in));
}

static void addresses(void)
{
    char bytes[100] = "";
    MPI_Aint a, b;
    OK(MPI_Get_address(bytes, &a));
    OK(MPI_Get_address(bytes + 60, &b));
    CHECK(MPI_Aint_diff(b, a) == 60 && MPI_Aint_add(a, 60) == b, "%ld", (long)MPI_Aint_diff(b, a));
}

const struct test_case memory_cases[] = {
    {"alloc", alloc, 1, 0}, {"in_messages", in_messages, 1, 0}, {"addresses", addresses, 1, 0}, {0}};
