/* Findings: collected by each rank, carried to rank 0 as lines of text, grouped and printed there.
 *
 *     rank 0   shm: chosen ... (1-3)   \
 *     rank 1   shm: chosen ... (0,2-3)  >   OK   shm   each pair of 0-3: chosen ...
 *     rank 2   ...                     /
 *
 * A line is level (with an h if it is for a whole host), check, peers, text and mend, with tabs between. Text
 * was preferred to structs, since it goes through launchers that carry words only, and its length is what is
 * said.
 */
#include "findings.h"

#include "errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            *text = ' ';
}

static bool same(const struct pl_finding *a, const struct pl_finding *b)
{
    return a->level == b->level && !strcmp(a->check, b->check) && !strcmp(a->text, b->text) &&
           !strcmp(a->mend, b->mend) && a->for_host == b->for_host && !a->npeers == !b->npeers;
}

static bool add_peer(struct pl_finding *finding, int peer)
{
    int *peers = realloc(finding->peers, sizeof *peers * (size_t)(finding->npeers + 1));
    if (!peers)
        return false;
    int at = finding->npeers++;
    for (; at > 0 && peers[at - 1] > peer; at--)
        peers[at] = peers[at - 1];
    peers[at] = peer;
    finding->peers = peers;
    return true;
}

/* Takes over the finding, and what it owns. */
static void append(struct pl_findings *findings, struct pl_finding *finding)
{
    one_line(finding->text);
    one_line(finding->mend);
    struct pl_finding *list = realloc(findings->list, sizeof *list * (size_t)(findings->count + 1));
    if (!list) {
        free(finding->peers);
        findings->failed = true;
        return;
    }
    findings->list = list;
    list[findings->count++] = *finding;
}

static void compose(struct pl_finding *finding, enum pl_level level, const char *check, const char *mend,
                    const char *format, va_list args)
{
    *finding = (struct pl_finding){.level = level};
    snprintf(finding->check, sizeof finding->check, "%s", check);
    snprintf(finding->mend, sizeof finding->mend, "%s", mend ? mend : "");
    vsnprintf(finding->text, sizeof finding->text, format, args);
}

void pl_find(struct pl_findings *findings, enum pl_level level, const char *check, const char *mend,
             const char *format, ...)
{
    struct pl_finding finding;
    va_list args;
    va_start(args, format);
    compose(&finding, level, check, mend, format, args);
    va_end(args);
    finding.for_host = findings->for_host;
    append(findings, &finding);
}

void pl_find_peer(struct pl_findings *findings, int peer, enum pl_level level, const char *check,
                  const char *mend, const char *format, ...)
{
    struct pl_finding finding;
    va_list args;
    va_start(args, format);
    compose(&finding, level, check, mend, format, args);
    va_end(args);
    one_line(finding.text);
    one_line(finding.mend);
    bool added = add_peer(&finding, peer);
    for (int i = 0; added && i < findings->count; i++)
        if (same(&findings->list[i], &finding)) {
            findings->failed |= !add_peer(&findings->list[i], peer);
            free(finding.peers);
            return;
        }
    if (added)
        append(findings, &finding);
    findings->failed |= !added;
}

void pl_findings_finish(struct pl_findings *findings)
{
    for (int i = 0; i < findings->count; i++)
        free(findings->list[i].peers);
    free(findings->list);
    *findings = (struct pl_findings){0};
}

/* ---- as text ---- */

/* "0-3,7"; in `file`. */
static void write_ranks(FILE *file, const int *ranks, int count, const char *comma)
{
    for (int i = 0; i < count;) {
        int last = i;
        while (last + 1 < count && ranks[last + 1] == ranks[last] + 1)
            last++;
        fprintf(file, last > i ? "%s%d-%d" : "%s%d", i ? comma : "", ranks[i], ranks[last]);
        i = last + 1;
    }
}

char *pl_findings_pack(const struct pl_findings *findings)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return NULL;
    for (int i = 0; i < findings->count; i++) {
        const struct pl_finding *f = &findings->list[i];
        fprintf(file, "%d%s\t%s\t", (int)f->level, f->for_host ? "h" : "", f->check);
        write_ranks(file, f->peers, f->npeers, ",");
        fprintf(file, "\t%s\t%s\n", f->text, f->mend);
    }
    if (!fclose(file))
        return text;
    free(text);
    return NULL;
}

