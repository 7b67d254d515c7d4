/* What two ranks say when they meet, before they can speak in secret. */
#ifndef PL_MEET_WIRE_H
#define PL_MEET_WIRE_H

#include "meet.h"

#include <stdint.h>

enum { PL_MEET_HELLO = 112, PL_MEET_ANSWER = 64 };

enum pl_meet_answer {
    PL_MEET_WELCOME,
    PL_MEET_OTHER_JOB,
    PL_MEET_OTHER_SIZE,
    PL_MEET_TAKEN,
    PL_MEET_OTHER_SECRET
};

/* What a rank says first. */
struct pl_meet_hello {
    uint32_t rank, size;
    unsigned char job[16], key[32], host[PL_MEET_HOST];
};

void pl_meet_hello_pack(const struct pl_meet_hello *hello, const char *secret,
                        unsigned char bytes[PL_MEET_HELLO]);
/* WELCOME or OTHER_SECRET; negative: it is no hello at all. Does not look at job, rank and size. */
int pl_meet_hello_read(struct pl_meet_hello *hello, const char *secret,
                       const unsigned char bytes[PL_MEET_HELLO]);

/* Rank 0's answer, with its own key; `to` is the key in the hello. */
void pl_meet_answer_pack(enum pl_meet_answer answer, const unsigned char key[32], const unsigned char to[32],
                         const char *secret, unsigned char bytes[PL_MEET_ANSWER]);
/* The answer, or negative: it is none, or from somebody who does not know the secret. */
int pl_meet_answer_read(unsigned char key[32], const unsigned char to[32], const char *secret,
                        const unsigned char bytes[PL_MEET_ANSWER]);

/* The job's name, as it stands in the hello. */
void pl_meet_job(const char *name, unsigned char job[16]);

#endif
