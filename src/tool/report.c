/* Columns 1 to 13 are nccl-tests', so that what reads its tables reads these; the quartiles stand behind
 * them. Lines that are no rows begin with '#'.
 */
#include "report.h"

#include <string.h>

void pl_report_begin(struct pl_report *report, bool json, bool plotted, int ranks, const char *buffers)
{
    *report = (struct pl_report){.file = stdout, .json = json, .plotted = plotted};
    if (json)
        fprintf(report->file, "{\"ranks\": %d, \"buffers\": \"%s\", \"results\": [", ranks, buffers);
    else
        fprintf(report->file,
                "# %d rank%s, %s buffers; time: median of batches, q1 and q3: their quartiles\n", ranks,
                ranks > 1 ? "s" : "", buffers);
}

void pl_report_test(struct pl_report *report, const char *test, const char *title, bool messages)
{
    if (report->json)
        return;
    fprintf(report->file, "#\n# %s%s%s\n", test, *title ? ": " : "", title);
    if (messages) {
        fprintf(report->file, "# %10s  %12s  %8s  %9s  %9s  %9s  %9s  %10s  %6s\n", "size", "count", "type",
                "time", "q1", "q3", "bandwidth", "messages", "#wrong");
        fprintf(report->file, "# %10s  %12s  %8s  %9s  %9s  %9s  %9s  %10s\n", "(B)", "(elements)", "",
                "(us)", "(us)", "(us)", "(GB/s)", "(10^6/s)");
        return;
    }
    fprintf(report->file, "#%90s%33s\n", "out-of-place", "in-place");
    fprintf(report->file, "# %10s  %12s  %8s  %6s  %6s", "size", "count", "type", "redop", "root");
    for (int i = 0; i < 2; i++)
        fprintf(report->file, "  %9s  %6s  %6s %6s", "time", "algbw", "busbw", "#wrong");
    fprintf(report->file, "  %9s %9s  %9s %9s\n", "q1", "q3", "q1", "q3");
    fprintf(report->file, "# %10s  %12s  %8s  %6s  %6s", "(B)", "(elements)", "", "", "");
    for (int i = 0; i < 2; i++)
        fprintf(report->file, "  %9s  %6s  %6s %6s", "(us)", "(GB/s)", "(GB/s)", "");
    fprintf(report->file, "  %9s %9s  %9s %9s\n", "(us)", "(us)", "(us)", "(us)");
}

static void print_wrong(FILE *file, long wrong)
{
    if (wrong < 0)
        fprintf(file, " %6s", "N/A");
    else
        fprintf(file, " %6ld", wrong);
}

static void print_calls(FILE *file, const struct pl_row *row)
{
    fprintf(file, "  %10zu  %12zu  %8s  %6s  %6d", row->bytes, row->count, row->type, row->op, row->root);
    for (int i = 0; i < 2; i++)
        if (row->way[i].there) {
            fprintf(file, "  %9.2f  %6.2f  %6.2f", row->way[i].us.median, row->way[i].algbw,
                    row->way[i].busbw);
            print_wrong(file, row->way[i].wrong);
        } else {
            fprintf(file, "  %9s  %6s  %6s %6s", "N/A", "N/A", "N/A", "N/A");
        }
    for (int i = 0; i < 2; i++)
        if (row->way[i].there)
            fprintf(file, "  %9.2f %9.2f", row->way[i].us.q1, row->way[i].us.q3);
        else
            fprintf(file, "  %9s %9s", "N/A", "N/A");
    fprintf(file, "\n");
}

static void print_messages(FILE *file, const struct pl_row *row)
{
    fprintf(file, "  %10zu  %12zu  %8s  %9.3f  %9.3f  %9.3f  %9.3f  %10.3f ", row->bytes, row->count,
            row->type, row->way[0].us.median, row->way[0].us.q1, row->way[0].us.q3, row->way[0].algbw,
            row->rate / 1e6);
    print_wrong(file, row->way[0].wrong);
    fprintf(file, "\n");
}

static void print_json(struct pl_report *report, const struct pl_row *row)
{
    static const char *const names[] = {"out_of_place", "in_place"};
    FILE *file = report->file;
    fprintf(file,
            "%s\n  {\"test\": \"%s\", \"bytes\": %zu, \"count\": %zu, \"type\": \"%s\", \"op\": \"%s\", "
            "\"root\": %d",
            report->rows ? "," : "", row->test, row->bytes, row->count, row->type, row->op, row->root);
    if (row->rate > 0)
        fprintf(file, ", \"messages_per_second\": %.0f", row->rate);
    for (int i = 0; i < 2; i++) {
        if (!row->way[i].there)
            continue;
        fprintf(file,
                ", \"%s\": {\"us\": %.4f, \"q1\": %.4f, \"q3\": %.4f, \"least\": %.4f, \"algbw\": %.4f, "
                "\"busbw\": "
                "%.4f, \"wrong\": ",
                names[i], row->way[i].us.median, row->way[i].us.q1, row->way[i].us.q3, row->way[i].us.least,
                row->way[i].algbw, row->way[i].busbw);
        if (row->way[i].wrong < 0)
            fprintf(file, "null}");
        else
            fprintf(file, "%ld}", row->way[i].wrong);
    }
    fprintf(file, "}");
}

static void note(struct pl_report *report, const struct pl_row *row)
{
    for (int i = 0; i < 2; i++) {
        if (!row->way[i].there)
            continue;
        report->wrong += row->way[i].wrong > 0 ? row->way[i].wrong : 0;
        report->busbw += row->way[i].busbw;
        report->busbws += row->bytes > 0;
        if (!report->plotted || !row->bytes)
            continue;
        char name[64];
        snprintf(name, sizeof name, "%s%s", row->test, i ? " in place" : "");
        pl_plot_add(&report->plot, 0, name, (double)row->bytes, row->way[i].us.median);
        pl_plot_add(&report->plot, 1, name, (double)row->bytes, row->way[i].busbw);
    }
}

void pl_report_row(struct pl_report *report, const struct pl_row *row)
{
    if (report->json)
        print_json(report, row);
    else if (row->rate > 0)
        print_messages(report->file, row);
    else
        print_calls(report->file, row);
    fflush(report->file);
    note(report, row);
    report->rows++;
}

void pl_report_end(struct pl_report *report)
{
    double mean = report->busbws ? report->busbw / report->busbws : 0;
    if (report->json)
        fprintf(report->file, "\n], \"wrong\": %ld, \"mean_busbw\": %.4f}\n", report->wrong, mean);
    else
        fprintf(report->file, "#\n# Wrong values: %ld %s\n# Mean bus bandwidth: %.4g GB/s\n", report->wrong,
                report->wrong ? "FAILED" : "OK", mean);
}
