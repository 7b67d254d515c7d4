/* Signatures: what a message means, where the program says where it lies. They answer how
 * many basic elements are in so many bytes (MPI_Get_elements), and let data be converted
 * to the external32 representation element by element.
 *
 * They are kept apart from programs because those join what touches: an int beside a
 * float is one block there. The shape is the same, a list with rounds of shared lists,
 * and the same bound on depth holds (program.c).
 */
#include "signature.h"

#include "errors.h"

#include <stdlib.h>

enum { COPIED_ITEMS = 8, FREE_DEPTH = 32 };

static bool is_pair(const struct pl_datatype *basic)
{
    return basic->group == PL_TYPES_PAIR;
}

/* Bytes of the value of a pair; the rest is the index. */
static size_t value_size(const struct pl_datatype *basic)
{
    bool same = basic->basic == PL_BASIC_FLOAT_FLOAT || basic->basic == PL_BASIC_DOUBLE_DOUBLE;
    return same ? basic->size / 2 : basic->size - sizeof(int);
}

static size_t item_size(const struct pl_item *item)
{
    return item->basic ? item->basic->size : item->body->size;
}

static size_t item_elements(const struct pl_item *item)
{
    return !item->basic ? item->body->elements : is_pair(item->basic) ? 2 : 1;
}

static const struct pl_signature *signature_of(const struct pl_part *part)
{
    return part->count && part->type->size ? part->type->signature : NULL;
}

static bool copied(const struct pl_part *part, const struct pl_signature *signature)
{
    return (part->count == 1 || signature->nitems == 1) &&
           (signature->nitems <= COPIED_ITEMS || signature->depth >= FREE_DEPTH);
}

/* What is of any kind makes the whole so; two kinds make it mixed. */
static void add_content(struct pl_signature *made, const struct pl_item *item)
{
    uint8_t content = item->basic ? pl_content_within(item->basic) : item->body->content;
    struct pl_sequence sequence = item->basic ? pl_content_sequence(item->basic, item->count)
                                              : pl_content_repeat(item->body->sequence, item->count);
    made->sequence = pl_content_join(made->sequence, sequence);
    if (!made->nitems)
        made->content = content;
    else if (made->content != content)
        made->content = made->content && content ? PL_CONTENT_MIXED : PL_CONTENT_ANY;
}

static void add(struct pl_signature *made, struct pl_item item)
{
    struct pl_item *last = made->nitems ? &made->items[made->nitems - 1] : NULL;
    add_content(made, &item);
    made->size += item.count * item_size(&item);
    made->elements += item.count * item_elements(&item);
    if (last && last->basic == item.basic && last->body == item.body) {
        last->count += item.count;
        return;
    }
    made->items[made->nitems++] = item;
    if (item.body) {
        pl_signature_hold(item.body);
        if (made->depth <= item.body->depth)
            made->depth = item.body->depth + 1;
    }
}

int pl_signature_create(const struct pl_part *parts, size_t nparts, const struct pl_signature **signature)
{
    size_t room = 0;
    for (size_t i = 0; i < nparts; i++) {
        const struct pl_signature *body = signature_of(&parts[i]);
        room += body && copied(&parts[i], body) ? body->nitems : 1;
    }
    struct pl_signature *made = calloc(1, sizeof *made + room * sizeof made->items[0]);
    if (!made)
        return pl_fail(PL_ENOMEM, "no memory for a datatype");
    made->references = 1;
    made->depth = 1;
    made->sequence.power = 1;
    for (size_t i = 0; i < nparts; i++) {
        const struct pl_part *part = &parts[i];
        const struct pl_signature *body = signature_of(part);
        if (!part->count || !part->type->size)
            continue;
        if (!body)
            add(made, (struct pl_item){.basic = part->type, .count = part->count});
        else if (!copied(part, body))
            add(made, (struct pl_item){.body = body, .count = part->count});
        else
            for (size_t j = 0; j < body->nitems; j++) {
                struct pl_item item = body->items[j];
                item.count *= part->count;
                add(made, item);
            }
    }
    *signature = made;
    return 0;
}

static struct pl_signature *mutable(const struct pl_signature *signature)
{
    return (struct pl_signature *)(uintptr_t)signature;
}

void pl_signature_hold(const struct pl_signature *signature)
{
    mutable(signature)->references++;
}

void pl_signature_release(const struct pl_signature *signature)
{
    if (!signature || --mutable(signature)->references)
        return;
    for (size_t i = 0; i < signature->nitems; i++)
        pl_signature_release(signature->items[i].body);
    free(mutable(signature));
}

/* The type as an item of a signature. */
static struct pl_item whole(const struct pl_datatype *type)
{
    return type->signature ? (struct pl_item){.body = type->signature, .count = 1}
                           : (struct pl_item){.basic = type, .count = 1};
}

size_t pl_datatype_elements(const struct pl_datatype *type)
{
    struct pl_item item = whole(type);
    return type->size ? item_elements(&item) : 0;
}

int64_t pl_elements_of_bytes(const struct pl_datatype *type, uint64_t bytes)
{
    if (!type->size)
        return bytes ? -1 : 0;
    struct pl_item item = whole(type);
    uint64_t elements = bytes / type->size * item_elements(&item);
    bytes %= type->size;
    while (bytes && item.body) {
        const struct pl_item *next = item.body->items;
        while (bytes >= next->count * item_size(next)) {
            bytes -= next->count * item_size(next);
            elements += next->count * item_elements(next);
            next++;
        }
        elements += bytes / item_size(next) * item_elements(next);
        bytes %= item_size(next);
        item = *next;
    }
    if (bytes && is_pair(item.basic) && bytes == value_size(item.basic))
        return (int64_t)elements + 1;
    return bytes ? -1 : (int64_t)elements;
}

uint64_t pl_bytes_of_elements(const struct pl_datatype *type, uint64_t elements)
{
    if (!type->size)
        return 0;
    struct pl_item item = whole(type);
    uint64_t bytes = elements / item_elements(&item) * type->size;
    elements %= item_elements(&item);
    while (elements && item.body) {
        const struct pl_item *next = item.body->items;
        while (elements >= next->count * item_elements(next)) {
            bytes += next->count * item_size(next);
            elements -= next->count * item_elements(next);
            next++;
        }
        bytes += elements / item_elements(next) * item_size(next);
        elements %= item_elements(next);
        item = *next;
    }
    return elements ? bytes + value_size(item.basic) : bytes;
}

/* Recursion is as deep as signatures are, which is bounded. */
static int visit_signature(const struct pl_signature *signature,
                           int (*visit)(void *context, const struct pl_datatype *basic, size_t count),
                           void *context)
{
    int answer = 0;
    for (size_t i = 0; i < signature->nitems && !answer; i++) {
        const struct pl_item *item = &signature->items[i];
        if (item->basic)
            answer = visit(context, item->basic, item->count);
        else
            for (size_t round = 0; round < item->count && !answer; round++)
                answer = visit_signature(item->body, visit, context);
    }
    return answer;
}

int pl_signature_visit(const struct pl_datatype *type,
                       int (*visit)(void *context, const struct pl_datatype *basic, size_t count),
                       void *context)
{
    if (!type->size)
        return 0;
    return type->signature ? visit_signature(type->signature, visit, context) : visit(context, type, 1);
}
