/* save.c: weights to disk, all or nothing.
 *
 * The file is one line of text, "peal-train lenet 28x28 61706 float32\n", then the
 * weights as 32-bit floats in this machine's order, layer after layer: a
 * convolution's as [out][in][ky][kx] with each out channel's bias after its
 * row, a dense layer's as [out][in] and then all biases.
 *
 * They are written beside the target and renamed over it, so an old file is lost
 * only to a complete new one. What is not a regular file (a pipe, /dev/stdout) is
 * written straight: renaming would replace the device.
 */
#include "save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int save_open(struct save *s, const char *path, struct failure *failure)
{
    struct stat found;
    char *resolved = realpath(path, NULL);
    snprintf(s->path, sizeof s->path, "%s", resolved ? resolved : path);
    free(resolved);
    s->file = NULL;
    s->partial[0] = '\0';
    int exists = stat(s->path, &found) == 0;
    if (exists && S_ISDIR(found.st_mode))
        return fail(failure, "--save %s: is a directory", path);
    if (exists && S_ISREG(found.st_mode) && access(s->path, W_OK) != 0)
        return fail(failure, "--save %s: cannot be written: %s", path, strerror(errno));
    if (!exists || S_ISREG(found.st_mode))
        snprintf(s->partial, sizeof s->partial, "%s.part", s->path);
    s->file = fopen(s->partial[0] ? s->partial : s->path, "wb");
    if (!s->file)
        return fail(failure, "--save %s: cannot be written: %s", path, strerror(errno));
    return 0;
}

int save_finish(struct save *s, const struct model *m, const real *weights, struct failure *failure)
{
    const struct shape *in = &m->layers[0].in;
    if (!s->file)
        return 0;
    fprintf(s->file, "peal-train %s %dx%d %zu float%zu\n", m->name, in->height, in->width, m->parameters,
            8 * sizeof *weights);
    int bad = fwrite(weights, sizeof *weights, m->parameters, s->file) != m->parameters;
    bad |= fflush(s->file) != 0;
    if (s->partial[0])
        bad |= fsync(fileno(s->file)) != 0;
    bad |= fclose(s->file) != 0;
    s->file = NULL;
    if (!bad && s->partial[0])
        bad = rename(s->partial, s->path) != 0;
    if (!bad)
        return 0;
    failure_set(failure, "%s: the weights could not be written: %s", s->path, strerror(errno));
    if (s->partial[0])
        unlink(s->partial);
    return -1;
}

void save_abandon(struct save *s)
{
    if (!s->file)
        return;
    fclose(s->file);
    s->file = NULL;
    if (s->partial[0])
        unlink(s->partial);
}
