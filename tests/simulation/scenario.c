#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t roll(struct dice *dice, uint64_t bound)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % bound;
}

struct dice dice_of_world(void)
{
    struct dice dice = {0};
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        dice.state = peal_random(UINT64_MAX);
    MPI_Bcast(&dice.state, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return dice;
}

int wrong(const char *format, ...)
{
    char text[512];
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "rank %d: %s\n", rank, text);
    return 1;
}

const char *error_text(int code)
{
    static _Thread_local char text[MPI_MAX_ERROR_STRING];
    int length;
    MPI_Error_string(code, text, &length);
    return text;
}

void fill(unsigned char *data, size_t length, uint64_t mark)
{
    for (size_t i = 0; i < length; i++)
        data[i] = (unsigned char)(mark * 31 + i * 7 + (i >> 8));
}

int check(const unsigned char *data, size_t length, uint64_t mark, const char *what)
{
    for (size_t i = 0; i < length; i++)
        if (data[i] != (unsigned char)(mark * 31 + i * 7 + (i >> 8)))
            return wrong("%s: byte %zu of %zu is %d", what, i, length, data[i]);
    return 0;
}
