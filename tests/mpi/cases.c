/* The chapters. */
#include "case.h"

const struct test_chapter test_chapters[] = {
    {"pt2pt", pt2pt_cases},
    {"order", order_cases},
    {"requests", request_cases},
    {"probe", probe_cases},
    {"collectives", collective_cases},
    {"algorithms", algorithm_cases},
    {"board", board_cases},
    {"ops", op_cases},
    {"comm", comm_cases},
    {"group", group_cases},
    {"errors", error_cases},
    {"info", info_cases},
    {"memory", memory_cases},
    {"init", init_cases},
    {"threads", thread_cases},
    {"bits", bits_cases},
    {0},
};
