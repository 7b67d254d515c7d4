/* The lines of PMI-1, read and checked the same way by both ends: by the client
 * that every rank carries (pmi1.h) and by mpiexec's server. */
#ifndef PL_PMI1_WIRE_H
#define PL_PMI1_WIRE_H

#include <stdbool.h>
#include <stddef.h>

/* Peal's launcher keeps the job's secret, 64 hexadecimal digits, under this key. */
#define PL_PMI1_JOB_KEY "peal-job-key"

enum {
    PL_PMI1_LINE_MAX = 4096,  /* bytes of a line, its newline included */
    PL_PMI1_KEY_MAX = 64,     /* what get_maxes answers; ends included */
    PL_PMI1_VALUE_MAX = 1024, /* the same */
    PL_PMI1_NAME_MAX = 256,   /* the same, for the name of the key-value space */
    PL_PMI1_TOKENS_MAX = 32,
};

/* One line, taken apart. The pointers lead into `text`. */
struct pl_pmi1_line {
    int count;
    struct {
        const char *key, *value; /* a word without '=' has the value "" */
    } tokens[PL_PMI1_TOKENS_MAX];
    char text[PL_PMI1_LINE_MAX];
};

/* Bytes that have come and are not yet a whole line. Zero-initialise. */
struct pl_pmi1_reader {
    size_t fill;
    char bytes[PL_PMI1_LINE_MAX];
};

/* Takes apart `length` bytes (without the newline): words of the form key=value
 * between blanks, in any order. PL_EPROTOCOL, with an excerpt in the text, if it
 * has bytes that are not printable, too many words, a word that starts with '=',
 * is too long, or is empty. */
int pl_pmi1_parse(struct pl_pmi1_line *line, const char *text, size_t length);

/* The value of `key` in the line, or NULL. The first one counts. */
const char *pl_pmi1_value(const struct pl_pmi1_line *line, const char *key);

/* The value of `key` as a whole number within [least, most]; PL_EPROTOCOL if it
 * is not there or not such a number. */
int pl_pmi1_number(const struct pl_pmi1_line *line, const char *key, long least, long most, long *number);

/* Whether the line reports success: rc is absent or 0. */
bool pl_pmi1_succeeded(const struct pl_pmi1_line *line);

/* Whether a word can travel: printable, no blanks, not empty, shorter than `size`. */
bool pl_pmi1_word_fits(const char *word, size_t size);

/* Where the next bytes shall be read to, and how many fit. The room is never 0
 * after pl_pmi1_reader_next has answered 0. */
char *pl_pmi1_reader_room(struct pl_pmi1_reader *reader, size_t *room);

/* Takes the next whole line out of the reader: 1 and *line, 0 if there is none
 * yet, or PL_EPROTOCOL (a line too long or not parsable; do not read on). */
int pl_pmi1_reader_next(struct pl_pmi1_reader *reader, struct pl_pmi1_line *line);

#endif
