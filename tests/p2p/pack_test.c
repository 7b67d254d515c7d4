/* Derived datatypes against a reference that is as naive as the standard's text: a list of
 * (basic type, displacement) that is written out in full, and marks for the bounds. Random
 * types are nested in each other; packing is compared at every kind of split. */
#include "pack.h"
#include "signature.h"

#include <mpi.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    ptrdiff_t at;
    const struct pl_datatype *basic;
};

/* A type and what it should be. */
struct sample {
    struct pl_datatype *type;
    struct entry *map;
    size_t entries;
    bool marked;
    ptrdiff_t lb, ub;
};

enum { MOST = 600 }; /* entries of a typemap */

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static const uintptr_t basics[] = {(uintptr_t)MPI_CHAR,   (uintptr_t)MPI_SHORT,       (uintptr_t)MPI_INT,
                                   (uintptr_t)MPI_DOUBLE, (uintptr_t)MPI_LONG_DOUBLE, (uintptr_t)MPI_INT,
                                   (uintptr_t)MPI_DOUBLE, (uintptr_t)MPI_FLOAT};

static size_t align_of(const struct sample *s)
{
    size_t align = 1;
    for (size_t i = 0; i < s->entries; i++)
        if (s->map[i].basic->align > align)
            align = s->map[i].basic->align;
    return align;
}

static void natural_bounds(struct sample *s)
{
    ptrdiff_t lb = 0, ub = 0;
    for (size_t i = 0; i < s->entries; i++) {
        ptrdiff_t from = s->map[i].at, to = from + (ptrdiff_t)s->map[i].basic->size;
        if (!i || from < lb)
            lb = from;
        if (!i || to > ub)
            ub = to;
    }
    ptrdiff_t align = (ptrdiff_t)align_of(s);
    while ((ub - lb) % align)
        ub++;
    s->lb = lb;
    s->ub = ub;
}

static struct sample basic_sample(void)
{
    const struct pl_datatype *basic = pl_datatype_predefined(basics[draw(8)]);
    struct sample s = {.entries = 1, .map = malloc(sizeof(struct entry))};
    s.map[0] = (struct entry){0, basic};
    s.type = (struct pl_datatype *)(uintptr_t)basic;
    natural_bounds(&s);
    return s;
}

static void drop(struct sample *s)
{
    pl_datatype_release(s->type);
    free(s->map);
}

/* The sample made of parts[i] of the samples children[i], which are dropped. */
static struct sample combine(struct pl_part *parts, struct sample *children, size_t n)
{
    struct sample s = {0};
    bool any = false;
    for (size_t i = 0; i < n; i++)
        s.entries += parts[i].count * children[i].entries;
    s.map = malloc((s.entries + 1) * sizeof *s.map);
    s.entries = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < parts[i].count; k++) {
            ptrdiff_t at = parts[i].offset + (ptrdiff_t)k * parts[i].stride;
            for (size_t e = 0; e < children[i].entries; e++)
                s.map[s.entries++] = (struct entry){at + children[i].map[e].at, children[i].map[e].basic};
            if (!children[i].marked)
                continue;
            if (!any || at + children[i].lb < s.lb)
                s.lb = at + children[i].lb;
            if (!any || at + children[i].ub > s.ub)
                s.ub = at + children[i].ub;
            any = true;
        }
    s.marked = any;
    if (!any)
        natural_bounds(&s);
    for (size_t i = 0; i < n; i++)
        parts[i].type = children[i].type;
    cr_assert_eq(pl_datatype_create(parts, n, &s.type), 0);
    for (size_t i = 0; i < n; i++)
        drop(&children[i]);
    return s;
}

static struct sample resize(struct sample child)
{
    struct sample s = child;
    s.marked = true;
    s.lb = child.lb + (ptrdiff_t)draw(24) - 12;
    s.ub = s.lb + (ptrdiff_t)(child.ub - child.lb) + (ptrdiff_t)draw(40) - 8;
    cr_assert_eq(pl_datatype_resize(child.type, s.lb, s.ub - s.lb, &s.type), 0);
    pl_datatype_release(child.type);
    return s;
}

