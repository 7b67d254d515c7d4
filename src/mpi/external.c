/* Packing in the representation "external32" (MPI 5.0, section 14.5.2), which every machine and
 * every MPI reads alike: big-endian, IEEE, sizes fixed by the standard. Most types only have
 * their bytes turned round. Different in size are:
 *
 *   MPI_LONG, MPI_UNSIGNED_LONG   4 bytes there: a value that does not fit is an error
 *   MPI_WCHAR                     2 bytes there
 *   MPI_LONG_DOUBLE               the 80 bits of x86 become a quadruple of 16 bytes
 *
 * Elements are packed one at a time to scratch, in this machine's form, and converted by their signature.
 */
#include "call.h"
#include "device.h"
#include "signature.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum form { PLAIN, LONG, UNSIGNED_LONG, WIDE, LONG_DOUBLE };

/* One number of a basic type: bytes here and there. A basic type has one or two. */
struct number {
    enum form form;
    unsigned here, there;
};

static const char name_of_format[] = "external32";

static enum form form_of(const struct pl_datatype *basic)
{
    if (basic->handle == (uintptr_t)MPI_LONG)
        return LONG;
    if (basic->handle == (uintptr_t)MPI_UNSIGNED_LONG)
        return UNSIGNED_LONG;
    if (basic->handle == (uintptr_t)MPI_WCHAR)
        return WIDE;
    return basic->basic == PL_BASIC_LONG_DOUBLE || basic->basic == PL_BASIC_COMPLEX_LONG_DOUBLE ? LONG_DOUBLE
                                                                                                : PLAIN;
}

static struct number plain(size_t bytes)
{
    return (struct number){PLAIN, (unsigned)bytes, (unsigned)bytes};
}

/* The numbers of a basic type, how many. */
static int numbers_of(const struct pl_datatype *basic, struct number numbers[2])
{
    static const struct number forms[] = {[LONG] = {LONG, sizeof(long), 4},
                                          [UNSIGNED_LONG] = {UNSIGNED_LONG, sizeof(long), 4},
                                          [WIDE] = {WIDE, sizeof(wchar_t), 2},
                                          [LONG_DOUBLE] = {LONG_DOUBLE, sizeof(long double), 16}};
    enum form form = form_of(basic);
    if (basic->group == PL_TYPES_COMPLEX) {
        numbers[0] = numbers[1] = form == LONG_DOUBLE ? forms[LONG_DOUBLE] : plain(basic->size / 2);
        return 2;
    }
    if (basic->group != PL_TYPES_PAIR) {
        numbers[0] = form == PLAIN ? plain(basic->size) : forms[form];
        return 1;
    }
    bool equal = basic->basic == PL_BASIC_FLOAT_FLOAT || basic->basic == PL_BASIC_DOUBLE_DOUBLE;
    numbers[1] = plain(equal ? basic->size / 2 : sizeof(int));
    numbers[0] = plain(basic->size - numbers[1].here);
    if (basic->basic == PL_BASIC_LONG_INT)
        numbers[0] = forms[LONG];
    if (basic->basic == PL_BASIC_LONG_DOUBLE_INT)
        numbers[0] = forms[LONG_DOUBLE];
    return 2;
}

static void turn(const char *from, char *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = from[bytes - 1 - i];
}

static int outgoing(struct number number, const char *from, char *to)
{
    long value;
    int narrow;
    uint16_t character;
    wchar_t wide;
    __float128 quad;
    long double extended;
    switch (number.form) {
    case PLAIN:
        turn(from, to, number.there);
        return 0;
    case LONG:
    case UNSIGNED_LONG:
        memcpy(&value, from, sizeof value);
        narrow = (int)value;
        turn((const char *)&narrow, to, sizeof narrow);
        if (number.form == LONG ? value == narrow : (unsigned long)value <= UINT_MAX)
            return 0;
        return pl_bad(MPI_ERR_CONVERSION, "the long %ld has no external32 form, which has 4 bytes", value);
    case WIDE:
        memcpy(&wide, from, sizeof wide);
        character = (uint16_t)wide;
        turn((const char *)&character, to, sizeof character);
        return 0;
    case LONG_DOUBLE:
        memcpy(&extended, from, sizeof extended);
        quad = extended;
        turn((const char *)&quad, to, sizeof quad);
        return 0;
    }
    return 0;
}

