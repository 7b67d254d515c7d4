/* A rank that asks the launcher for the job's key and looks whether it can be seen where others can look.
 *
 * Prints "key KEY" alone to the file named by its argument; then looks through arguments and environment of
 * itself and of mpiexec. */
#include "errors.h"
#include "pmi1.h"
#include "pmi1_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the file has the text in it; NULs do not end it. */
static int has(const char *path, const char *text)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

int main(int argc, char **argv)
{
    struct pl_pmi1 *client;
    char key[65], path[64];
    static const char *const files[] = {"cmdline", "environ"};
    if (argc < 2 || pl_pmi1_open(&client) || pl_pmi1_get(client, PL_PMI1_JOB_KEY, key, sizeof key)) {
        fprintf(stderr, "no key: %s\n", pl_fail_text());
        return 1;
    }
    int seen = strlen(key) != 64;
    for (int i = 0; i < 2; i++)
        for (int parent = 0; parent < 2; parent++) {
            snprintf(path, sizeof path, "/proc/%d/%s", (int)(parent ? getppid() : getpid()), files[i]);
            if (has(path, key) && ++seen)
                fprintf(stderr, "the key is in %s\n", path);
        }
    FILE *out = pl_pmi1_rank(client) == 0 ? fopen(argv[1], "w") : NULL;
    if (out && (fprintf(out, "%s\n", key) < 0 || fclose(out)))
        seen = 1;
    pl_pmi1_barrier(client);
    pl_pmi1_finalize(client);
    pl_pmi1_close(client);
    return seen;
}
