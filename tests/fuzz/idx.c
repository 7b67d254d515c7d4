/* A pair of IDX files: images, then labels. Input: length of the first (2 bytes), both. */
#include "fuzz.h"

#include "data.h"
#include "failure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t first = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    first = first < size ? first : size;
    char images[64], labels[64];
    int a = fuzz_file(data, first, images), b = fuzz_file(data + first, size - first, labels);
    struct dataset set;
    struct failure failure;
    if (!data_read_idx(&set, images, labels, &failure))
        dataset_destroy(&set);
    close(a);
    close(b);
    return 0;
}
