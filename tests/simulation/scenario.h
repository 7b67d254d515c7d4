/* Scenarios of the simulation: what ranks do, and must find right, whatever the seed. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <mpi.h>
#include <peal.h>

#include <stddef.h>
#include <stdint.h>

struct scenario {
    const char *name;
    int (*body)(void *unused); /* 0: all was right */
    int drawn;                 /* faults drawn for each seed */
    unsigned kinds;            /* of these; 0: peal.h's */
    int most_ranks;
    const char *checksum; /* PEAL_CHECKSUM; NULL: off */
};

#define KIND(name) (1u << PEAL_FAULT_##name)

extern const struct scenario messages_scenario, mixed_scenario, collectives_scenario, deaths_scenario,
    flips_scenario, checked_scenario, repair_scenario, agree_scenario, parameters_scenario;

/* Numbers that every rank of the world draws alike: seeded by rank 0, told to the others. */
struct dice {
    uint64_t state;
};
struct dice dice_of_world(void);
uint64_t roll(struct dice *dice, uint64_t bound);

/* Tells on standard error what was wrong, in the rank's name, and returns 1. */
int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fills or checks `length` bytes that depend on `mark` alone. check: 0, or 1 after saying where. */
void fill(unsigned char *data, size_t length, uint64_t mark);
int check(const unsigned char *data, size_t length, uint64_t mark, const char *what);

/* Ends the body with 1 unless `call` succeeds. */
#define MUST(call)                                                                                           \
    do {                                                                                                     \
        int code_ = (call);                                                                                  \
        if (code_ != MPI_SUCCESS)                                                                            \
            return wrong("%s: %s", #call, error_text(code_));                                                \
    } while (0)
const char *error_text(int code);

#endif
