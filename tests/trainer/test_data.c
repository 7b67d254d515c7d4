/* The IDX reader believes nobody: every lie in a file is found and named. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data.h"
#include "random.h"

enum { COUNT = 10, HEIGHT = 16, WIDTH = 17, BODY = COUNT * HEIGHT * WIDTH };

static char directory[64];

static void make_directory(void)
{
    strcpy(directory, "/tmp/peal-train-test-XXXXXX");
    cr_assert(mkdtemp(directory));
}

static void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    cr_assert(system(command) == 0);
}

TestSuite(idx, .init = make_directory, .fini = remove_directory);

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const void *bytes, size_t size, int compressed)
{
    if (compressed) {
        gzFile file = gzopen(path_of(name), "wb");
        cr_assert(file && gzwrite(file, bytes, (unsigned)size) == (int)size && gzclose(file) == Z_OK);
    } else {
        FILE *file = fopen(path_of(name), "wb");
        cr_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    }
}

struct file {
    unsigned char bytes[16 + BODY + 8];
    size_t size;
};

static void put_word(unsigned char *at, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(word >> (24 - 8 * i));
}

static struct file images_file(void)
{
    struct file f = {.size = 16 + BODY};
    put_word(f.bytes, 0x803);
    put_word(f.bytes + 4, COUNT);
    put_word(f.bytes + 8, HEIGHT);
    put_word(f.bytes + 12, WIDTH);
    for (int i = 0; i < BODY; i++)
        f.bytes[16 + i] = (unsigned char)(i * 7);
    return f;
}

static struct file labels_file(void)
{
    struct file f = {.size = 8 + COUNT};
    put_word(f.bytes, 0x801);
    put_word(f.bytes + 4, COUNT);
    for (int i = 0; i < COUNT; i++)
        f.bytes[8 + i] = (unsigned char)(i % 10);
    return f;
}

static void put_file(const char *name, const struct file *f, int compressed)
{
    put(name, f->bytes, f->size, compressed);
}

/* Reading the two files fails and the text has both words in it. */
static void expect(const struct file *images, const struct file *labels, const char *word, const char *word2)
{
    struct failure failure = {""};
    struct dataset d;
    for (int compressed = 0; compressed < 2; compressed++) {
        put_file("i", images, compressed);
        put_file("l", labels, compressed);
        failure.text[0] = '\0';
        cr_assert(data_read_idx(&d, path_of("i"), path_of("l"), &failure) == -1, "should fail with \"%s\"",
                  word);
        cr_assert(d.images == NULL && d.labels == NULL && d.count == 0);
        cr_assert(strstr(failure.text, word) && strstr(failure.text, word2), "no \"%s\", \"%s\" in: %s", word,
                  word2, failure.text);
        cr_assert(strstr(failure.text, directory), "the file is not named: %s", failure.text);
    }
}

Test(idx, plain_and_compressed)
{
    struct file images = images_file(), labels = labels_file();
    struct failure failure = {""};
    for (int i = 0; i < 4; i++) {
        struct dataset d;
        put_file("i", &images, i & 1);
        put_file("l", &labels, i & 2);
        cr_assert(data_read_idx(&d, path_of("i"), path_of("l"), &failure) == 0, "%s", failure.text);
        cr_assert(d.count == COUNT && d.height == HEIGHT && d.width == WIDTH);
        cr_assert(memcmp(d.images, images.bytes + 16, BODY) == 0);
        cr_assert(memcmp(d.labels, labels.bytes + 8, COUNT) == 0);
        dataset_destroy(&d);
    }
}

Test(idx, cut_short_anywhere)
{
    struct file good_images = images_file(), good_labels = labels_file();
    for (size_t size = 0; size < good_images.size; size += size < 20 ? 1 : 501) {
        struct file cut = good_images;
        cut.size = size;
        expect(&cut, &good_labels, size < 16 ? "too few for the header" : "is cut short",
               size < 16 ? "16" : "2720");
    }
    for (size_t size = 0; size < good_labels.size; size++) {
        struct file cut = good_labels;
        cut.size = size;
        expect(&good_images, &cut, size < 8 ? "too few for the header" : "is cut short",
               size < 8 ? "8" : "10 bytes");
    }
}

Test(idx, lies_about_its_size)
{
    struct file images = images_file(), labels = labels_file();
    put_word(images.bytes + 4, 0xffffffff);
    expect(&images, &labels, "4294967295 images", "100000000");
    put_word(images.bytes + 4, 90000000);
    put_word(images.bytes + 8, 512);
    put_word(images.bytes + 12, 512);
    expect(&images, &labels, "is cut short", "23592960000000");
    images = images_file();
    put_word(images.bytes + 8, 0);
    expect(&images, &labels, "0 x 17", "can be used");
    put_word(images.bytes + 8, 0x10000);
    expect(&images, &labels, "65536 x 17", "can be used");
    images = images_file();
    images.size += 1;
    expect(&images, &labels, "goes on after", "2720");
    images = images_file();
    put_word(labels.bytes + 4, COUNT + 1);
    expect(&images, &labels, "11 labels", "10 images");
}

Test(idx, wrong_kind)
{
    struct file images = images_file(), labels = labels_file();
    expect(&labels, &labels, "0x00000801", "0x00000803");
    expect(&images, &images, "0x00000803", "0x00000801");
    labels.bytes[8 + 7] = 10;
    expect(&images, &labels, "label 7 of 10 is 10", "0 to 9");
}

