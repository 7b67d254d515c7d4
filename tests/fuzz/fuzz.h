/* A target: handed any bytes, it must come back. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a file, for what reads files: its descriptor, and its name. */
static inline int fuzz_file(const uint8_t *data, size_t size, char name[64])
{
    int fd = memfd_create("fuzz", 0);
    if (write(fd, data, size) != (ssize_t)size)
        return -1;
    snprintf(name, 64, "/proc/self/fd/%d", fd);
    return fd;
}

#endif
