/* Snapshots: all tables, with the updaters' states, in one file.
 *
 *     +--------------------+---------+---------+---------+-----+---------+
 *     | "PEALPS1\n" tables | records                               | end |
 *     +--------------------+---------+---------+---------+-----+---------+
 *       record:  length  checksum  | a frame of rows, as servers give them (wire.h: DUMPED)
 *       end:     0       checksum of all checksums, in order
 *
 * The first worker asks the heads part by part and writes beside the target; the new file replaces the old
 * one in one step (rename) when it is complete and on the disk, so that whatever dies, whenever, one of them
 * is whole. It is consistent because every worker has its operations behind it and waits. It says nothing of
 * servers: any number can load it. All of a file is checked before the first value changes.
 *
 * Rejected: a file a server, which writes in parallel but needs a file system that all share, and a rule for
 * which of several half-written sets counts.
 */
#include "server.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIED = 1 }; /* a verdict: this worker did it, and it worked; larger ones are error classes */

static const char magic[8] = "PEALPS1\n";

struct shape {
    uint64_t range;
    uint32_t width, states, updater, block_shift;
};

struct record {
    uint64_t length, checksum;
};

static uint64_t checksum(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = length;
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = pl_ps_mix(hash ^ word);
    }
    uint64_t rest = 0;
    memcpy(&rest, at, length);
    return pl_ps_mix(hash ^ rest);
}

static struct shape shape_of(const struct pl_ps_table *table)
{
    return (struct shape){.range = table->is.range,
                          .width = (uint32_t)table->width,
                          .states = (uint32_t)table->states,
                          .updater = (uint32_t)table->is.updater,
                          .block_shift = (uint32_t)table->block_shift};
}

/* ---- writing ---- */

static bool put(FILE *file, const void *bytes, size_t length, uint64_t *all)
{
    struct record record = {length, checksum(bytes, length)};
    *all = pl_ps_mix(*all ^ record.checksum);
    return fwrite(&record, sizeof record, 1, file) == 1 && fwrite(bytes, 1, length, file) == length;
}

/* One frame of rows of a part; *next is where to go on, UINT64_MAX at the end. */
static int dump(struct peal_ps *ps, int table, int part, uint64_t *next, struct pl_ps_frame **frame)
{
    MPI_Request handle;
    *frame = NULL;
    pl_ps_enter(ps);
    struct pl_ps_operation o = {
        .kind = PL_PS_DUMP, .table = table, .n = (size_t)part, .first = *next, .dumped = frame};
    struct pl_ps_request *request = pl_ps_request_create(1, &handle);
    int error = request ? pl_ps_worker_start(ps, &o, request) : MPI_ERR_NO_MEM;
    if (request && error)
        pl_ps_request_end(request, error);
    pl_ps_leave_lock(ps);
    if (request) {
        int waited = MPI_Wait(&handle, MPI_STATUS_IGNORE);
        error = error ? error : waited;
    }
    if (!error && !*frame)
        error = MPI_ERR_OTHER;
    if (!error)
        *next = pl_ps_header_of(*frame)->base;
    return error;
}

static int write_part(struct peal_ps *ps, FILE *file, int table, int part, uint64_t *all)
{
    int error = 0;
    for (uint64_t next = 0; next != UINT64_MAX && !error;) {
        struct pl_ps_frame *frame;
        error = dump(ps, table, part, &next, &frame);
        if (error)
            return error;
        if (pl_ps_header_of(frame)->entries && !put(file, frame->bytes, frame->length, all))
            error = MPI_ERR_IO;
        pl_ps_enter(ps);
        pl_ps_frame_release(&ps->pool, frame);
        pl_ps_leave_lock(ps);
    }
    return error;
}

static int write_all(struct peal_ps *ps, FILE *file)
{
    uint64_t all = 0;
    struct shape shapes[PL_PS_TABLES_MAX] = {{0}};
    struct record end = {0};
    int error = 0;
    for (int t = 0; t < ps->table_count; t++)
        shapes[t] = shape_of(&ps->tables[t]);
    if (fwrite(magic, sizeof magic, 1, file) != 1 ||
        !put(file, shapes, (size_t)ps->table_count * sizeof *shapes, &all))
        error = MPI_ERR_IO;
    for (int t = 0; t < ps->table_count && !error; t++)
        for (int p = 0; p < ps->view->parts && !error; p++)
            error = write_part(ps, file, t, p, &all);
    end.checksum = all;
    if (!error && (fwrite(&end, sizeof end, 1, file) != 1 || fflush(file) || fsync(fileno(file))))
        error = MPI_ERR_IO;
    return error;
}

