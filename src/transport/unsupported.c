/* The answers of a transport that cannot. */
#include "unsupported.h"

#include "errors.h"

bool pl_no_cooperative(const struct pl_port *port)
{
    (void)port;
    return false;
}

int pl_no_wait_fd(struct pl_port *port, bool *ready)
{
    (void)port;
    *ready = false;
    return -1;
}

void *pl_no_alloc(struct pl_port *port, size_t size)
{
    (void)port;
    (void)size;
    return NULL;
}

bool pl_no_free(struct pl_port *port, void *memory)
{
    (void)port;
    (void)memory;
    return false;
}

void *pl_no_map(struct pl_endpoint *endpoint, uint64_t remote, size_t length)
{
    (void)endpoint;
    (void)remote;
    (void)length;
    return NULL;
}

int pl_no_reg(struct pl_port *port, void *address, size_t length, struct pl_memory_key *key)
{
    (void)port;
    (void)address;
    (void)length;
    *key = (struct pl_memory_key){{0, 0}};
    return 0;
}

int pl_no_reg_dmabuf(struct pl_port *port, int fd, uint64_t offset, void *address, size_t length,
                     struct pl_memory_key *key)
{
    (void)fd;
    (void)offset;
    (void)address;
    *key = (struct pl_memory_key){{0, 0}};
    return pl_fail(PL_EUNSUPPORTED, "%s cannot reach %zu bytes of a device's memory (dma-buf)",
                   port->transport->name, length);
}

void pl_no_dereg(struct pl_port *port, const struct pl_memory_key *key)
{
    (void)port;
    (void)key;
}

int pl_no_get(struct pl_endpoint *endpoint, void *local, uint64_t remote, const struct pl_memory_key *key,
              size_t length, struct pl_operation *operation)
{
    (void)local;
    (void)remote;
    (void)key;
    (void)length;
    (void)operation;
    return pl_fail(PL_EUNSUPPORTED, "%s cannot read a peer's memory", endpoint->transport->name);
}

int pl_no_put(struct pl_endpoint *endpoint, const void *local, uint64_t remote,
              const struct pl_memory_key *key, size_t length, struct pl_operation *operation)
{
    (void)local;
    (void)remote;
    (void)key;
    (void)length;
    (void)operation;
    return pl_fail(PL_EUNSUPPORTED, "%s cannot write a peer's memory", endpoint->transport->name);
}

bool pl_no_reaches(struct pl_endpoint *endpoint)
{
    (void)endpoint;
    return false;
}
