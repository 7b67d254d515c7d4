/* data_directory.c: which files of a directory are the data.
 *
 * A file belongs to a pair when its name has "images" or "labels" in it; the pair
 * is named by what comes before: train-images-idx3-ubyte.gz and
 * train-labels.idx1-ubyte are both of "train-". So names with dashes, with dots,
 * compressed or not are all found, also mixed, and other files do not disturb.
 * With the pairs train- and t10k- (or test-) the one is trained on and the other
 * tested with; a single pair is split; anything else is refused, with the names of
 * what was found, rather than guessed about.
 */
#include "data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 16, NAME_SIZE = 256 };

struct pair {
    char key[NAME_SIZE], images[NAME_SIZE], labels[NAME_SIZE]; /* file names, "" when not there */
};

struct pairs {
    struct pair list[PAIRS_MAX];
    int count;
};

static int ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static struct pair *find_pair(struct pairs *pairs, const char *key)
{
    for (int i = 0; i < pairs->count; i++)
        if (strcmp(pairs->list[i].key, key) == 0)
            return &pairs->list[i];
    if (pairs->count == PAIRS_MAX)
        return NULL;
    struct pair *pair = &pairs->list[pairs->count++];
    *pair = (struct pair){0};
    snprintf(pair->key, sizeof pair->key, "%s", key);
    return pair;
}

/* Takes note of one file. Of a plain and a compressed one the plain is used. */
static int note_file(struct pairs *pairs, const char *directory, const char *name, struct failure *failure)
{
    const char *images = strstr(name, "images"), *labels = strstr(name, "labels");
    const char *word = images ? images : labels;
    char key[NAME_SIZE];
    if (!word || name[0] == '.' || strlen(name) >= NAME_SIZE)
        return 0;
    snprintf(key, sizeof key, "%.*s", (int)(word - name), name);
    struct pair *pair = find_pair(pairs, key);
    if (!pair)
        return fail(failure, "%s: has more than %d pairs of images and labels", directory, PAIRS_MAX);
    char *kept = images ? pair->images : pair->labels;
    if (kept[0] == '\0' || ends_with(kept, ".gz"))
        snprintf(kept, NAME_SIZE, "%s", name);
    return 0;
}

static int scan(struct pairs *pairs, const char *directory, struct failure *failure)
{
    DIR *dir = opendir(directory);
    int result = 0;
    if (!dir)
        return fail(failure, "%s: %s", directory, strerror(errno));
    for (struct dirent *entry = readdir(dir); entry && result == 0; entry = readdir(dir))
        result = note_file(pairs, directory, entry->d_name, failure);
    closedir(dir);
    return result;
}

static int read_pair(struct dataset *d, const char *directory, const struct pair *pair,
                     struct failure *failure)
{
    char images[4096], labels[4096];
    if (pair->images[0] == '\0' || pair->labels[0] == '\0')
        return fail(failure, "%s: there is %s, but no file with the %s that belong to it", directory,
                    pair->images[0] ? pair->images : pair->labels, pair->images[0] ? "labels" : "images");
    if (snprintf(images, sizeof images, "%s/%s", directory, pair->images) >= (int)sizeof images ||
        snprintf(labels, sizeof labels, "%s/%s", directory, pair->labels) >= (int)sizeof labels)
        return fail(failure, "%.200s...: the path is too long", directory);
    return data_read_idx(d, images, labels, failure);
}

/* The last fifth of `all` becomes the test set. Takes over or destroys `all`. */
static int split(struct data *data, struct dataset *all, const char *directory, struct failure *failure)
{
    int test = all->count / 5, train = all->count - test, result = -1;
    size_t pixels = (size_t)all->height * (size_t)all->width;
    if (test == 0) {
        failure_set(failure, "%s: %d images are too few to split into training and test", directory,
                    all->count);
        goto destroy_all;
    }
    if (dataset_create(&data->test, test, all->height, all->width, failure) != 0)
        goto destroy_all;
    memcpy(data->test.images, all->images + (size_t)train * pixels, (size_t)test * pixels);
    memcpy(data->test.labels, all->labels + train, (size_t)test);
    data->train = *all;
    data->train.count = train;
    *all = (struct dataset){0};
    result = 0;
destroy_all:
    dataset_destroy(all);
    return result;
}

static struct pair *existing(struct pairs *pairs, const char *key)
{
    for (int i = 0; i < pairs->count; i++)
        if (strcmp(pairs->list[i].key, key) == 0)
            return &pairs->list[i];
    return NULL;
}

static int read_both(struct data *data, const char *directory, const struct pair *train,
                     const struct pair *test, struct failure *failure)
{
    if (read_pair(&data->train, directory, train, failure) != 0)
        return -1;
    if (read_pair(&data->test, directory, test, failure) != 0)
        goto destroy_train;
    if (data->train.height == data->test.height && data->train.width == data->test.width)
        return 0;
    failure_set(failure, "%s: %s has images of %d x %d pixels, but %s of %d x %d", directory, train->images,
                data->train.height, data->train.width, test->images, data->test.height, data->test.width);
    dataset_destroy(&data->test);
destroy_train:
    dataset_destroy(&data->train);
    return -1;
}

int data_read_directory(struct data *data, const char *directory, struct failure *failure)
{
    struct pairs pairs = {.count = 0};
    struct dataset all;
    *data = (struct data){0};
    if (scan(&pairs, directory, failure) != 0)
        return -1;
    if (pairs.count == 0)
        return fail(failure,
                    "%s: holds no IDX files (looked for names like train-images-idx3-ubyte or "
                    "t10k-labels-idx1-ubyte.gz)",
                    directory);
    struct pair *train = existing(&pairs, "train-"), *test = existing(&pairs, "t10k-");
    if (!test)
        test = existing(&pairs, "test-");
    if (train && test)
        return read_both(data, directory, train, test, failure);
    if (pairs.count > 1)
        return fail(
            failure,
            "%s: has several pairs (\"%s\", \"%s\"), but not \"train-\" and \"t10k-\"; leave one, to be "
            "split, or rename them",
            directory, pairs.list[0].key, pairs.list[1].key);
    if (read_pair(&all, directory, &pairs.list[0], failure) != 0)
        return -1;
    return split(data, &all, directory, failure);
}