/* Makes the new name last: the directory must reach the disk too. */
static int sync_directory(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int error = fsync(fd);
    close(fd);
    return error;
}

static int save(struct peal_ps *ps, const char *path)
{
    char beside[4096];
    if ((size_t)snprintf(beside, sizeof beside, "%s.part", path) >= sizeof beside)
        return pl_ps_fail(ps, MPI_ERR_BAD_FILE, "peal_ps_save: the path is longer than %zu bytes",
                          sizeof beside - 6);
    FILE *file = fopen(beside, "wb");
    if (!file)
        return pl_ps_fail(ps, MPI_ERR_BAD_FILE, "peal_ps_save: %s cannot be written: %s", beside,
                          strerror(errno));
    int error = write_all(ps, file), closed = fclose(file);
    if (!error && (closed || rename(beside, path) || sync_directory(path)))
        error = MPI_ERR_IO;
    if (error == MPI_ERR_IO)
        pl_ps_fail(ps, error, "peal_ps_save: %s: %s; what was there before is untouched", path,
                   strerror(errno));
    if (error)
        unlink(beside);
    return error;
}

/* ---- reading ---- */

struct reader {
    FILE *file;
    uint64_t all;
    unsigned char *bytes; /* [PL_PS_FRAME] */
    size_t length;
    bool ended;
};

/* The next record into r->bytes; NULL, or what is wrong. */
static const char *next_record(struct reader *r)
{
    struct record record;
    if (fread(&record, sizeof record, 1, r->file) != 1)
        return "it is cut off";
    if (!record.length) {
        r->ended = true;
        return record.checksum != r->all ? "a record is missing or out of place" : NULL;
    }
    if (record.length > PL_PS_FRAME)
        return "a record is longer than any can be";
    if (fread(r->bytes, 1, record.length, r->file) != record.length)
        return "it is cut off";
    if (checksum(r->bytes, record.length) != record.checksum)
        return "a checksum is wrong";
    r->length = record.length;
    r->all = pl_ps_mix(r->all ^ record.checksum);
    return NULL;
}

static const char *open_records(struct peal_ps *ps, struct reader *r)
{
    char begin[sizeof magic];
    r->all = 0;
    r->ended = false;
    rewind(r->file);
    if (fread(begin, sizeof begin, 1, r->file) != 1 || memcmp(begin, magic, sizeof magic))
        return "it is no snapshot of a parameter server";
    const char *wrong = next_record(r);
    if (wrong || r->ended)
        return wrong ? wrong : "it is cut off";
    for (int t = 0; t < ps->table_count; t++) {
        struct shape mine = shape_of(&ps->tables[t]);
        if (r->length != (size_t)ps->table_count * sizeof mine ||
            memcmp(r->bytes + (size_t)t * sizeof mine, &mine, sizeof mine))
            return "its tables are not these (number, width, range or updater)";
    }
    return NULL;
}

/* The record as rows of one of the tables; NULL: it makes no sense. */
static const struct pl_ps_table *rows_of(struct peal_ps *ps, struct pl_ps_frame *frame,
                                         struct pl_ps_sections *rows)
{
    const struct pl_ps_header *header = pl_ps_header_of(frame);
    if (frame->length < sizeof *header || header->kind != PL_PS_DUMPED || header->table >= ps->table_count)
        return NULL;
    const struct pl_ps_table *table = &ps->tables[header->table];
    return pl_ps_frame_read(frame, (size_t)table->row, PL_PS_PARTS_MAX, rows) ? table : NULL;
}

static int wait_for(struct peal_ps *ps, struct pl_ps_operation *o)
{
    MPI_Request handle;
    pl_ps_enter(ps);
    struct pl_ps_request *request = pl_ps_request_create(1, &handle);
    int error = request ? pl_ps_worker_start(ps, o, request) : MPI_ERR_NO_MEM;
    if (request && error)
        pl_ps_request_end(request, error);
    pl_ps_leave_lock(ps);
    if (!request)
        return error;
    int waited = MPI_Wait(&handle, MPI_STATUS_IGNORE);
    return error ? error : waited;
}