static struct sample any_sample(int depth)
{
    if (!depth || draw(8) == 0)
        return basic_sample();
    struct pl_part parts[6];
    struct sample children[6];
    size_t n = 1 + (draw(2) ? draw(6) : 0), room = MOST;
    if (draw(5) == 0)
        return resize(any_sample(depth - 1));
    for (size_t i = 0; i < n; i++) {
        children[i] = any_sample(depth - 1);
        ptrdiff_t extent = children[i].ub - children[i].lb;
        uint32_t most = (uint32_t)(room / n / (children[i].entries + 1));
        static const ptrdiff_t jumps[] = {0, 0, 1, 8, -3, 16};
        parts[i] = (struct pl_part){.offset = draw(2) ? (ptrdiff_t)draw(64) - 20 : (ptrdiff_t)i * extent,
                                    .stride = extent + jumps[draw(6)] * (1 + (ptrdiff_t)draw(3)),
                                    .count = draw(most < 7 ? most + 1 : 8)};
        if (draw(6) == 0)
            parts[i].stride = -parts[i].stride;
    }
    return combine(parts, children, n);
}

static void check_shape(const struct sample *s, unsigned number)
{
    const struct pl_datatype *t = s->type;
    size_t size = 0, elements = 0;
    ptrdiff_t low = 0, high = 0;
    for (size_t i = 0; i < s->entries; i++) {
        size += s->map[i].basic->size;
        elements++;
        ptrdiff_t from = s->map[i].at, to = from + (ptrdiff_t)s->map[i].basic->size;
        low = !i || from < low ? from : low;
        high = !i || to > high ? to : high;
    }
    cr_assert_eq(t->size, size, "case %u: size %zu, not %zu", number, t->size, size);
    cr_assert_eq(t->lb, s->lb, "case %u: lb %td, not %td", number, t->lb, s->lb);
    cr_assert_eq(t->extent, s->ub - s->lb, "case %u: extent %td, not %td", number, t->extent, s->ub - s->lb);
    cr_assert_eq(t->true_lb, low, "case %u: true lb %td, not %td", number, t->true_lb, low);
    cr_assert_eq(t->true_extent, high - low, "case %u", number);
    cr_assert_eq(pl_datatype_elements(t), elements, "case %u", number);
    bool plain = t->size && s->lb == 0 && s->ub == (ptrdiff_t)size && low == 0;
    ptrdiff_t expected = 0;
    for (size_t i = 0; i < s->entries && plain; i++) {
        plain = s->map[i].at == expected;
        expected += (ptrdiff_t)s->map[i].basic->size;
    }
    if (t->size)
        cr_assert_eq(t->contiguous, plain, "case %u: contiguous is %d", number, t->contiguous);
}

/* How many basic elements `bytes` bytes hold, counted one by one. */
static int64_t count_elements(const struct sample *s, size_t bytes)
{
    int64_t n = 0;
    for (size_t i = 0; bytes; i = (i + 1) % s->entries) {
        size_t size = s->map[i].basic->size;
        if (bytes < size)
            return -1;
        bytes -= size;
        n++;
    }
    return n;
}

static void check_elements(const struct sample *s, unsigned number)
{
    size_t size = s->type->size;
    if (!size)
        return;
    for (int i = 0; i < 12; i++) {
        size_t bytes = draw((uint32_t)(2 * size + 1));
        int64_t n = count_elements(s, bytes);
        cr_assert_eq(pl_elements_of_bytes(s->type, bytes), n, "case %u: %zu bytes", number, bytes);
        if (n >= 0)
            cr_assert_eq(pl_bytes_of_elements(s->type, (uint64_t)n), bytes, "case %u: %zu bytes", number,
                         bytes);
    }
}

enum { COUNT = 3 };

/* Memory for COUNT elements, with the address of the first. */
struct field {
    unsigned char *memory, *address;
    size_t bytes;
};

static struct field make_field(const struct sample *s)
{
    ptrdiff_t extent = s->ub - s->lb, low = 0, high = 0;
    for (int i = 0; i < COUNT; i++) {
        ptrdiff_t from = i * extent + s->type->true_lb, to = from + s->type->true_extent;
        low = from < low ? from : low;
        high = to > high ? to : high;
    }
    struct field field = {.bytes = (size_t)(high - low)};
    field.memory = malloc(field.bytes + 1);
    field.address = field.memory - low;
    return field;
}