static bool read_ranks(struct pl_finding *finding, const char *text)
{
    enum { MOST = 1 << 20 };
    while (*text) {
        char *end;
        long first = strtol(text, &end, 10), last = first;
        if (end == text || first < 0)
            return false;
        if (*end == '-') {
            text = end + 1;
            last = strtol(text, &end, 10);
        }
        if (end == text || last < first || last > MOST || (*end && *end != ','))
            return false;
        for (; first <= last; first++)
            if (!add_peer(finding, (int)first))
                return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

static void unpack_line(struct pl_findings *findings, char *line)
{
    struct pl_finding finding = {0};
    char *level = strsep(&line, "\t"), *check = strsep(&line, "\t"), *peers = strsep(&line, "\t");
    char *text = strsep(&line, "\t"), *mend = strsep(&line, "\t");
    if (!mend || *level < '0' || *level > '0' + PL_LEVEL_PROBLEM || (level[1] && strcmp(level + 1, "h")))
        return;
    finding.level = (enum pl_level)(*level - '0');
    finding.for_host = level[1];
    snprintf(finding.check, sizeof finding.check, "%s", check);
    snprintf(finding.text, sizeof finding.text, "%s", text);
    snprintf(finding.mend, sizeof finding.mend, "%s", mend);
    if (read_ranks(&finding, peers))
        append(findings, &finding);
    else
        free(finding.peers);
}

void pl_findings_unpack(struct pl_findings *findings, const char *text)
{
    char *copy = strdup(text), *rest = copy;
    findings->failed |= !copy;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line)
            unpack_line(findings, line);
    free(copy);
}

/* ---- groups ---- */

static int group_add(struct pl_finding_group *group, int from, int to)
{
    int *a = realloc(group->from, sizeof *a * (size_t)(group->count + 1));
    group->from = a ? a : group->from;
    int *b = realloc(group->to, sizeof *b * (size_t)(group->count + 1));
    group->to = b ? b : group->to;
    if (!a || !b)
        return pl_fail(PL_ENOMEM, "no memory to put findings together");
    a[group->count] = from;
    b[group->count++] = to;
    return 0;
}

static struct pl_finding_group *group_of(struct pl_finding_groups *groups, const struct pl_finding *finding)
{
    for (int i = 0; i < groups->count; i++)
        if (same(groups->list[i].finding, finding))
            return &groups->list[i];
    struct pl_finding_group *list = realloc(groups->list, sizeof *list * (size_t)(groups->count + 1));
    if (!list)
        return NULL;
    groups->list = list;
    list[groups->count] = (struct pl_finding_group){.finding = finding};
    return &list[groups->count++];
}

static int group_one(struct pl_finding_groups *groups, const struct pl_finding *finding, int rank)
{
    struct pl_finding_group *group = group_of(groups, finding);
    if (!group)
        return pl_fail(PL_ENOMEM, "no memory to put findings together");
    int error = finding->npeers ? 0 : group_add(group, rank, -1);
    for (int i = 0; i < finding->npeers && !error; i++)
        error = group_add(group, rank, finding->peers[i]);
    return error;
}

int pl_groups_make(struct pl_finding_groups *groups, const struct pl_findings *all, int ranks)
{
    *groups = (struct pl_finding_groups){0};
    for (int level = PL_LEVEL_OK; level <= PL_LEVEL_PROBLEM; level++)
        for (int rank = 0; rank < ranks; rank++)
            for (int i = 0; i < all[rank].count; i++) {
                const struct pl_finding *finding = &all[rank].list[i];
                int error = (int)finding->level == level ? group_one(groups, finding, rank) : 0;
                if (error) {
                    pl_groups_finish(groups);
                    return error;
                }
            }
    return 0;
}

void pl_groups_finish(struct pl_finding_groups *groups)
{
    for (int i = 0; i < groups->count; i++) {
        free(groups->list[i].from);
        free(groups->list[i].to);
    }
    free(groups->list);
    *groups = (struct pl_finding_groups){0};
}

/* ---- who ---- */

static bool has_pair(const struct pl_finding_group *group, int from, int to)
{
    for (int i = 0; i < group->count; i++)
        if (group->from[i] == from && group->to[i] == to)
            return true;
    return false;
}

/* Whether the ranks speak for some hosts, or are all of them; writes these. */
static bool write_hosts(FILE *file, const struct pl_finding_group *group, const struct pl_places *places)
{
    if (places->hosts < 2)
        return group->finding->for_host;
    for (int pass = 0; pass < 2; pass++) {
        const char *comma = "host ";
        for (int host = 0; host < places->hosts; host++) {
            int there = 0, said = 0;
            for (int r = 0; r < places->ranks; r++)
                there += places->host_of[r] == host;
            for (int i = 0; i < group->count; i++)
                said += places->host_of[group->from[i]] == host;
            if (said && said != there && !group->finding->for_host)
                return false;
            if (pass && said) {
                fprintf(file, "%s%s", comma, places->names[host]);
                comma = ", ";
            }
        }
    }
    return true;
}

static void write_whose(FILE *file, const struct pl_finding_group *group, const struct pl_places *places)
{
    if (group->finding->for_host && group->count == places->hosts && group->count > 1) {
        fputs("all hosts", file);
    } else if (!group->finding->for_host && group->count == places->ranks) {
        fputs(places->ranks > 1 ? "all ranks" : "", file);
    } else if (!write_hosts(file, group, places)) {
        fputs(group->count > 1 ? "ranks " : "rank ", file);
        write_ranks(file, group->from, group->count, ",");
    }
}

/* The ranks that occur, ascending; how many. `ranks` has room for all. */
static int members_of(const struct pl_finding_group *group, int *ranks)
{
    int count = 0;
    for (int i = 0; i < group->count; i++)
        if (!count || ranks[count - 1] != group->from[i])
            ranks[count++] = group->from[i];
    return count;
}

static bool complete(const struct pl_finding_group *group, const int *ranks, int count)
{
    if (count < 3 || group->count != count * (count - 1))
        return false;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            if (i != j && !has_pair(group, ranks[i], ranks[j]))
                return false;
    return true;
}

static void write_pairs(FILE *file, const struct pl_finding_group *group)
{
    enum { MOST = 6 };
    int *ranks = malloc(sizeof *ranks * (size_t)group->count), said = 0, left = 0;
    int count = ranks ? members_of(group, ranks) : 0;
    if (complete(group, ranks, count)) {
        fputs("each pair of ", file);
        write_ranks(file, ranks, count, ",");
        free(ranks);
        return;
    }
    free(ranks);
    for (int i = 0; i < group->count; i++) {
        bool both = has_pair(group, group->to[i], group->from[i]);
        if (both && group->to[i] < group->from[i])
            continue;
        if (said == MOST)
            left++;
        else
            fprintf(file, "%s%d%s%d", said++ ? ", " : "", group->from[i], both ? "<->" : "->", group->to[i]);
    }
    if (left)
        fprintf(file, " and %d more", left);
}

const char *pl_group_who(const struct pl_finding_group *group, const struct pl_places *places, char *text,
                         size_t size)
{
    *text = '\0';
    FILE *file = fmemopen(text, size, "w");
    if (!file)
        return text;
    if (group->to[0] >= 0)
        write_pairs(file, group);
    else
        write_whose(file, group, places);
    fclose(file);
    text[size - 1] = '\0';
    return text;
}

/* ---- printing ---- */

static int count_level(const struct pl_finding_groups *groups, enum pl_level level)
{
    int count = 0;
    for (int i = 0; i < groups->count; i++)
        count += groups->list[i].finding->level == level;
    return count;
}

int pl_groups_print(const struct pl_finding_groups *groups, const struct pl_places *places, FILE *file)
{
    static const char *const levels[] = {"OK", "note", "PROBLEM"};
    int notes = count_level(groups, PL_LEVEL_NOTE), problems = count_level(groups, PL_LEVEL_PROBLEM);
    for (int i = 0; i < groups->count; i++) {
        char who[240];
        const struct pl_finding *f = groups->list[i].finding;
        pl_group_who(&groups->list[i], places, who, sizeof who);
        fprintf(file, "%-8s %-9s %s%s%s\n", levels[f->level], f->check, who, *who ? ": " : "", f->text);
        if (*f->mend)
            fprintf(file, "%-8s %-9s mend it by: %s\n", "", "", f->mend);
    }
    fprintf(file, "\n%d problem%s, %d note%s\n", problems, problems == 1 ? "" : "s", notes,
            notes == 1 ? "" : "s");
    return problems;
}

static void json_text(FILE *file, const char *name, const char *text)
{
    fprintf(file, "\"%s\": \"", name);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

static void json_group(FILE *file, const struct pl_finding_group *group, const struct pl_places *places)
{
    static const char *const levels[] = {"ok", "note", "problem"};
    char who[240];
    json_text(file, "level", levels[group->finding->level]);
    fputs(", ", file);
    json_text(file, "check", group->finding->check);
    fputs(", ", file);
    json_text(file, "who", pl_group_who(group, places, who, sizeof who));
    bool pairs = group->to[0] >= 0;
    fprintf(file, ", \"%s\": [", pairs ? "pairs" : "ranks");
    for (int i = 0; i < group->count; i++)
        fprintf(file, pairs ? "%s[%d, %d]" : "%s%d", i ? ", " : "", group->from[i], group->to[i]);
    fputs("], ", file);
    json_text(file, "text", group->finding->text);
    fputs(", ", file);
    json_text(file, "mend", group->finding->mend);
}

int pl_groups_print_json(const struct pl_finding_groups *groups, const struct pl_places *places, FILE *file)
{
    int problems = count_level(groups, PL_LEVEL_PROBLEM);
    fprintf(file, "{\"ranks\": %d, \"hosts\": [", places->ranks);
    for (int host = 0; host < places->hosts; host++) {
        fputs(host ? ", {" : "{", file);
        json_text(file, "name", places->names[host]);
        fputs("}", file);
    }
    fputs("],\n \"findings\": [\n", file);
    for (int i = 0; i < groups->count; i++) {
        fputs("  {", file);
        json_group(file, &groups->list[i], places);
        fputs(i + 1 < groups->count ? "},\n" : "}\n", file);
    }
    fprintf(file, " ],\n \"problems\": %d, \"notes\": %d}\n", problems, count_level(groups, PL_LEVEL_NOTE));
    return problems;
}
