/* PMI-1 is text: one request or answer a line, `cmd=put kvsname=a key=b value=c`.
 *
 * The dialects differ in little things: the order of words, whether an answer
 * carries rc, what msg says (some put several words there). So a line is read
 * as a bag of key=value words, and who asks for a key says what it needs. Words
 * without '=' are kept with an empty value; they are the tail of such a message,
 * or the `endcmd` that ends a spawn request.
 *
 * Every length is bounded: whoever is at the other end may be broken. Rejected:
 * reading with stdio (a line longer than memory, and no telling a NUL byte from
 * an end), and PMI-1.2's length-prefixed form (nobody needs it).
 */
#include "pmi1_wire.h"

#include "errors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT = 48 };

/* The start of what came, fit to be printed. */
static void excerpt(char out[EXCERPT], const char *text, size_t length)
{
    size_t n = length < EXCERPT - 4 ? length : EXCERPT - 4;
    for (size_t i = 0; i < n; i++)
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    strcpy(out + n, n < length ? "..." : "");
}

static int nonsense(const char *what, const char *text, size_t length)
{
    char shown[EXCERPT];
    excerpt(shown, text, length);
    return pl_fail(PL_EPROTOCOL, "not a PMI-1 line (%s): '%s'", what, shown);
}

static bool printable(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c != 127;
}

int pl_pmi1_parse(struct pl_pmi1_line *line, const char *text, size_t length)
{
    if (length >= sizeof line->text)
        return nonsense("too long", text, length);
    memcpy(line->text, text, length);
    line->text[length] = '\0';
    line->count = 0;
    for (size_t i = 0; i < length; i++)
        if (!printable(text[i]) && text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return nonsense("bytes that are not text", text, length);

    char *rest = line->text, *word;
    while ((word = strtok_r(rest, " \t\r", &rest))) {
        if (line->count == PL_PMI1_TOKENS_MAX)
            return nonsense("too many words", text, length);
        char *equals = strchr(word, '=');
        if (equals == word)
            return nonsense("a value without a name", text, length);
        if (equals)
            *equals = '\0';
        line->tokens[line->count].key = word;
        line->tokens[line->count++].value = equals ? equals + 1 : "";
    }
    return line->count ? 0 : nonsense("nothing in it", text, length);
}

const char *pl_pmi1_value(const struct pl_pmi1_line *line, const char *key)
{
    for (int i = 0; i < line->count; i++)
        if (!strcmp(line->tokens[i].key, key))
            return line->tokens[i].value;
    return NULL;
}

int pl_pmi1_number(const struct pl_pmi1_line *line, const char *key, long least, long most, long *number)
{
    const char *value = pl_pmi1_value(line, key);
    if (!value)
        return pl_fail(PL_EPROTOCOL, "PMI-1 line without %s=", key);
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (end == value || *end || errno || n < least || n > most)
        return pl_fail(PL_EPROTOCOL, "PMI-1: %s=%.40s is not a number from %ld to %ld", key, value, least,
                       most);
    *number = n;
    return 0;
}

bool pl_pmi1_succeeded(const struct pl_pmi1_line *line)
{
    const char *rc = pl_pmi1_value(line, "rc");
    return !rc || !strcmp(rc, "0");
}

bool pl_pmi1_word_fits(const char *word, size_t size)
{
    size_t length = strlen(word);
    if (!length || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!printable(word[i]))
            return false;
    return true;
}

char *pl_pmi1_reader_room(struct pl_pmi1_reader *reader, size_t *room)
{
    *room = sizeof reader->bytes - reader->fill;
    return reader->bytes + reader->fill;
}

int pl_pmi1_reader_next(struct pl_pmi1_reader *reader, struct pl_pmi1_line *line)
{
    char *newline = memchr(reader->bytes, '\n', reader->fill);
    if (!newline)
        return reader->fill < sizeof reader->bytes ? 0 : nonsense("too long", reader->bytes, reader->fill);
    size_t length = (size_t)(newline - reader->bytes);
    int error = pl_pmi1_parse(line, reader->bytes, length);
    reader->fill -= length + 1;
    memmove(reader->bytes, newline + 1, reader->fill);
    return error ? error : 1;
}