static void reference_pack(const struct sample *s, const unsigned char *address, unsigned char *out)
{
    for (int k = 0; k < COUNT; k++)
        for (size_t i = 0; i < s->entries; i++) {
            size_t size = s->map[i].basic->size;
            memcpy(out, address + k * (s->ub - s->lb) + s->map[i].at, size);
            out += size;
        }
}

static void reference_unpack(const struct sample *s, unsigned char *address, const unsigned char *in)
{
    for (int k = 0; k < COUNT; k++)
        for (size_t i = 0; i < s->entries; i++) {
            size_t size = s->map[i].basic->size;
            memcpy(address + k * (s->ub - s->lb) + s->map[i].at, in, size);
            in += size;
        }
}

/* Whether no byte of the data is there twice: only then the order of unpacking does not matter. */
static bool disjoint(const struct sample *s, const struct field *field)
{
    unsigned char *seen = calloc(1, field->bytes + 1);
    bool fine = true;
    for (int k = 0; k < COUNT; k++)
        for (size_t i = 0; i < s->entries; i++)
            for (size_t b = 0; b < s->map[i].basic->size; b++) {
                ptrdiff_t at =
                    field->address - field->memory + k * (s->ub - s->lb) + s->map[i].at + (ptrdiff_t)b;
                fine = fine && !seen[at];
                seen[at] = 1;
            }
    free(seen);
    return fine;
}

static void check_segments(const struct sample *s, unsigned number, size_t step)
{
    size_t total = COUNT * s->type->size;
    struct field from = make_field(s), to = make_field(s), wanted = make_field(s);
    unsigned char *packed = malloc(total + 1), *reference = malloc(total + 1);
    for (size_t i = 0; i < from.bytes; i++)
        from.memory[i] = (unsigned char)draw(256);
    memset(to.memory, 0xee, to.bytes);
    memset(wanted.memory, 0xee, to.bytes);
    reference_pack(s, from.address, reference);
    for (size_t at = 0; at < total; at += step)
        pl_pack(s->type, at, from.address, packed + at, at + step < total ? step : total - at);
    cr_assert_eq(memcmp(packed, reference, total), 0, "case %u: packed by %zu", number, step);
    if (disjoint(s, &from)) {
        reference_unpack(s, wanted.address, reference);
        for (size_t at = total; at;) { /* from the back, to show that nothing is remembered */
            size_t part = at % step ? at % step : step;
            at -= part;
            pl_unpack(s->type, at, to.address, reference + at, part);
        }
        cr_assert_eq(memcmp(to.memory, wanted.memory, to.bytes), 0, "case %u: unpacked by %zu", number, step);
    }
    free(from.memory);
    free(to.memory);
    free(wanted.memory);
    free(packed);
    free(reference);
}

static void check_one(const struct sample *s, unsigned number)
{
    check_shape(s, number);
    check_elements(s, number);
    size_t total = COUNT * s->type->size;
    if (!total)
        return;
    check_segments(s, number, total);
    check_segments(s, number, 1 + draw((uint32_t)total));
    check_segments(s, number, 1 + draw(16));
}

Test(pack, random_types_are_as_their_typemaps)
{
    for (unsigned number = 0; number < 4000; number++) {
        state = number * 0x9e3779b97f4a7c15u + 1;
        struct sample s = any_sample(1 + (int)draw(5));
        check_one(&s, number);
        drop(&s);
    }
}

Test(pack, every_split_of_some_types)
{
    for (unsigned number = 0; number < 60; number++) {
        state = number * 0x9e3779b97f4a7c15u + 7;
        struct sample s = any_sample(3);
        size_t total = COUNT * s.type->size;
        for (size_t step = 1; step < total && total < 400; step++)
            check_segments(&s, number, step);
        drop(&s);
    }
}

static struct pl_datatype *one(struct pl_part part)
{
    struct pl_datatype *type = NULL;
    cr_assert_eq(pl_datatype_create(&part, 1, &type), 0);
    return type;
}