/* Sends the rows of a record to where they belong now. */
static int restore(struct peal_ps *ps, const struct pl_ps_sections *rows, int t)
{
    const struct pl_ps_table *table = &ps->tables[t];
    const float *values = (const float *)rows->values;
    int error = 0;
    for (int r = 0; r < rows->header->runs && !error; r++) {
        struct pl_ps_operation o = {.kind = PL_PS_RESTORE,
                                    .table = t,
                                    .n = rows->runs[r].count,
                                    .keys = rows->keys,
                                    .first = rows->runs[r].key,
                                    .in = values,
                                    .floats = (size_t)table->row};
        error = wait_for(ps, &o);
        values += (size_t)rows->runs[r].count * (size_t)table->row;
    }
    return error;
}

/* Goes through all records; with `for_good` they are restored. */
static const char *read_all(struct peal_ps *ps, struct reader *r, bool for_good, int *error)
{
    struct pl_ps_frame *frame = malloc(sizeof *frame + PL_PS_FRAME);
    struct pl_ps_sections rows;
    if (!frame)
        return "there is no memory";
    r->bytes = frame->bytes;
    const char *wrong = open_records(ps, r);
    if (!wrong && for_good)
        *error = wait_for(ps, &(struct pl_ps_operation){.kind = PL_PS_CLEAR});
    while (!wrong && !*error && !(wrong = next_record(r)) && !r->ended) {
        frame->length = r->length;
        const struct pl_ps_table *table = rows_of(ps, frame, &rows);
        if (!table)
            wrong = "a record makes no sense";
        else if (for_good)
            *error = restore(ps, &rows, (int)(table - ps->tables));
    }
    if (!wrong && !*error && fgetc(r->file) != EOF)
        wrong = "there is something after its end";
    free(frame);
    return wrong;
}

static int load(struct peal_ps *ps, const char *path)
{
    struct reader reader = {.file = fopen(path, "rb")};
    int error = 0;
    if (!reader.file)
        return pl_ps_fail(ps, MPI_ERR_NO_SUCH_FILE, "peal_ps_load: %s cannot be read: %s", path,
                          strerror(errno));
    const char *wrong = read_all(ps, &reader, false, &error);
    if (wrong)
        error = pl_ps_fail(ps, MPI_ERR_BAD_FILE, "peal_ps_load: %s: %s; nothing was loaded", path, wrong);
    else if (!error)
        wrong = read_all(ps, &reader, true, &error);
    if (wrong && !error)
        error =
            pl_ps_fail(ps, MPI_ERR_IO, "peal_ps_load: %s: %s, which it was not a moment ago", path, wrong);
    fclose(reader.file);
    return error;
}

/* ---- together ---- */

static bool first_worker(const struct peal_ps *ps)
{
    for (int w = 0; w < ps->my_worker; w++)
        if (pl_ps_view_workers(ps->view)[w])
            return false;
    return true;
}

/* One does it; all learn how it went. If that one dies meanwhile, the next does it. */
static int together(struct peal_ps *ps, const char *call, const char *path,
                    int (*act)(struct peal_ps *ps, const char *path))
{
    if (!ps || !ps->worker)
        return ps ? pl_ps_fail(ps, MPI_ERR_ARG, "%s: rank %d is no worker", call, ps->rank) : MPI_ERR_ARG;
    if (!path)
        return pl_ps_fail(ps, MPI_ERR_ARG, "%s: path is NULL", call);
    int error = peal_ps_flush(ps);
    for (uint32_t verdict = 0; !error && verdict != TRIED;) {
        error = pl_ps_barrier(ps, 0, NULL);
        if (error)
            return error;
        int mine = first_worker(ps) ? act(ps, path) : -1;
        error = pl_ps_barrier(ps, mine < 0 ? 0 : mine ? TRIED + (uint32_t)mine : TRIED, NULL);
        verdict = ps->worker->verdict;
        if (!error && verdict > TRIED)
            error = mine > 0 ? mine
                             : pl_ps_fail(ps, (int)(verdict - TRIED),
                                          "%s: %s: the worker that did it has the reason", call, path);
    }
    return error;
}

int peal_ps_save(peal_ps *ps, const char *path)
{
    return together(ps, "peal_ps_save", path, save);
}

int peal_ps_load(peal_ps *ps, const char *path)
{
    return together(ps, "peal_ps_load", path, load);
}
