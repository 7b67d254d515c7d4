/* Snapshots: saved, changed, loaded, also by another number of servers; cut or altered, they change nothing.
 */
#include "ps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct peal_ps_table tables[] = {
    {.width = 3, .updater = PEAL_PS_MOMENTUM, .rate = 1, .momentum = 0.5f},
    {.range = 5000, .updater = PEAL_PS_ADAM}};

enum { KEYS = 3000, RANGE = 5000 };

struct values {
    float sparse[3 * KEYS], dense[RANGE];
};

static void push(peal_ps *ps, float value)
{
    static _Thread_local uint64_t keys[KEYS];
    struct values *v = malloc(sizeof *v);
    for (int i = 0; i < KEYS; i++)
        keys[i] = (uint64_t)i * 1234567;
    for (int i = 0; i < 3 * KEYS; i++)
        v->sparse[i] = value * (float)(i % 11);
    for (int i = 0; i < RANGE; i++)
        v->dense[i] = value * (float)(i % 7);
    if (!peal_ps_worker(ps)) {
        OK(ps, peal_ps_push(ps, 0, KEYS, keys, v->sparse, NULL));
        OK(ps, peal_ps_push_range(ps, 1, 10, RANGE - 20, v->dense, NULL));
    }
    OK(ps, peal_ps_clock(ps, NULL));
    OK(ps, peal_ps_barrier(ps, NULL));
    free(v);
}

static void pull(peal_ps *ps, struct values *v)
{
    static _Thread_local uint64_t keys[KEYS];
    for (int i = 0; i < KEYS; i++)
        keys[i] = (uint64_t)i * 1234567;
    OK(ps, peal_ps_pull(ps, 0, KEYS, keys, v->sparse, NULL));
    OK(ps, peal_ps_pull_range(ps, 1, 0, RANGE, v->dense, NULL));
    OK(ps, peal_ps_barrier(ps, NULL));
}

static const char *path_of(char *path, const char *suffix)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, 200, "%s/peal-snapshot-%d%s", folder ? folder : "/tmp", (int)getppid(), suffix);
    return path;
}

/* What comes after the snapshot is undone by loading it: values and the updaters' states. */
static void there_and_back(peal_ps *ps)
{
    char path[200];
    struct values *at = malloc(sizeof *at), *after = malloc(sizeof *after), *again = malloc(sizeof *again);
    path_of(path, "-back");
    push(ps, 1);
    pull(ps, at);
    OK(ps, peal_ps_save(ps, path));
    push(ps, 2);
    pull(ps, after);
    CHECK(memcmp(at, after, sizeof *at) != 0, "the second push did nothing");
    OK(ps, peal_ps_load(ps, path));
    pull(ps, again);
    CHECK(memcmp(at, again, sizeof *at) == 0, "values differ after loading");
    push(ps, 2);
    pull(ps, again);
    CHECK(memcmp(after, again, sizeof *at) == 0, "states differ after loading");
    OK(ps, peal_ps_barrier(ps, NULL));
    if (!peal_ps_worker(ps))
        unlink(path);
    free(at);
    free(after);
    free(again);
}

/* Every cut and every change of a byte is noticed, and the values stay. */
static void spoilt(peal_ps *ps)
{
    char path[200], bad[200];
    struct values *at = malloc(sizeof *at), *after = malloc(sizeof *after);
    path_of(path, "-good");
    path_of(bad, "-bad");
    push(ps, 1);
    OK(ps, peal_ps_save(ps, path));
    push(ps, 1);
    pull(ps, at);
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);
    size_t length = file ? fread(bytes, 1, 1 << 20, file) : 0;
    CHECK(length > 100000, "%zu bytes", length);
    for (int k = 0; k < 24; k++) {
        size_t at_byte = k < 4 ? (size_t)k : k < 8 ? length - (size_t)k : length / 25 * (size_t)k;
        if (!peal_ps_worker(ps)) {
            FILE *out = fopen(bad, "wb");
            bytes[at_byte] ^= 16;
            CHECK(out && fwrite(bytes, 1, k % 2 ? at_byte : length, out) == (k % 2 ? at_byte : length), "%s",
                  bad);
            bytes[at_byte] ^= 16;
            fclose(out);
        }
        CHECK(peal_ps_load(ps, bad) == MPI_ERR_BAD_FILE, "k %d: %s", k, peal_ps_why(ps));
        CHECK(strstr(peal_ps_why(ps), bad), "%s", peal_ps_why(ps));
    }
    CHECK(peal_ps_load(ps, "/nonexistent/file") == MPI_ERR_NO_SUCH_FILE, "%s", peal_ps_why(ps));
    CHECK(peal_ps_save(ps, "/nonexistent/file") == MPI_ERR_BAD_FILE, "%s", peal_ps_why(ps));
    pull(ps, after);
    CHECK(memcmp(at, after, sizeof *at) == 0, "a spoilt snapshot changed values");
    if (!peal_ps_worker(ps)) {
        unlink(path);
        unlink(bad);
    }
    if (file)
        fclose(file);
    free(bytes);
    free(at);
    free(after);
}

/* Three cases in this order: 1 server saves, 4 servers load, and find the same. */
static void save_for_later(peal_ps *ps)
{
    char path[200];
    push(ps, 3);
    OK(ps, peal_ps_save(ps, path_of(path, "-later")));
}

static void load_later(peal_ps *ps)
{
    char path[200];
    struct values *loaded = malloc(sizeof *loaded), *pushed = malloc(sizeof *pushed);
    push(ps, 3);
    pull(ps, pushed);
    push(ps, 1);
    OK(ps, peal_ps_load(ps, path_of(path, "-later")));
    pull(ps, loaded);
    CHECK(memcmp(loaded, pushed, sizeof *loaded) == 0, "another number of servers gives other values");
    free(loaded);
    free(pushed);
}

static void tidy_up(peal_ps *ps)
{
    char path[200];
    if (!peal_ps_worker(ps))
        CHECK(unlink(path_of(path, "-later")) == 0, "%s", path);
}

#define TABLES .tables = tables, .table_count = 2

const struct ps_case ps_snapshot_cases[] = {
    {"there and back", there_and_back, .workers = 2, .servers = 3, .mode = PEAL_PS_ASYNC, TABLES},
    {"there and back, synchronous", there_and_back, .workers = 3, .servers = 2, .mode = PEAL_PS_SYNC, TABLES},
    {"spoilt", spoilt, .workers = 2, .servers = 2, .mode = PEAL_PS_ASYNC, TABLES},
    {"save for later", save_for_later, .workers = 4, .servers = 1, .mode = PEAL_PS_ASYNC, TABLES},
    {"load later", load_later, .workers = 1, .servers = 4, .mode = PEAL_PS_ASYNC, TABLES},
    {"tidy up", tidy_up, .workers = 3, .servers = 2, .mode = PEAL_PS_ASYNC, TABLES},
    {NULL},
};
