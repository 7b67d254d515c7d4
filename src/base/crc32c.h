/* CRC32C (Castagnoli), by the processor's instruction where it has one. */
#ifndef PL_CRC32C_H
#define PL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The sum of `length` bytes that follow bytes whose sum is `sum` (0: none). */
uint32_t pl_crc32c(uint32_t sum, const void *bytes, size_t length);

#endif
