/* The signature of a datatype: which basic elements its data is, in order, without where they lie. */
#ifndef PL_SIGNATURE_H
#define PL_SIGNATURE_H

#include "content.h"

/* `count` basic elements, or as many rounds of another signature. */
struct pl_item {
    const struct pl_datatype *basic; /* predefined; NULL: rounds of body */
    const struct pl_signature *body;
    size_t count;
};

/* Constant once made, counted and shared like programs. */
struct pl_signature {
    size_t size;     /* bytes */
    size_t elements; /* basic elements; a pair has two */
    size_t nitems;
    unsigned depth;
    uint8_t content;             /* content.h: the kind of all elements, or mixed */
    struct pl_sequence sequence; /* their hash */
    int references;
    struct pl_item items[];
};

int pl_signature_create(const struct pl_part *parts, size_t nparts, const struct pl_signature **signature);
void pl_signature_hold(const struct pl_signature *signature);
void pl_signature_release(const struct pl_signature *signature); /* accepts NULL */

/* The basic elements of one element of the type. */
size_t pl_datatype_elements(const struct pl_datatype *type);
/* How many basic elements the first `bytes` bytes of packed data are; -1: the last one is not whole. */
int64_t pl_elements_of_bytes(const struct pl_datatype *type, uint64_t bytes);
/* The bytes of the first `elements` basic elements. */
uint64_t pl_bytes_of_elements(const struct pl_datatype *type, uint64_t elements);

/* Calls `visit` for each run of `count` equal basic elements in one element of the type. Ends early, with its
 * answer, when that is not 0. */
int pl_signature_visit(const struct pl_datatype *type,
                       int (*visit)(void *context, const struct pl_datatype *basic, size_t count),
                       void *context);

#endif
