/* The ABI describes itself (MPI 5.0, chapter 20): its version, the sizes of what C leaves
 * open, and what is known of Fortran.
 *
 * The sizes of Peal's Fortran types are fixed (INTEGER, LOGICAL and REAL of 4 bytes, DOUBLE
 * PRECISION of 8), so a Fortran layer may state them, once, but not others: a library that
 * said yes and went on with its own sizes would corrupt data. What .TRUE. and .FALSE. look
 * like is the layer's to say, for each size of LOGICAL, once; they are kept as bytes.
 * MPI_Abi_get_version is in env.c, with the other versions.
 */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key;
    int size;
} sizes[] = {
    {"mpi_logical_size", 4},
    {"mpi_integer_size", 4},
    {"mpi_real_size", 4},
    {"mpi_double_precision_size", 8},
};

static const struct {
    const char *key;
    MPI_Datatype type;
} optional[] = {
    {"mpi_logical1_supported", MPI_LOGICAL1},
    {"mpi_logical2_supported", MPI_LOGICAL2},
    {"mpi_logical4_supported", MPI_LOGICAL4},
    {"mpi_logical8_supported", MPI_LOGICAL8},
    {"mpi_logical16_supported", MPI_LOGICAL16},
    {"mpi_integer1_supported", MPI_INTEGER1},
    {"mpi_integer2_supported", MPI_INTEGER2},
    {"mpi_integer4_supported", MPI_INTEGER4},
    {"mpi_integer8_supported", MPI_INTEGER8},
    {"mpi_integer16_supported", MPI_INTEGER16},
    {"mpi_real2_supported", MPI_REAL2},
    {"mpi_real4_supported", MPI_REAL4},
    {"mpi_real8_supported", MPI_REAL8},
    {"mpi_real16_supported", MPI_REAL16},
    {"mpi_complex4_supported", MPI_COMPLEX4},
    {"mpi_complex8_supported", MPI_COMPLEX8},
    {"mpi_complex16_supported", MPI_COMPLEX16},
    {"mpi_complex32_supported", MPI_COMPLEX32},
    {"mpi_double_complex_supported", MPI_DOUBLE_COMPLEX},
};

enum { SIZES = sizeof sizes / sizeof *sizes, OPTIONAL = sizeof optional / sizeof *optional };

static int set_number(MPI_Info info, const char *key, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    return PMPI_Info_set(info, key, text);
}

int PMPI_Abi_get_info(MPI_Info *info)
{
    int error = PMPI_Info_create(info);
    if (!error)
        error = set_number(*info, "mpi_aint_size", sizeof(MPI_Aint));
    if (!error)
        error = set_number(*info, "mpi_count_size", sizeof(MPI_Count));
    if (!error)
        error = set_number(*info, "mpi_offset_size", sizeof(MPI_Offset));
    return error;
}
PL_WEAK(Abi_get_info)

int PMPI_Abi_get_fortran_info(MPI_Info *info)
{
    bool supported[OPTIONAL];
    const struct pl_datatype *type;
    struct pl_mpi *mpi = pl_call_any("MPI_Abi_get_fortran_info");
    for (int i = 0; i < OPTIONAL; i++)
        supported[i] = !pl_datatype_of(mpi, optional[i].type, &type);
    int error = pl_return(mpi, NULL, pl_check_pointer(info, "info"));
    if (!error)
        error = PMPI_Info_create(info);
    for (int i = 0; !error && i < SIZES; i++)
        error = set_number(*info, sizes[i].key, (size_t)sizes[i].size);
    for (int i = 0; !error && i < OPTIONAL; i++)
        error = PMPI_Info_set(*info, optional[i].key, supported[i] ? "true" : "false");
    return error;
}
PL_WEAK(Abi_get_fortran_info)

int PMPI_Abi_set_fortran_info(MPI_Info info)
{
    char value[MPI_MAX_INFO_VAL];
    int stated[SIZES];
    for (int i = 0; i < SIZES; i++) {
        int length = sizeof value, flag;
        int error = PMPI_Info_get_string(info, sizes[i].key, &length, value, &flag);
        if (error)
            return error;
        stated[i] = flag ? atoi(value) : sizes[i].size;
    }
    struct pl_mpi *mpi = pl_call_any("MPI_Abi_set_fortran_info");
    int error = mpi->fortran.info_set ? pl_bad(MPI_ERR_ABI, "it was called before; it may be once") : 0;
    for (int i = 0; !error && i < SIZES; i++)
        if (stated[i] != sizes[i].size)
            error = pl_bad(MPI_ERR_ABI, "%s is said to be %d, but in this library it is %d", sizes[i].key,
                           stated[i], sizes[i].size);
    if (!error)
        mpi->fortran.info_set = true;
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Abi_set_fortran_info)

/* The booleans of LOGICALs of 1, 2, 4, 8 or 16 bytes, or NULL. */
static struct pl_fortran_booleans *booleans_of(struct pl_mpi *mpi, int logical_size)
{
    for (int i = 0; i < PL_LOGICAL_SIZES; i++)
        if (logical_size == 1 << i)
            return &mpi->fortran.booleans[i];
    pl_bad(MPI_ERR_ARG, "a LOGICAL has 1, 2, 4, 8 or 16 bytes, not %d", logical_size);
    return NULL;
}

static int check_booleans(const void *logical_true, const void *logical_false)
{
    int error = pl_check_pointer(logical_true, "logical_true");
    return error ? error : pl_check_pointer(logical_false, "logical_false");
}

int PMPI_Abi_set_fortran_booleans(int logical_size, void *logical_true, void *logical_false)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Abi_set_fortran_booleans");
    struct pl_fortran_booleans *booleans = booleans_of(mpi, logical_size);
    int error = booleans ? check_booleans(logical_true, logical_false) : MPI_ERR_ARG;
    if (!error && booleans->set)
        error = pl_bad(MPI_ERR_ABI, "those of %d bytes were set before; they may be once", logical_size);
    if (!error) {
        memcpy(booleans->logical_true, logical_true, (size_t)logical_size);
        memcpy(booleans->logical_false, logical_false, (size_t)logical_size);
        booleans->set = true;
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Abi_set_fortran_booleans)

int PMPI_Abi_get_fortran_booleans(int logical_size, void *logical_true, void *logical_false, int *is_set)
{
    struct pl_mpi *mpi = pl_call_any("MPI_Abi_get_fortran_booleans");
    struct pl_fortran_booleans *booleans = booleans_of(mpi, logical_size);
    int error = booleans ? check_booleans(logical_true, logical_false) : MPI_ERR_ARG;
    if (!error)
        error = pl_check_pointer(is_set, "is_set");
    if (!error) {
        *is_set = booleans->set;
        if (booleans->set) {
            memcpy(logical_true, booleans->logical_true, (size_t)logical_size);
            memcpy(logical_false, booleans->logical_false, (size_t)logical_size);
        }
    }
    return pl_return(mpi, NULL, error);
}
PL_WEAK(Abi_get_fortran_booleans)
