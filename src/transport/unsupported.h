/* Typed stubs for the optional operations of struct pl_transport. */
#ifndef PL_UNSUPPORTED_H
#define PL_UNSUPPORTED_H

#include "transport.h"

bool pl_no_cooperative(const struct pl_port *port);
int pl_no_wait_fd(struct pl_port *port, bool *ready);
void *pl_no_alloc(struct pl_port *port, size_t size);
bool pl_no_free(struct pl_port *port, void *memory);
void *pl_no_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length);
int pl_no_reg(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key);
int pl_no_reg_dmabuf(struct pl_port *port, int fd, uint64_t offset, void *address, size_t length,
                     struct pl_memory_key *key);
void pl_no_dereg(struct pl_port *port, const struct pl_memory_key *key);
int pl_no_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
              size_t length, struct pl_operation *operation);
int pl_no_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
              const struct pl_memory_key *key, size_t length, struct pl_operation *operation);
bool pl_no_reaches(struct pl_endpoint *endpoint);

#endif