Test(idx, damaged_compression)
{
    struct file images = images_file(), labels = labels_file();
    struct random r = random_stream(1, RANDOM_ORDER, 0);
    unsigned char bytes[2 * BODY];
    struct dataset d;
    for (int i = 0; i < BODY; i++)
        images.bytes[16 + i] = (unsigned char)random_below(&r, 256);
    put_file("i", &images, 1);
    put_file("l", &labels, 0);
    FILE *file = fopen(path_of("i"), "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 1; cut < size; cut += 97) {
        struct failure failure = {""};
        put("i", bytes, cut, 0);
        cr_assert(data_read_idx(&d, path_of("i"), path_of("l"), &failure) == -1, "cut to %zu of %zu", cut,
                  size);
        cr_assert(failure.text[0]);
    }
    for (size_t at = 10; at < size; at += 53) {
        struct failure failure = {""};
        bytes[at] ^= 0x55;
        put("i", bytes, size, 0);
        cr_assert(data_read_idx(&d, path_of("i"), path_of("l"), &failure) == -1, "byte %zu changed", at);
        bytes[at] ^= 0x55;
    }
}

Test(idx, garbage_never_passes)
{
    struct random r = random_stream(2, RANDOM_ORDER, 0);
    struct file labels = labels_file();
    put_file("l", &labels, 0);
    for (int i = 0; i < 300; i++) {
        struct failure failure = {""};
        struct dataset d;
        struct file f = images_file();
        f.size = random_below(&r, sizeof f.bytes);
        if (i % 2)
            put_word(f.bytes, (uint32_t)random_word(&r));
        for (int k = 0; k < 4; k++)
            f.bytes[random_below(&r, 16)] = (unsigned char)random_word(&r);
        put_file("i", &f, 0);
        if (data_read_idx(&d, path_of("i"), path_of("l"), &failure) == 0) {
            cr_assert(f.size == 16 + (size_t)d.count * (size_t)d.height * (size_t)d.width);
            dataset_destroy(&d);
        } else
            cr_assert(failure.text[0]);
    }
}

Test(idx, missing_file)
{
    struct failure failure = {""};
    struct dataset d;
    cr_assert(data_read_idx(&d, path_of("nowhere"), path_of("l"), &failure) == -1);
    cr_assert(strstr(failure.text, "nowhere") && strstr(failure.text, "No such file"), "%s", failure.text);
}

static int read_here(struct data *data, struct failure *failure)
{
    failure->text[0] = '\0';
    return data_read_directory(data, directory, failure);
}

Test(idx, directory_with_one_pair_is_split)
{
    struct file images = images_file(), labels = labels_file();
    struct failure failure;
    struct data data;
    put_file("some.images.gz", &images, 1);
    put_file("some.labels", &labels, 0);
    put("README", "text", 4, 0);
    cr_assert(read_here(&data, &failure) == 0, "%s", failure.text);
    cr_assert(data.train.count == 8 && data.test.count == 2);
    cr_assert(data.test.labels[0] == 8 && data.test.labels[1] == 9);
    cr_assert(memcmp(data.test.images, images.bytes + 16 + 8 * HEIGHT * WIDTH, 2 * HEIGHT * WIDTH) == 0);
    dataset_destroy(&data.train);
    dataset_destroy(&data.test);
}

Test(idx, directory_with_both_pairs)
{
    struct file images = images_file(), labels = labels_file(), short_labels = labels_file();
    struct failure failure;
    struct data data;
    put_file("train-images-idx3-ubyte", &images, 0);
    put_file("train-labels.idx1-ubyte.gz", &labels, 1);
    put_file("t10k-images.idx3-ubyte", &images, 0);
    cr_assert(read_here(&data, &failure) == -1);
    cr_assert(strstr(failure.text, "t10k-images.idx3-ubyte, but no file with the labels"), "%s",
              failure.text);
    short_labels.size--;
    put_file("t10k-labels-idx1-ubyte.gz", &short_labels, 0);
    cr_assert(read_here(&data, &failure) == -1);
    cr_assert(strstr(failure.text, "t10k-labels-idx1-ubyte.gz: is cut short"), "%s", failure.text);
    put_file("t10k-labels-idx1-ubyte", &labels, 0);
    cr_assert(read_here(&data, &failure) == 0, "the plain file should be preferred: %s", failure.text);
    cr_assert(data.train.count == COUNT && data.test.count == COUNT);
    dataset_destroy(&data.train);
    dataset_destroy(&data.test);
}

Test(idx, directory_without_data)
{
    struct file images = images_file(), labels = labels_file();
    struct failure failure;
    struct data data;
    cr_assert(read_here(&data, &failure) == -1);
    cr_assert(strstr(failure.text, "holds no IDX files"), "%s", failure.text);
    put_file("a-images", &images, 0);
    put_file("a-labels", &labels, 0);
    put_file("b-images", &images, 0);
    put_file("b-labels", &labels, 0);
    cr_assert(read_here(&data, &failure) == -1);
    cr_assert(strstr(failure.text, "several pairs"), "%s", failure.text);
    cr_assert(data_read_directory(&data, path_of("no"), &failure) == -1);
    cr_assert(strstr(failure.text, "No such file"), "%s", failure.text);
}

/* The real thing, when it is at hand: 10,000 handwritten digits. */
Test(idx, real_digits)
{
    static const char *const places[] = {"../shared/data/mnist10k", "../../shared/data/mnist10k"};
    struct failure failure = {""};
    struct data data;
    const char *place = getenv("PEAL_TEST_MNIST");
    for (size_t i = 0; !place && i < sizeof places / sizeof places[0]; i++)
        place = access(places[i], R_OK) == 0 ? places[i] : NULL;
    if (!place)
        cr_skip("shared/data/mnist10k is not there");
    cr_assert(data_read_directory(&data, place, &failure) == 0, "%s", failure.text);
    cr_assert(data.train.count == 8000 && data.test.count == 2000 && data.train.height == 28);
    dataset_destroy(&data.train);
    dataset_destroy(&data.test);
}
