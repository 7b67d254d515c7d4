/* A rank for the launcher's tests: does what its first argument says. */
#include "errors.h"
#include "mapping.h"
#include "pmi1.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(call)                                                                                          \
    do {                                                                                                     \
        if (call) {                                                                                          \
            fprintf(stderr, "%s: %s\n", #call, pl_fail_text());                                              \
            return 9;                                                                                        \
        }                                                                                                    \
    } while (0)

/* A value of rank's that is nearly as long as they may be. */
static void card(int rank, char value[1000])
{
    snprintf(value, 1000, "%d:", rank);
    size_t at = strlen(value);
    memset(value + at, 'a' + rank % 26, 990 - at);
    value[990] = '\0';
}

/* Every rank leaves a card, and reads those of some others. */
static int exchange(struct pl_pmi1 *client)
{
    int rank = pl_pmi1_rank(client), size = pl_pmi1_size(client);
    char key[64], mine[1000], theirs[1024], text[1024];
    struct pl_mapping mapping;
    snprintf(key, sizeof key, "card-%d", rank);
    card(rank, mine);
    CHECK(pl_pmi1_put(client, key, mine));
    CHECK(pl_pmi1_barrier(client));
    for (int step = 1; step <= size; step *= 2) {
        int peer = (rank + step) % size;
        snprintf(key, sizeof key, "card-%d", peer);
        CHECK(pl_pmi1_get(client, key, theirs, sizeof theirs));
        card(peer, mine);
        if (strcmp(mine, theirs))
            return 8;
    }
    CHECK(pl_pmi1_get(client, "PMI_process_mapping", text, sizeof text));
    CHECK(pl_mapping_parse(&mapping, text));
    if (pl_mapping_host(&mapping, rank) != 0)
        return 7;
    for (int i = 0; i < 10; i++)
        CHECK(pl_pmi1_barrier(client));
    CHECK(pl_pmi1_finalize(client));
    printf("rank %d of %d fine\n", rank, size);
    return 0;
}

static int garbage(struct pl_pmi1 *client, const char *text)
{
    if (pl_pmi1_rank(client) == 1 && write(atoi(getenv("PMI_FD")), text, strlen(text)) < 0)
        return 6;
    return pl_pmi1_barrier(client) ? 5 : 4;
}

int main(int argc, char **argv)
{
    struct pl_pmi1 *client = NULL;
    const char *what = argc > 1 ? argv[1] : "exchange";
    CHECK(pl_pmi1_open(&client));
    int rank = pl_pmi1_rank(client), code = 0;
    if (!strcmp(what, "exchange"))
        code = exchange(client);
    else if (!strcmp(what, "garbage"))
        code = garbage(client, argv[2]);
    else if (!strcmp(what, "die") && rank == 1)
        raise(SIGKILL);
    else if (!strcmp(what, "abort") && rank == 1)
        code = pl_pmi1_abort(client, atoi(argv[2]), true);
    else if (!strcmp(what, "leave") && rank == 1)
        _exit(0); /* not by return: a leak report would change the code */
    if (strcmp(what, "exchange"))
        pause();
    pl_pmi1_close(client);
    return code;
}