static void incoming(struct number number, const char *from, char *to)
{
    int narrow;
    long value;
    uint16_t character;
    wchar_t wide;
    __float128 quad;
    long double extended;
    switch (number.form) {
    case PLAIN:
        turn(from, to, number.here);
        break;
    case LONG:
    case UNSIGNED_LONG:
        turn(from, (char *)&narrow, sizeof narrow);
        value = number.form == LONG ? narrow : (long)(unsigned)narrow;
        memcpy(to, &value, sizeof value);
        break;
    case WIDE:
        turn(from, (char *)&character, sizeof character);
        wide = (wchar_t)character;
        memcpy(to, &wide, sizeof wide);
        break;
    case LONG_DOUBLE:
        turn(from, (char *)&quad, sizeof quad);
        extended = (long double)quad;
        memset(to, 0, sizeof extended); /* of its bytes not all are the number's */
        memcpy(to, &extended, 10);
        break;
    }
}

/* Where a conversion is: in the packed form of here, and of there. NULL: it only counts. */
struct conversion {
    char *here, *there;
    size_t bytes; /* there, so far */
    bool out;
};

static int convert(void *context, const struct pl_datatype *basic, size_t count)
{
    struct conversion *c = context;
    struct number numbers[2];
    int n = numbers_of(basic, numbers), error = 0;
    if (!c->there) {
        for (int k = 0; k < n; k++)
            c->bytes += count * numbers[k].there;
        return 0;
    }
    for (size_t i = 0; i < count && !error; i++)
        for (int k = 0; k < n && !error; k++) {
            if (c->out)
                error = outgoing(numbers[k], c->here, c->there);
            else
                incoming(numbers[k], c->there, c->here);
            c->here += numbers[k].here;
            c->there += numbers[k].there;
        }
    return error;
}

/* Bytes of one element there. */
static size_t size_there(const struct pl_datatype *type)
{
    struct conversion count = {0};
    pl_signature_visit(type, convert, &count);
    return count.bytes;
}

static int check_format(const char *datarep)
{
    int error = pl_check_pointer(datarep, "datarep");
    if (!error && strcmp(datarep, name_of_format) != 0)
        error = pl_bad(MPI_ERR_ARG, "the data representation '%.40s' is not \"external32\"", datarep);
    return error;
}

static int check(struct pl_mpi *mpi, const char *datarep, const void *buffer, MPI_Count count,
                 MPI_Datatype datatype, const struct pl_datatype **type, size_t *length)
{
    int error = check_format(datarep);
    if (!error)
        error = pl_check_count(count);
    if (!error)
        error = pl_datatype_of(mpi, datatype, type);
    if (!error)
        error = pl_check_buffer(buffer, count, *type);
    if (!error && __builtin_mul_overflow((size_t)count, size_there(*type), length))
        error = pl_bad(MPI_ERR_COUNT, "%lld elements are more than any memory", (long long)count);
    return error;
}

static int check_position(const void *packed, MPI_Count size, const MPI_Count *position, size_t length)
{
    int error = pl_check_pointer(position, "position");
    if (!error && length)
        error = pl_check_pointer(packed, "the packed buffer");
    if (!error && (size < 0 || *position < 0 || *position > size || length > (size_t)(size - *position)))
        error = pl_bad(MPI_ERR_TRUNCATE, "%zu bytes from position %lld on are not in a buffer of %lld",
                       length, (long long)*position, (long long)size);
    return error;
}

static void *scratch_for(const struct pl_datatype *type)
{
    void *scratch = malloc(type->size ? type->size : 1);
    if (!scratch)
        pl_fail(PL_ENOMEM, "no memory to convert elements of %zu bytes", type->size);
    return scratch;
}

