/* The lines of PMI-1 and the mapping of ranks to hosts: what is understood, and
 * what is refused. */
#include "errors.h"
#include "mapping.h"
#include "pmi1_wire.h"

#include <criterion/criterion.h>
#include <string.h>

Test(wire, words_in_any_order)
{
    static const char *const lines[] = {
        "cmd=put_result rc=0 msg=success",
        "rc=0 msg=success cmd=put_result",
        "  msg=success   cmd=put_result\trc=0 ",
        "cmd=put_result rc=0 msg=success\r",
        "cmd=put_result msg=success",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct pl_pmi1_line line;
        cr_assert_eq(pl_pmi1_parse(&line, lines[i], strlen(lines[i])), 0, "%s", lines[i]);
        cr_assert_str_eq(pl_pmi1_value(&line, "cmd"), "put_result");
        cr_assert_str_eq(pl_pmi1_value(&line, "msg"), "success");
        cr_assert(pl_pmi1_succeeded(&line));
        cr_assert_null(pl_pmi1_value(&line, "value"));
    }
}

Test(wire, values_with_equals_signs_and_bare_words)
{
    struct pl_pmi1_line line;
    const char *text = "cmd=get_result value=a=b=(c,d) msg=not found rc=-1 empty=";
    cr_assert_eq(pl_pmi1_parse(&line, text, strlen(text)), 0);
    cr_assert_str_eq(pl_pmi1_value(&line, "value"), "a=b=(c,d)");
    cr_assert_str_eq(pl_pmi1_value(&line, "found"), "");
    cr_assert_str_eq(pl_pmi1_value(&line, "empty"), "");
    cr_assert_not(pl_pmi1_succeeded(&line));
}

Test(wire, nonsense_is_refused)
{
    static const struct {
        const char *text;
        size_t length;
    } lines[] = {
        {"", 0},
        {"    ", 4},
        {"=x", 2},
        {"cmd=a =b", 8},
        {"cmd=\0x", 6},
        {"\x7f", 1},
        {"cmd=a\x1b[1m", 9},
        {"a b c d e f g h i j k l m n o p q r s t u v w x y z "
         "a b c d e f g h",
         68},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct pl_pmi1_line line;
        cr_assert_eq(pl_pmi1_parse(&line, lines[i].text, lines[i].length), PL_EPROTOCOL, "line %zu", i);
    }
}

Test(wire, numbers)
{
    static const struct {
        const char *text;
        int error;
        long number;
    } cases[] = {
        {"n=0", 0, 0},
        {"n=100", 0, 100},
        {"n=-1", PL_EPROTOCOL, 0},
        {"n=101", PL_EPROTOCOL, 0},
        {"n=", PL_EPROTOCOL, 0},
        {"n=5x", PL_EPROTOCOL, 0},
        {"n=99999999999999999999", PL_EPROTOCOL, 0},
        {"m=5", PL_EPROTOCOL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pl_pmi1_line line;
        long number = 0;
        cr_assert_eq(pl_pmi1_parse(&line, cases[i].text, strlen(cases[i].text)), 0);
        cr_assert_eq(pl_pmi1_number(&line, "n", 0, 100, &number), cases[i].error, "%s", cases[i].text);
        cr_assert_eq(number, cases[i].number);
    }
}

static void push(struct pl_pmi1_reader *reader, const char *bytes, size_t length)
{
    size_t room;
    char *to = pl_pmi1_reader_room(reader, &room);
    cr_assert_leq(length, room);
    memcpy(to, bytes, length);
    reader->fill += length;
}

Test(wire, reader_takes_lines_apart_however_they_come)
{
    static const char stream[] = "cmd=a x=1\ncmd=b\ncmd=c\n";
    for (size_t step = 1; step < sizeof stream; step++) {
        struct pl_pmi1_reader reader = {0};
        struct pl_pmi1_line line;
        int lines = 0;
        for (size_t at = 0; at < sizeof stream - 1; at += step) {
            size_t left = sizeof stream - 1 - at;
            push(&reader, stream + at, left < step ? left : step);
            int got;
            while ((got = pl_pmi1_reader_next(&reader, &line)) == 1)
                cr_assert_eq(pl_pmi1_value(&line, "cmd")[0], 'a' + lines++);
            cr_assert_eq(got, 0);
        }
        cr_assert_eq(lines, 3);
    }
}

Test(wire, reader_refuses_a_line_without_end)
{
    static struct pl_pmi1_reader reader;
    static struct pl_pmi1_line line;
    char filler[PL_PMI1_LINE_MAX];
    memset(filler, 'x', sizeof filler);
    push(&reader, filler, sizeof filler);
    cr_assert_eq(pl_pmi1_reader_next(&reader, &line), PL_EPROTOCOL);
}

/* Every byte string of a fixed generator either parses or is refused; the sanitizers watch. */
Test(wire, garbage)
{
    unsigned state = 1;
    for (int round = 0; round < 20000; round++) {
        struct pl_pmi1_line line;
        struct pl_mapping mapping;
        char bytes[65];
        for (int i = 0; i < 64; i++) {
            state = state * 1103515245u + 12345u;
            bytes[i] = round % 2 ? (char)(state >> 16) : "cmd= \n(vector,0123)"[(state >> 16) % 19];
        }
        bytes[64] = '\0';
        int error = pl_pmi1_parse(&line, bytes, 64);
        cr_assert(error == 0 || error == PL_EPROTOCOL);
        error = pl_mapping_parse(&mapping, bytes);
        cr_assert(error == 0 || error == PL_EPROTOCOL);
    }
}

Test(wire, words_that_can_travel)
{
    cr_assert(pl_pmi1_word_fits("card-12", 8));
    cr_assert_not(pl_pmi1_word_fits("card-123", 8));
    cr_assert_not(pl_pmi1_word_fits("", 8));
    cr_assert_not(pl_pmi1_word_fits("a b", 8));
    cr_assert_not(pl_pmi1_word_fits("a\n", 8));
}

Test(mapping, hosts_of_ranks)
{
    static const struct {
        const char *text, *hosts; /* of ranks 0, 1, ... */
    } cases[] = {
        {"(vector,(0,1,4))", "00000000"},           {"(vector,(0,2,3))", "000111000111"},
        {"(vector,(0,3,1))", "012012012"},          {"(vector,(0,1,2),(1,2,1))", "001200120"},
        {" ( vector, (2,1,2), (0,1,1) )", "22022"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pl_mapping mapping;
        cr_assert_eq(pl_mapping_parse(&mapping, cases[i].text), 0, "%s", cases[i].text);
        for (int rank = 0; cases[i].hosts[rank]; rank++)
            cr_assert_eq(pl_mapping_host(&mapping, rank), cases[i].hosts[rank] - '0', "%s rank %d",
                         cases[i].text, rank);
    }
}

Test(mapping, nonsense_is_refused)
{
    static const char *const texts[] = {
        "",
        "(vector)",
        "(vector,())",
        "(vector,(0,1))",
        "(vector,(0,0,1))",
        "(vector,(0,1,0))",
        "(vector,(-1,1,1))",
        "(vector,(0,1,1)",
        "(vector,(0,1,1)) ",
        "(matrix,(0,1,1))",
        "(vector,(0,1,99999999999))",
        "(vector,(0,1,1)(1,1,1))",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pl_mapping mapping = {.count = -7};
        cr_assert_eq(pl_mapping_parse(&mapping, texts[i]), PL_EPROTOCOL, "%s", texts[i]);
        cr_assert_eq(mapping.count, -7);
    }
}
