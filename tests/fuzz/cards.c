/* Business cards of tcp, and the mapping of ranks to hosts, as a launcher hands them out. */
#include "fuzz.h"

#include "mapping.h"
#include "tcp_address.h"
#include "transport.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_tcp_card card, again;
    unsigned char packed[PL_CARD_MAX];
    if (size <= PL_CARD_MAX && !pl_tcp_card_unpack(data, size, &card)) {
        size_t length = pl_tcp_card_pack(&card, packed);
        if (length != size || memcmp(packed, data, size) || pl_tcp_card_unpack(packed, length, &again))
            abort(); /* what is believed must be what was meant */
    }
    char *text = strndup((const char *)data, size);
    struct pl_mapping mapping;
    if (!pl_mapping_parse(&mapping, text))
        for (int rank = 0; rank < 100; rank++)
            pl_mapping_host(&mapping, rank);
    free(text);
    return 0;
}
