/* data.h: labelled images, and where they come from. */
#ifndef TRAIN_DATA_H
#define TRAIN_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "real.h"

/* Images of one size with their labels, 0 .. 9. */
struct dataset {
    int count, height, width;
    unsigned char *images; /* [count][height][width], 0 is background */
    unsigned char *labels; /* [count] */
};

/* To train on, and to test with. */
struct data {
    struct dataset train, test;
};

/* Room for count images; what they show is undefined. On failure *d is empty. */
int dataset_create(struct dataset *d, int count, int height, int width, struct failure *failure);
void dataset_destroy(struct dataset *d);

/* With which pixels are scaled to mean 0 and deviation 1 over typical digits. */
#define DATA_MEAN  ((real)(0.1307 * 255))
#define DATA_SCALE ((real)(1 / (0.3081 * 255)))

/* Copies image `index` to `pixels`, scaled. */
void dataset_image(const struct dataset *d, int index, real *pixels);

/* order[0 .. count-1]: a permutation that depends on seed and epoch alone. */
void data_order(int *order, int count, uint64_t seed, int epoch);

/* Reads a pair of IDX files, plain or compressed by gzip. The files are not believed:
 * whatever is wrong is named with the file and the numbers. On failure *d is empty. */
int data_read_idx(struct dataset *d, const char *images_path, const char *labels_path,
                  struct failure *failure);

/* Reads the data in a directory: train-* and t10k-* when it has both pairs; when it has
 * just one, of whatever name, the last fifth of it is the test set. */
int data_read_directory(struct data *data, const char *directory, struct failure *failure);

enum { DIGIT_SIDE = 28 };

/* Draws the index-th digit of a seed: pixels[DIGIT_SIDE * DIGIT_SIDE]; returns its label. */
int data_draw_digit(uint64_t seed, uint64_t index, unsigned char *pixels);

#endif