int PMPI_Pack_external_c(const char *datarep, const void *inbuf, MPI_Count incount, MPI_Datatype datatype,
                         void *outbuf, MPI_Count outsize, MPI_Count *position)
{
    struct pl_mpi *mpi = pl_call("MPI_Pack_external");
    const struct pl_datatype *type;
    size_t length;
    char *scratch = NULL;
    int error = check(mpi, datarep, inbuf, incount, datatype, &type, &length);
    if (!error)
        error = check_position(outbuf, outsize, position, length);
    if (!error && !(scratch = scratch_for(type)))
        error = PL_ENOMEM;
    struct conversion c = {.there = error ? NULL : (char *)outbuf + *position, .out = true};
    for (MPI_Count i = 0; i < incount && !error; i++) {
        error = pl_pack_any(mpi->rank, type, (size_t)i * type->size, inbuf, scratch, type->size);
        c.here = scratch;
        if (!error)
            error = pl_signature_visit(type, convert, &c);
    }
    if (!error)
        *position += (MPI_Count)length;
    free(scratch);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Pack_external_c)

int PMPI_Pack_external(const char *datarep, const void *inbuf, int incount, MPI_Datatype datatype,
                       void *outbuf, MPI_Aint outsize, MPI_Aint *position)
{
    return PMPI_Pack_external_c(datarep, inbuf, incount, datatype, outbuf, outsize, (MPI_Count *)position);
}
PL_WEAK(Pack_external)

int PMPI_Unpack_external_c(const char datarep[], const void *inbuf, MPI_Count insize, MPI_Count *position,
                           void *outbuf, MPI_Count outcount, MPI_Datatype datatype)
{
    struct pl_mpi *mpi = pl_call("MPI_Unpack_external");
    const struct pl_datatype *type;
    size_t length;
    char *scratch = NULL;
    int error = check(mpi, datarep, outbuf, outcount, datatype, &type, &length);
    if (!error)
        error = check_position(inbuf, insize, position, length);
    if (!error && !(scratch = scratch_for(type)))
        error = PL_ENOMEM;
    struct conversion c = {.there = error ? NULL : (char *)(uintptr_t)inbuf + *position};
    for (MPI_Count i = 0; i < outcount && !error; i++) {
        c.here = scratch;
        error = pl_signature_visit(type, convert, &c);
        if (!error)
            error = pl_unpack_any(mpi->rank, type, (size_t)i * type->size, outbuf, scratch, type->size);
    }
    if (!error)
        *position += (MPI_Count)length;
    free(scratch);
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Unpack_external_c)

int PMPI_Unpack_external(const char datarep[], const void *inbuf, MPI_Aint insize, MPI_Aint *position,
                         void *outbuf, int outcount, MPI_Datatype datatype)
{
    return PMPI_Unpack_external_c(datarep, inbuf, insize, (MPI_Count *)position, outbuf, outcount, datatype);
}
PL_WEAK(Unpack_external)

int PMPI_Pack_external_size_c(const char *datarep, MPI_Count incount, MPI_Datatype datatype, MPI_Count *size)
{
    struct pl_mpi *mpi = pl_call("MPI_Pack_external_size");
    const struct pl_datatype *type;
    size_t length = 0;
    int error = check_format(datarep);
    if (!error)
        error = pl_check_count(incount);
    if (!error)
        error = pl_datatype_of(mpi, datatype, &type);
    if (!error)
        error = pl_check_pointer(size, "size");
    if (!error && __builtin_mul_overflow((size_t)incount, size_there(type), &length))
        error = pl_bad(MPI_ERR_COUNT, "%lld elements are more than any memory", (long long)incount);
    if (!error)
        *size = (MPI_Count)length;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Pack_external_size_c)

int PMPI_Pack_external_size(const char *datarep, int incount, MPI_Datatype datatype, MPI_Aint *size)
{
    return PMPI_Pack_external_size_c(datarep, incount, datatype, (MPI_Count *)size);
}
PL_WEAK(Pack_external_size)
