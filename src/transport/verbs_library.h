/* libibverbs, opened at run time. */
#ifndef PL_VERBS_LIBRARY_H
#define PL_VERBS_LIBRARY_H

#include <infiniband/verbs.h>

/* result, name without ibv_, parameters */
#define PL_VERBS_CALLS(call)                                                                                 \
    call(struct ibv_device **, get_device_list, (int *count)) call(void, free_device_list,                   \
                                                                   (struct ibv_device * *list))              \
        call(const char *, get_device_name, (struct ibv_device * device)) call(                              \
            struct ibv_context *, open_device,                                                               \
            (struct ibv_device * device)) call(int, close_device, (struct ibv_context * context))            \
            call(int, query_device, (struct ibv_context * context, struct ibv_device_attr * attributes))     \
                call(int, query_port,                                                                        \
                     (struct ibv_context * context, uint8_t port, struct ibv_port_attr * attributes))        \
                    call(int, query_gid,                                                                     \
                         (struct ibv_context * context, uint8_t port, int index, union ibv_gid *gid))        \
                        call(int, get_async_event,                                                           \
                             (struct ibv_context * context, struct ibv_async_event * event))                 \
                            call(void, ack_async_event, (struct ibv_async_event * event)) call(              \
                                struct ibv_pd *, alloc_pd, (struct ibv_context * context))                   \
                                call(int, dealloc_pd, (struct ibv_pd * domain)) call(                        \
                                    struct ibv_mr *, reg_mr,                                                 \
                                    (struct ibv_pd * domain, void *address, size_t length, int access))      \
                                    call(int, dereg_mr, (struct ibv_mr * region)) call(                      \
                                        struct ibv_comp_channel *, create_comp_channel,                      \
                                        (struct ibv_context * context))                                      \
                                        call(int, destroy_comp_channel, (struct ibv_comp_channel * channel)) \
                                            call(struct ibv_cq *, create_cq,                                 \
                                                 (struct ibv_context * context, int entries, void *user,     \
                                                  struct ibv_comp_channel *channel, int vector))             \
                                                call(int, destroy_cq, (struct ibv_cq * queue)) call(         \
                                                    int, get_cq_event,                                       \
                                                    (struct ibv_comp_channel * channel,                      \
                                                     struct ibv_cq * *queue, void **user))                   \
                                                    call(void, ack_cq_events,                                \
                                                         (struct ibv_cq * queue, unsigned count))            \
                                                        call(struct ibv_srq *, create_srq,                   \
                                                             (struct ibv_pd * domain,                        \
                                                              struct ibv_srq_init_attr * attributes))        \
                                                            call(int, destroy_srq, (struct ibv_srq * queue)) \
                                                                call(struct ibv_qp *, create_qp,             \
                                                                     (struct ibv_pd * domain,                \
                                                                      struct ibv_qp_init_attr * attributes)) \
                                                                    call(int, modify_qp,                     \
                                                                         (struct ibv_qp * pair,              \
                                                                          struct ibv_qp_attr * attributes,   \
                                                                          int mask)) call(int, destroy_qp,   \
                                                                                          (struct ibv_qp *   \
                                                                                           pair))            \
                                                                        call(struct ibv_ah *, create_ah,     \
                                                                             (struct ibv_pd * domain,        \
                                                                              struct ibv_ah_attr *           \
                                                                                  attributes))               \
                                                                            call(int, destroy_ah,            \
                                                                                 (struct ibv_ah * handle))

struct pl_verbs_library {
    void *handle;
#define PL_VERBS_MEMBER(result, name, parameters) result(*name) parameters;
    PL_VERBS_CALLS(PL_VERBS_MEMBER)
#undef PL_VERBS_MEMBER
    /* NULL where the library is older than it (rdma-core 34). */
    struct ibv_mr *(*reg_dmabuf_mr)(struct ibv_pd *domain, uint64_t offset, size_t length, uint64_t address,
                                    int fd, int access);
};

/* Opens the library and finds its functions. PL_EUNSUPPORTED with a text when it is not there. */
int pl_verbs_library_open(struct pl_verbs_library *library);
void pl_verbs_library_close(struct pl_verbs_library *library);

#endif