Test(pack, programs_are_short)
{
    const struct pl_datatype *real = pl_datatype_predefined((uintptr_t)MPI_DOUBLE);
    struct pl_datatype *row = one((struct pl_part){.count = 10, .stride = 8, .type = real});
    cr_expect(row->contiguous && !row->program);
    struct pl_datatype *column = one((struct pl_part){.count = 100, .stride = 80, .type = real});
    cr_assert_eq(column->program->nsteps, 1);
    cr_expect_eq(column->program->depth, 1);
    struct pl_datatype *plane = one((struct pl_part){.count = 5, .stride = 8000, .type = column});
    cr_expect_eq(plane->program->steps[0].count, 500, "columns that go on with each other are one");
    struct pl_datatype *cube = one((struct pl_part){.count = 5, .stride = 9000, .type = column});
    cr_expect_eq(cube->program->depth, 2);
    pl_datatype_release(row);
    pl_datatype_release(column);
    pl_datatype_release(plane);
    pl_datatype_release(cube);
}

/* { int; int; T } of the type before, 5000 times: no stack grows with it, and the data comes out in order. */
Test(pack, deep_nesting_is_bounded)
{
    enum { DEEP = 5000 };
    const struct pl_datatype *number = pl_datatype_predefined((uintptr_t)MPI_INT);
    struct pl_datatype *type = one((struct pl_part){.count = 1, .type = number});
    for (int i = 1; i < DEEP; i++) {
        struct pl_part parts[] = {{.offset = 8, .count = 1, .type = type},
                                  {.offset = 0, .count = 1, .type = number}};
        struct pl_datatype *next = NULL;
        cr_assert_eq(pl_datatype_create(parts, 2, &next), 0);
        pl_datatype_release(type);
        type = next;
    }
    cr_expect_lt(type->program ? type->program->depth : 1, PL_PROGRAM_DEPTH);
    cr_assert_eq(type->size, DEEP * sizeof(int));
    int *field = calloc(2 * DEEP, sizeof *field), *packed = calloc(DEEP, sizeof *packed);
    for (int i = 0; i < 2 * DEEP; i++)
        field[i] = i;
    for (size_t at = 0; at < type->size; at += 100)
        pl_pack(type, at, field, (char *)packed + at, 100);
    for (int i = 0; i < DEEP; i++)
        cr_assert_eq(packed[i], 2 * (DEEP - 1 - i));
    free(field);
    free(packed);
    pl_datatype_release(type);
}

/* 2^40 rounds nested in pairs that never join: the middle of it is found at once. */
Test(pack, rounds_of_rounds_are_not_written_out)
{
    struct pl_datatype *type =
        one((struct pl_part){.count = 1, .type = pl_datatype_predefined((uintptr_t)MPI_CHAR)});
    for (int i = 0; i < 40; i++) {
        struct pl_datatype *next = one((struct pl_part){.count = 2, .stride = i % 2 ? -3 : 0, .type = type});
        pl_datatype_release(type);
        type = next;
    }
    cr_assert_eq(type->size, (size_t)1 << 40);
    char field[2 * 3 * 20 + 1], packed[1000];
    for (size_t i = 0; i < sizeof field; i++)
        field[i] = (char)i;
    size_t start = ((size_t)1 << 39) + 12345;
    pl_pack(type, start, field + 60, packed, sizeof packed);
    for (size_t i = 0; i < sizeof packed; i++) {
        size_t steps = 0;
        for (int bit = 1; bit < 40; bit += 2)
            steps += (start + i) >> bit & 1;
        cr_assert_eq(packed[i], field[60 - 3 * steps], "byte %zu", i);
    }
    pl_datatype_release(type);
}

Test(pack, sizes_beyond_memory_are_refused)
{
    const struct pl_datatype *real = pl_datatype_predefined((uintptr_t)MPI_DOUBLE);
    struct pl_datatype *type = NULL;
    struct pl_part wide = {.count = (size_t)1 << 61, .stride = 8, .type = real};
    cr_expect_lt(pl_datatype_create(&wide, 1, &type), 0);
    struct pl_part far = {.count = 3, .stride = PTRDIFF_MAX / 2 + 1, .type = real};
    cr_expect_lt(pl_datatype_create(&far, 1, &type), 0);
    cr_expect_not(type);
}
