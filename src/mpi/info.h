/* Info objects: ordered (key, value) strings. */
#ifndef PL_INFO_H
#define PL_INFO_H

#include "call.h"

struct pl_info_entry {
    char *key, *value;
};

struct pl_info {
    struct pl_info_entry *entries;
    int count;
};

/* 0, or MPI_ERR_INFO with its text. */
int pl_info_of(struct pl_mpi *mpi, MPI_Info handle, struct pl_info **info);
/* An empty one; a key and value put in (copied); a handle for it, which takes it over, also on an error. */
int pl_info_create(struct pl_info **info);
int pl_info_put(struct pl_info *info, const char *key, const char *value);
int pl_info_publish(struct pl_mpi *mpi, struct pl_info *info, MPI_Info *handle);
void pl_info_destroy(struct pl_info *info);
/* MPI_INFO_ENV. */
int pl_info_environment(struct pl_mpi *mpi, struct pl_info **info);
/* The value of a key, or NULL. */
const char *pl_info_value(const struct pl_info *info, const char *key);

/* Hints that a communicator understands: "peal_algorithm", as the knob PEAL_ALGORITHM. */
void pl_info_apply(const struct pl_info *info, struct pl_comm *comm);
int pl_info_describe(struct pl_mpi *mpi, const struct pl_comm *comm, MPI_Info *handle);

#endif
