/* Words, each with a NUL behind it; numbers are words too:
 *
 *     first last | flags timeout fan-out ssh directory | hosts: names | ranks: host, length of the run...
 *     | programs: ranks directory words settings | settings of all | environment
 *
 * Text, because it is small, the same on every machine, and can be looked at. The
 * part comes first: it is all that differs between agents, so the rest is made once.
 */
#include "description.h"

#include "errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MAX = 1 << 20 };

static void put(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\0', out);
}

static void put_words(FILE *out, char *const *words, int count)
{
    put(out, "%d", count);
    for (int i = 0; i < count; i++)
        put(out, "%s", words[i]);
}

static int count_of(char *const *words)
{
    int count = 0;
    while (words[count])
        count++;
    return count;
}

static void put_layout(FILE *out, const struct pl_layout *layout)
{
    put(out, "%d", layout->hosts.count);
    for (int i = 0; i < layout->hosts.count; i++) {
        put(out, "%s", layout->hosts.list[i].name);
        put(out, "%d", layout->hosts.list[i].local);
    }
    put(out, "%d", layout->ranks);
    for (int i = 0, length; i < layout->ranks; i += length) {
        for (length = 1; i + length < layout->ranks; length++)
            if (layout->host_of[i + length] != layout->host_of[i])
                break;
        put(out, "%d", layout->host_of[i]);
        put(out, "%d", length);
    }
}

size_t pl_description_part(struct pl_part part, char *text)
{
    return (size_t)snprintf(text, 32, "%d%c%d", part.first, 0, part.last) + 1;
}

int pl_description_pack(const struct pl_options *options, const struct pl_layout *layout, char **environment,
                        char **bytes, size_t *length)
{
    char wdir[4096];
    FILE *out = open_memstream(bytes, length);
    if (!out)
        return pl_fail(PL_ENOMEM, "no memory to describe the job");
    if (!getcwd(wdir, sizeof wdir))
        strcpy(wdir, "/");
    put(out, "%d", (options->bind ? 1 : 0) | (options->oversubscribe ? 2 : 0));
    put(out, "%g", options->patience);
    put(out, "%d", options->fan_out);
    put(out, "%s", options->ssh ? options->ssh : "");
    put(out, "%s", wdir);
    put_layout(out, layout);
    put(out, "%d", options->napps);
    for (int i = 0; i < options->napps; i++) {
        const struct pl_app *app = &options->apps[i];
        put(out, "%d", app->ranks);
        put(out, "%s", app->wdir ? app->wdir : "");
        put_words(out, app->argv, count_of(app->argv));
        put_words(out, app->settings.words, app->settings.count);
    }
    put_words(out, options->settings.words, options->settings.count);
    put_words(out, environment, count_of(environment));
    if (ferror(out) | fclose(out)) {
        free(*bytes);
        return pl_fail(PL_ENOMEM, "no memory to describe the job");
    }
    return 0;
}

/* The words as they are taken, one after the other; `bad` once one was not as it should be. */
struct reader {
    char **words;
    int count, at;
    bool bad;
    char none[1];
};

static char *take(struct reader *reader)
{
    if (reader->bad || reader->at >= reader->count) {
        reader->bad = true;
        return reader->none;
    }
    return reader->words[reader->at++];
}

static int take_number(struct reader *reader, int least, int most)
{
    char *end, *word = take(reader);
    errno = 0;
    long n = strtol(word, &end, 10);
    if (end == word || *end || errno || n < least || n > most)
        reader->bad = true;
    return reader->bad ? least : (int)n;
}

/* A list of words, which gets a NULL behind it in the place of the word that follows: its count was before
 * it, and moves the words one place to the front. */
static char **take_words(struct reader *reader, int *count)
{
    int place = reader->at;
    *count = take_number(reader, 0, LIST_MAX);
    if (reader->bad || *count > reader->count - reader->at) {
        reader->bad = true;
        *count = 0;
    }
    char **words = reader->words + place;
    memmove(words, words + 1, sizeof *words * (size_t)*count);
    words[*count] = NULL;
    reader->at += *count;
    return words;
}

