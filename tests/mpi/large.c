/* Counts beyond 2^31: messages of more bytes, and types of more elements, than an int can say. The
 * memory is one megabyte, mapped again and again until it is as long as the message, so that
 * the test costs time but no memory. It runs on two ranks only, once, and not under a sanitizer: seconds
 * count (CASE_SLEEPS keeps it out of deterministic worlds). */
#include "case.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TILE = 1 << 20 };
#define BEYOND (((MPI_Count)1 << 31) + 12347)

struct tiled {
    unsigned char *bytes;
    size_t length;
};

static struct tiled tile(size_t length)
{
    struct tiled made = {NULL, (length + TILE - 1) / TILE * TILE};
    int file = memfd_create("tile", MFD_CLOEXEC);
    unsigned char *room =
        mmap(NULL, made.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (file < 0 || room == MAP_FAILED || ftruncate(file, TILE) != 0)
        return made;
    made.bytes = room;
    for (size_t at = 0; at < made.length; at += TILE)
        if (mmap(room + at, TILE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
            made.bytes = NULL;
    close(file);
    return made;
}

static bool skipped(void)
{
    return world_size() != 2 || frugal();
}

/* Plain bytes, by count and by a type whose one element is as long. */
static void messages(void)
{
    if (skipped())
        return;
    struct tiled memory = tile((size_t)BEYOND);
    if (!CHECK(memory.bytes, "there is no room to map it"))
        return;
    MPI_Datatype block, whole;
    MPI_Status status;
    MPI_Count count;
    int narrow;
    OK(MPI_Type_contiguous_c(BEYOND / 5, MPI_CHAR, &block));
    OK(MPI_Type_contiguous(5, block, &whole));
    OK(MPI_Type_commit(&whole));
    memset(memory.bytes, my_rank() ? 0 : 0x5a, TILE);
    if (my_rank() == 0) {
        OK(MPI_Send_c(memory.bytes, BEYOND, MPI_CHAR, 1, 0, MPI_COMM_WORLD));
        OK(MPI_Send(memory.bytes, 1, whole, 1, 1, MPI_COMM_WORLD));
    } else {
        OK(MPI_Recv(memory.bytes, 1, whole, 0, 0, MPI_COMM_WORLD, &status));
        OK(MPI_Get_count_c(&status, MPI_CHAR, &count));
        CHECK(count == BEYOND, "%lld bytes", (long long)count);
        OK(MPI_Get_count(&status, MPI_CHAR, &narrow));
        CHECK(narrow == MPI_UNDEFINED, "count %d", narrow);
        OK(MPI_Get_elements_c(&status, whole, &count));
        CHECK(count == BEYOND, "%lld elements", (long long)count);
        OK(MPI_Recv_c(memory.bytes, BEYOND, MPI_CHAR, 0, 1, MPI_COMM_WORLD, &status));
        CHECK(memory.bytes[0] == 0x5a && memory.bytes[TILE - 1] == 0x5a, "other bytes");
    }
    OK(MPI_Type_free(&block));
    OK(MPI_Type_free(&whole));
    munmap(memory.bytes, memory.length);
}

/* Rows of 1 KiB out of every two: sent in segments, received in one piece, positions beyond 2^31. */
static void rows(void)
{
    if (skipped())
        return;
    MPI_Count n = BEYOND / 1024;
    struct tiled memory = tile(2 * (size_t)BEYOND);
    if (!CHECK(memory.bytes, "there is no room to map it"))
        return;
    MPI_Datatype every_second;
    MPI_Status status;
    MPI_Count count;
    OK(MPI_Type_create_hvector_c(n, 1024, 2048, MPI_BYTE, &every_second));
    OK(MPI_Type_commit(&every_second));
    for (int i = 0; i < TILE; i++)
        memory.bytes[i] = my_rank() ? 0 : (unsigned char)(1 + i / 1024 % 2);
    if (my_rank() == 0) {
        OK(MPI_Send(memory.bytes, 1, every_second, 1, 0, MPI_COMM_WORLD));
        OK(MPI_Send_c(memory.bytes, n * 1024, MPI_BYTE, 1, 1, MPI_COMM_WORLD));
    } else {
        OK(MPI_Recv_c(memory.bytes, n * 1024, MPI_BYTE, 0, 0, MPI_COMM_WORLD, &status));
        OK(MPI_Get_count_c(&status, MPI_BYTE, &count));
        CHECK(count == n * 1024, "%lld bytes", (long long)count);
        CHECK(memory.bytes[0] == 1 && memory.bytes[1024] == 1, "%d %d", memory.bytes[0], memory.bytes[1024]);
        memset(memory.bytes, 9, TILE);
        OK(MPI_Recv(memory.bytes, 1, every_second, 0, 1, MPI_COMM_WORLD, &status));
        CHECK(memory.bytes[0] != 9 && memory.bytes[1024] == 9, "%d %d", memory.bytes[0], memory.bytes[1024]);
    }
    OK(MPI_Type_free(&every_second));
    munmap(memory.bytes, memory.length);
}

/* The last byte of 2^40, which nothing has touched. */
static void sparse(void)
{
    MPI_Count length = (MPI_Count)1 << 40, lb, extent, position = 0;
    char *far = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (far == MAP_FAILED)
        return; /* the machine does not allow it */
    MPI_Datatype ends;
    char packed[2];
    OK(MPI_Type_vector_c(2, 1, length - 1, MPI_CHAR, &ends));
    OK(MPI_Type_commit(&ends));
    OK(MPI_Type_get_extent_c(ends, &lb, &extent));
    CHECK(extent == length, "extent %lld", (long long)extent);
    far[0] = 'a';
    far[length - 1] = 'z';
    OK(MPI_Pack_c(far, 1, ends, packed, 2, &position, MPI_COMM_WORLD));
    CHECK(packed[0] == 'a' && packed[1] == 'z', "%c %c", packed[0], packed[1]);
    OK(MPI_Sendrecv(far, 1, ends, my_rank(), 0, packed, 2, MPI_CHAR, my_rank(), 0, MPI_COMM_WORLD,
                    MPI_STATUS_IGNORE));
    CHECK(packed[1] == 'z', "%c", packed[1]);
    OK(MPI_Type_free(&ends));
    munmap(far, (size_t)length);
}

const struct test_case large_cases[] = {
    {"messages", messages, 2, CASE_FEW | CASE_SLEEPS},
    {"rows", rows, 2, CASE_FEW | CASE_SLEEPS},
    {"sparse", sparse, 1, CASE_FEW},
    {0},
};
