/* CRC32C: the known values (RFC 3720, appendix B.4), and that all ways to compute it agree. */
#include "crc32c.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bit_by_bit(const unsigned char *bytes, size_t length)
{
    uint32_t sum = ~UINT32_C(0);
    for (size_t i = 0; i < length; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~sum;
}

Test(crc32c, known_values)
{
    unsigned char bytes[32] = {0};
    cr_expect_eq(pl_crc32c(0, "123456789", 9), 0xe3069283u);
    cr_expect_eq(pl_crc32c(0, bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, 32);
    cr_expect_eq(pl_crc32c(0, bytes, 32), 0x62a8ab43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    cr_expect_eq(pl_crc32c(0, bytes, 32), 0x46dd794eu);
}

Test(crc32c, every_length_and_in_pieces)
{
    enum { SIZE = 600000 };
    unsigned char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    for (size_t length = 0; length < SIZE; length = length < 300 ? length + 1 : length * 3 / 2 + 5) {
        uint32_t whole = pl_crc32c(0, bytes + 1, length - !!length);
        cr_expect_eq(whole, bit_by_bit(bytes + 1, length - !!length), "%zu bytes", length);
        size_t first = length / 3;
        cr_expect_eq(pl_crc32c(pl_crc32c(0, bytes, first), bytes + first, length - first),
                     pl_crc32c(0, bytes, length));
    }
    free(bytes);
}