static int read_layout(struct reader *reader, struct pl_layout *layout)
{
    struct pl_hosts hosts = {0};
    int count = take_number(reader, 1, PL_HOSTS_MAX), error = 0;
    hosts.list = calloc((size_t)count, sizeof *hosts.list);
    for (int i = 0; i < count && hosts.list && !reader->bad; i++) {
        char *name = strdup(take(reader));
        hosts.list[i] = (struct pl_host){.name = name, .local = take_number(reader, 0, 1)};
        hosts.count++;
        if (!name)
            error = PL_ENOMEM;
    }
    int ranks = take_number(reader, 1, PL_RANKS_MAX);
    if (error || !hosts.list) {
        pl_hosts_finish(&hosts);
        return pl_fail(PL_ENOMEM, "no memory for %d hosts", count);
    }
    error = pl_layout_init(layout, &hosts, ranks);
    for (int i = 0; i < ranks && !error && !reader->bad;) {
        int host = take_number(reader, 0, count - 1), length = take_number(reader, 1, ranks - i);
        for (int j = 0; j < length; j++)
            layout->host_of[i++] = host;
    }
    if (!error && !reader->bad)
        pl_layout_count(layout);
    return error;
}

static int read_apps(struct reader *reader, struct pl_options *options)
{
    int count = take_number(reader, 1, PL_RANKS_MAX), ranks = 0;
    options->apps = calloc((size_t)count, sizeof *options->apps);
    if (!options->apps)
        return pl_fail(PL_ENOMEM, "no memory for %d programs", count);
    for (int i = 0; i < count && !reader->bad; i++) {
        struct pl_app *app = &options->apps[options->napps++];
        int words;
        app->ranks = take_number(reader, 1, PL_RANKS_MAX);
        app->wdir = take(reader);
        app->wdir = *app->wdir ? app->wdir : NULL;
        app->argv = take_words(reader, &words);
        app->settings.words = take_words(reader, &app->settings.count);
        ranks += app->ranks;
        reader->bad |= !words || ranks > options->ranks;
    }
    reader->bad |= ranks != options->ranks;
    return 0;
}

static int read_all(struct reader *reader, struct pl_description *d)
{
    int count;
    d->part.first = take_number(reader, 0, PL_HOSTS_MAX);
    d->part.last = take_number(reader, 1, PL_HOSTS_MAX);
    int flags = take_number(reader, 0, 3);
    d->options.bind = flags & 1;
    d->options.oversubscribe = flags & 2;
    d->options.patience = strtod(take(reader), NULL);
    d->options.fan_out = take_number(reader, 1, PL_HOSTS_MAX);
    d->options.ssh = take(reader);
    d->options.ssh = *d->options.ssh ? d->options.ssh : NULL;
    d->wdir = take(reader);
    int error = read_layout(reader, &d->layout);
    if (error)
        return error;
    d->options.ranks = d->layout.ranks;
    error = read_apps(reader, &d->options);
    if (error)
        return error;
    d->options.settings.words = take_words(reader, &d->options.settings.count);
    d->environment = take_words(reader, &count);
    bool part = d->part.first < d->part.last && d->part.last <= pl_layout_served_count(&d->layout);
    if (reader->bad || !part || !(d->options.patience > 0) || reader->at != reader->count)
        return pl_fail(PL_EPROTOCOL, "the description of the job makes no sense near word %d of %d",
                       reader->at, reader->count);
    return 0;
}

int pl_description_read(struct pl_description *description, const char *bytes, size_t length)
{
    *description = (struct pl_description){0};
    if (!length || bytes[length - 1])
        return pl_fail(PL_EPROTOCOL, "the description of the job is cut short");
    int count = 0;
    for (size_t i = 0; i < length; i++)
        count += !bytes[i];
    description->bytes = malloc(length);
    description->words = calloc((size_t)count + 1, sizeof(char *));
    if (!description->bytes || !description->words) {
        pl_description_finish(description);
        return pl_fail(PL_ENOMEM, "no memory for the description of the job");
    }
    memcpy(description->bytes, bytes, length);
    char *word = description->bytes;
    for (int i = 0; i < count; i++, word += strlen(word) + 1)
        description->words[i] = word;
    struct reader reader = {.words = description->words, .count = count};
    int error = read_all(&reader, description);
    if (error)
        pl_description_finish(description);
    return error;
}

void pl_description_finish(struct pl_description *description)
{
    free(description->options.apps);
    pl_layout_finish(&description->layout);
    free(description->words);
    free(description->bytes);
    *description = (struct pl_description){0};
}
