/* data_idx.c: the IDX format, that MNIST and its relatives come in.
 *
 *   offset 0  two zero bytes, 0x08 for unsigned bytes, the number of dimensions
 *          4  each dimension as a big-endian 32-bit number
 *             then the bytes, the last dimension varying fastest
 *
 * Images have three dimensions (count, height, width), labels one (count). Files
 * are read through zlib, which passes on what is not compressed. A header is only
 * a claim: memory grows with what has really been read, so that a few wrong bytes
 * can neither exhaust the memory nor be taken for four thousand million images;
 * and a file that goes on after its last image is refused as well, since then
 * header or contents are not what they seem.
 */
#include "data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAGIC_LABELS = 0x0801,
    MAGIC_IMAGES = 0x0803,
    SIDE_MAX = 512,
    COUNT_MAX = 100000000,
    STEP = 1 << 20,
    LABEL_MAX = 9
};

struct input {
    const char *path;
    gzFile file;
};

static int open_input(struct input *in, const char *path, struct failure *failure)
{
    errno = 0;
    in->path = path;
    in->file = gzopen(path, "rb");
    if (!in->file)
        return fail(failure, "%s: %s", path, errno ? strerror(errno) : "no memory to open it");
    return 0;
}

/* Why fewer bytes came than were asked for: zlib's or the system's word, or NULL at a plain end. */
static const char *reason(struct input *in)
{
    int code;
    const char *text = gzerror(in->file, &code);
    if (code == Z_ERRNO)
        return strerror(errno);
    if (code == Z_BUF_ERROR)
        return "the compressed data ends too early";
    return code == Z_OK || code == Z_STREAM_END ? NULL : text;
}

/* Reads up to size bytes; the number read, or -1 and the failure set. */
static int read_some(struct input *in, void *bytes, unsigned size, struct failure *failure)
{
    int got = gzread(in->file, bytes, size);
    if (got < 0)
        return fail(failure, "%s: cannot be read: %s", in->path, reason(in) ? reason(in) : "unknown error");
    return got;
}

/* The header: dimensions[0 .. count-1]. */
static int read_header(struct input *in, unsigned magic, const char *what, uint32_t *dimensions, int count,
                       struct failure *failure)
{
    unsigned char bytes[16];
    unsigned size = 4 + 4 * (unsigned)count;
    int got = read_some(in, bytes, size, failure);
    if (got < 0)
        return -1;
    uint32_t words[4] = {0};
    for (int i = 0; i < got / 4; i++)
        words[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
                   (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
    if (got >= 4 && words[0] != magic)
        return fail(failure, "%s: starts with 0x%08x; a file of IDX %s starts with 0x%08x", in->path,
                    (unsigned)words[0], what, magic);
    if (got < (int)size)
        return fail(failure, "%s: %d bytes are too few for the header of IDX %s, which takes %u%s%s",
                    in->path, got, what, size, reason(in) ? ": " : "", reason(in) ? reason(in) : "");
    memcpy(dimensions, words + 1, (size_t)count * sizeof *dimensions);
    return 0;
}

/* Exactly `size` bytes and then the end of the file; NULL and the failure set otherwise. */
static unsigned char *read_body(struct input *in, size_t size, struct failure *failure)
{
    unsigned char *body = NULL, extra;
    size_t have = 0, room = 0;
    while (have < size) {
        if (have == room) {
            room = room == 0 ? STEP : 2 * room;
            room = room < size ? room : size;
            unsigned char *larger = realloc(body, room);
            if (!larger) {
                failure_set(failure, "%s: no memory for its %zu bytes", in->path, size);
                goto free_body;
            }
            body = larger;
        }
        size_t want = room - have;
        int got = read_some(in, body + have, want < STEP ? (unsigned)want : STEP, failure);
        if (got < 0)
            goto free_body;
        have += (size_t)got;
        if (got == 0) {
            failure_set(failure,
                        "%s: is cut short: its header tells of %zu bytes of data, but %zu follow%s%s",
                        in->path, size, have, reason(in) ? ": " : "", reason(in) ? reason(in) : "");
            goto free_body;
        }
    }
    int more = read_some(in, &extra, 1, failure);
    if (more > 0)
        failure_set(failure, "%s: goes on after the %zu bytes of data that its header tells of", in->path,
                    size);
    if (more == 0 && !reason(in))
        return body;
    if (more == 0)
        failure_set(failure, "%s: is damaged: %s", in->path, reason(in));
free_body:
    free(body);
    return NULL;
}

static int read_images(struct dataset *d, const char *path, struct failure *failure)
{
    struct input in;
    uint32_t size[3];
    int result = -1;
    if (open_input(&in, path, failure) != 0)
        return -1;
    if (read_header(&in, MAGIC_IMAGES, "images", size, 3, failure) != 0)
        goto close_file;
    if (size[0] < 1 || size[0] > COUNT_MAX || size[1] < 1 || size[1] > SIDE_MAX || size[2] < 1 ||
        size[2] > SIDE_MAX) {
        failure_set(
            failure,
            "%s: its header tells of %u images of %u x %u pixels; 1 to %d of 1 x 1 to %d x %d can be used",
            path, (unsigned)size[0], (unsigned)size[1], (unsigned)size[2], COUNT_MAX, SIDE_MAX, SIDE_MAX);
        goto close_file;
    }
    d->images = read_body(&in, (size_t)size[0] * size[1] * size[2], failure);
    d->count = (int)size[0];
    d->height = (int)size[1];
    d->width = (int)size[2];
    result = d->images ? 0 : -1;
close_file:
    gzclose(in.file);
    return result;
}

static int read_labels(struct dataset *d, const char *path, const char *images_path, struct failure *failure)
{
    struct input in;
    uint32_t count;
    int result = -1;
    if (open_input(&in, path, failure) != 0)
        return -1;
    if (read_header(&in, MAGIC_LABELS, "labels", &count, 1, failure) != 0)
        goto close_file;
    if (count != (uint32_t)d->count) {
        failure_set(failure, "%s: its header tells of %u labels, but %s of %d images", path, (unsigned)count,
                    images_path, d->count);
        goto close_file;
    }
    d->labels = read_body(&in, count, failure);
    if (!d->labels)
        goto close_file;
    for (uint32_t i = 0; i < count; i++)
        if (d->labels[i] > LABEL_MAX) {
            failure_set(failure, "%s: label %u of %u is %d; labels are 0 to %d", path, (unsigned)i,
                        (unsigned)count, d->labels[i], LABEL_MAX);
            goto close_file;
        }
    result = 0;
close_file:
    gzclose(in.file);
    return result;
}

int data_read_idx(struct dataset *d, const char *images_path, const char *labels_path,
                  struct failure *failure)
{
    struct dataset read = {0};
    *d = (struct dataset){0};
    if (read_images(&read, images_path, failure) != 0 ||
        read_labels(&read, labels_path, images_path, failure) != 0) {
        dataset_destroy(&read);
        return -1;
    }
    *d = read;
    return 0;
}
