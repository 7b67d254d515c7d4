/* Ranks are dealt to hosts like cards, a host's slots at a time, again from the
 * first when the last has its share:
 *
 *     -host a:2,b:1  -n 6            a a b a a b
 *     ... --map-by node              a b a b a b
 *     ... -ppn 3                     a a a b b b
 *
 * A program with a -host of its own (MPMD) deals to those, the others go on where
 * the program before stopped. That there are more ranks than slots is no error: slots
 * say in which proportion, and the waiting of Peal copes with shared cores.
 *
 * For PMI the layout is told in blocks (first host, hosts, ranks on each). A layout
 * that repeats is told once, since the blocks are gone over again.
 */
#include "layout.h"

#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the next rank goes. */
struct dealer {
    struct pl_hosts *hosts;
    int *numbers;  /* [hosts->count]: 1 + the host's number in the layout, 0: none yet */
    int at, dealt; /* the host whose turn it is, and what it got in this turn */
};

static int turn_of(const struct pl_options *options, const struct pl_host *host)
{
    return options->by_node ? 1 : options->per_host ? options->per_host : host->slots;
}

static int all_slots(const struct pl_options *options, const struct pl_hosts *hosts)
{
    int slots = 0;
    for (int i = 0; i < hosts->count && slots <= PL_RANKS_MAX; i++)
        slots += options->per_host ? options->per_host : hosts->list[i].slots;
    return slots;
}

/* The hosts for all programs; none named: this one. */
static int general_hosts(struct pl_hosts *hosts, const struct pl_options *options)
{
    int error = 0;
    if (options->hosts)
        error = pl_hosts_add_list(hosts, "-hosts", options->hosts);
    if (!error && options->hostfile)
        error = pl_hosts_add_file(hosts, options->hostfile);
    if (!error && !hosts->count)
        error = pl_hosts_add_list(hosts, "-host", "localhost");
    return error;
}

/* The number of a host in the layout, which it enters if it is new. One number for the host that this
 * is, whatever name it has in which list. */
static int enter(struct pl_hosts *used, const struct pl_host *host)
{
    for (int i = 0; i < used->count; i++)
        if (!strcmp(used->list[i].name, host->name) || (host->local && used->list[i].local))
            return i;
    char word[300];
    snprintf(word, sizeof word, "[%s]:%d", host->name, host->slots);
    int error = pl_hosts_add_list(used, "-host", word);
    if (error)
        return error;
    used->list[used->count - 1].local = host->local;
    return used->count - 1;
}

static int deal(struct dealer *dealer, const struct pl_options *options, struct pl_hosts *used)
{
    struct pl_hosts *hosts = dealer->hosts;
    if (dealer->dealt >= turn_of(options, &hosts->list[dealer->at])) {
        dealer->dealt = 0;
        dealer->at = (dealer->at + 1) % hosts->count;
    }
    dealer->dealt++;
    int *number = &dealer->numbers[dealer->at];
    int found = *number ? *number - 1 : enter(used, &hosts->list[dealer->at]);
    if (found >= 0)
        *number = found + 1;
    return found;
}

static int dealer_init(struct dealer *dealer, struct pl_hosts *hosts)
{
    pl_hosts_find_local(hosts);
    *dealer = (struct dealer){.hosts = hosts, .numbers = calloc((size_t)hosts->count, sizeof(int))};
    return dealer->numbers ? 0 : pl_fail(PL_ENOMEM, "no memory for %d hosts", hosts->count);
}

static int place(struct pl_layout *layout, struct pl_options *options, struct pl_app *app,
                 struct dealer *dealer)
{
    if (!app->ranks)
        app->ranks =
            options->hosts || options->hostfile || app->hosts ? all_slots(options, dealer->hosts) : 1;
    if (app->ranks > PL_RANKS_MAX - layout->ranks)
        return pl_fail(PL_EARG, "more than %d ranks in all", PL_RANKS_MAX);
    int *grown = realloc(layout->host_of, sizeof *grown * (size_t)(layout->ranks + app->ranks));
    if (!grown)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", layout->ranks + app->ranks);
    layout->host_of = grown;
    for (int i = 0; i < app->ranks; i++) {
        int host = deal(dealer, options, &layout->hosts);
        if (host < 0)
            return host;
        layout->host_of[layout->ranks++] = host;
    }
    return 0;
}

static int place_elsewhere(struct pl_layout *layout, struct pl_options *options, struct pl_app *app)
{
    struct pl_hosts own = {0};
    struct dealer dealer = {0};
    int error = pl_hosts_add_list(&own, "-host", app->hosts);
    if (!error)
        error = dealer_init(&dealer, &own);
    if (!error)
        error = place(layout, options, app, &dealer);
    free(dealer.numbers);
    pl_hosts_finish(&own);
    return error;
}

