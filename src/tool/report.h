/* What the benchmark prints: a table as nccl-tests has it, or JSON; and the curves for --plot. */
#ifndef PL_REPORT_H
#define PL_REPORT_H

#include "plot.h"
#include "spread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pl_row {
    const char *test, *type, *op; /* op: "none" where nothing is reduced */
    size_t bytes, count;
    int root; /* -1: has none */
    struct {
        bool there;
        struct pl_spread us;
        double algbw, busbw; /* GB/s */
        long wrong;          /* -1: was not checked */
    } way[2];                /* out of place, in place */
    double rate;             /* messages a second; 0: is no test of messages */
};

struct pl_report {
    FILE *file;
    bool json, plotted;
    int rows; /* so far */
    long wrong;
    double busbw; /* sum over rows and ways, and */
    int busbws;   /* how many */
    struct pl_plot plot;
};

void pl_report_begin(struct pl_report *report, bool json, bool plotted, int ranks, const char *buffers);
/* A test begins: its title, and the header of its table. */
void pl_report_test(struct pl_report *report, const char *test, const char *title, bool messages);
void pl_report_row(struct pl_report *report, const struct pl_row *row);
/* The last lines. */
void pl_report_end(struct pl_report *report);

#endif
