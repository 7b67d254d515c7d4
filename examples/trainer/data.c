/* data.c: a set of images in memory. One byte a pixel is kept and turned into a
 * real when a batch is put together: a quarter of the memory, and the conversion
 * vectorises, so it costs less than fetching four times as much.
 */
#include "data.h"

#include <stdlib.h>

#include "random.h"

int dataset_create(struct dataset *d, int count, int height, int width, struct failure *failure)
{
    size_t pixels = (size_t)count * (size_t)height * (size_t)width;
    struct dataset made = {count, height, width, malloc(pixels + 1), malloc((size_t)count + 1)};
    *d = (struct dataset){0};
    if (!made.images || !made.labels) {
        dataset_destroy(&made);
        return fail(failure, "no memory for %d images of %d x %d pixels (%zu MiB)", count, height, width,
                    pixels >> 20);
    }
    *d = made;
    return 0;
}

void dataset_destroy(struct dataset *d)
{
    if (!d)
        return;
    free(d->images);
    free(d->labels);
    *d = (struct dataset){0};
}

void dataset_image(const struct dataset *d, int index, real *pixels)
{
    size_t size = (size_t)d->height * (size_t)d->width;
    const unsigned char *image = d->images + (size_t)index * size;
    for (size_t i = 0; i < size; i++)
        pixels[i] = ((real)image[i] - DATA_MEAN) * DATA_SCALE;
}

void data_order(int *order, int count, uint64_t seed, int epoch)
{
    struct random r = random_stream(seed, RANDOM_ORDER, (uint64_t)epoch);
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; i > 0; i--) {
        int j = (int)random_below(&r, (uint32_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