static int place_all(struct pl_layout *layout, struct pl_options *options)
{
    struct pl_hosts general = {0};
    struct dealer dealer = {0};
    int error = general_hosts(&general, options);
    if (!error)
        error = dealer_init(&dealer, &general);
    for (int i = 0; i < options->napps && !error; i++)
        error = options->apps[i].hosts ? place_elsewhere(layout, options, &options->apps[i])
                                       : place(layout, options, &options->apps[i], &dealer);
    free(dealer.numbers);
    pl_hosts_finish(&general);
    return error;
}

int pl_layout_make(struct pl_layout *layout, struct pl_options *options)
{
    *layout = (struct pl_layout){0};
    int error = place_all(layout, options);
    if (error)
        return error;
    options->ranks = layout->ranks;
    layout->local_rank = calloc((size_t)layout->ranks, sizeof *layout->local_rank);
    layout->on_host = calloc((size_t)layout->hosts.count, sizeof *layout->on_host);
    if (!layout->local_rank || !layout->on_host)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", layout->ranks);
    pl_layout_count(layout);
    return 0;
}

int pl_layout_init(struct pl_layout *layout, struct pl_hosts *hosts, int ranks)
{
    *layout = (struct pl_layout){.hosts = *hosts, .ranks = ranks};
    *hosts = (struct pl_hosts){0};
    layout->host_of = calloc((size_t)ranks, sizeof *layout->host_of);
    layout->local_rank = calloc((size_t)ranks, sizeof *layout->local_rank);
    layout->on_host = calloc((size_t)layout->hosts.count, sizeof *layout->on_host);
    return layout->host_of && layout->local_rank && layout->on_host
               ? 0
               : pl_fail(PL_ENOMEM, "no memory for %d ranks", ranks);
}

void pl_layout_count(struct pl_layout *layout)
{
    for (int i = 0; i < layout->ranks; i++)
        layout->local_rank[i] = layout->on_host[layout->host_of[i]]++;
}

void pl_layout_finish(struct pl_layout *layout)
{
    pl_hosts_finish(&layout->hosts);
    free(layout->host_of);
    free(layout->local_rank);
    free(layout->on_host);
    *layout = (struct pl_layout){0};
}

/* The length of the shortest part that the layout repeats, itself if none: the prefix function of Knuth,
 * Morris and Pratt; `overlap[i]` is the longest proper end of the first i+1 that is also their start. */
static int period_of(const struct pl_layout *layout)
{
    const int *host = layout->host_of;
    int *overlap = calloc((size_t)layout->ranks, sizeof *overlap);
    if (!overlap)
        return layout->ranks;
    for (int i = 1; i < layout->ranks; i++) {
        int length = overlap[i - 1];
        while (length && host[i] != host[length])
            length = overlap[length - 1];
        overlap[i] = length + (host[i] == host[length]);
    }
    int period = layout->ranks - overlap[layout->ranks - 1];
    free(overlap);
    return period;
}

/* How many ranks from `at` on are on one host. */
static int run_length(const struct pl_layout *layout, int at, int end)
{
    int length = 1;
    while (at + length < end && layout->host_of[at + length] == layout->host_of[at])
        length++;
    return length;
}

int pl_layout_mapping(const struct pl_layout *layout, char *text, size_t size)
{
    int end = period_of(layout), at = 0;
    size_t fill = (size_t)snprintf(text, size, "(vector");
    while (at < end) {
        int first = layout->host_of[at], length = run_length(layout, at, end), hosts = 0;
        while (at < end && layout->host_of[at] == first + hosts && run_length(layout, at, end) == length) {
            hosts++;
            at += length;
        }
        fill += (size_t)snprintf(text + fill, size - fill, ",(%d,%d,%d)", first, hosts, length);
        if (fill + 2 > size)
            return pl_fail(PL_EARG,
                           "the ranks are spread over the hosts too irregularly to be told to them "
                           "(rank %d of %d): order the list of hosts, or use -ppn",
                           at, layout->ranks);
    }
    snprintf(text + fill, size - fill, ")");
    return 0;
}

int pl_layout_served_count(const struct pl_layout *layout)
{
    int count = 0;
    for (int i = 0; i < layout->hosts.count; i++)
        count += !layout->hosts.list[i].local;
    return count;
}

int pl_layout_served(const struct pl_layout *layout, int position)
{
    for (int i = 0; i < layout->hosts.count; i++)
        if (!layout->hosts.list[i].local && position-- == 0)
            return i;
    return -1;
}

int pl_layout_position(const struct pl_layout *layout, int host)
{
    int position = 0;
    for (int i = 0; i < host; i++)
        position += !layout->hosts.list[i].local;
    return layout->hosts.list[host].local ? -1 : position;
}
