/* PMI-1's lines, as a rank or a launcher sends them. */
#include "fuzz.h"

#include "pmi1_wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_pmi1_reader reader = {0};
    static struct pl_pmi1_line line;
    while (size) {
        size_t room;
        char *to = pl_pmi1_reader_room(&reader, &room);
        size_t part = room < size ? room : size;
        memcpy(to, data, part);
        reader.fill += part;
        data += part;
        size -= part;
        int got;
        while ((got = pl_pmi1_reader_next(&reader, &line)) > 0) {
            long number;
            pl_pmi1_value(&line, "cmd");
            pl_pmi1_number(&line, "rc", -10, 10, &number);
            pl_pmi1_succeeded(&line);
        }
        if (got < 0)
            break;
    }
    return 0;
}
