/* Intrusive doubly linked list with a sentinel. A node that is in no list is
 * either zeroed or points to itself; pl_list_remove leaves it so. */
#ifndef PL_LIST_H
#define PL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct pl_list {
    struct pl_list *next, *prev;
};

#define pl_container(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void pl_list_init(struct pl_list *list)
{
    list->next = list->prev = list;
}

static inline bool pl_list_empty(const struct pl_list *list)
{
    return list->next == list;
}

static inline void pl_list_append(struct pl_list *list, struct pl_list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void pl_list_remove(struct pl_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

/* The first node, or NULL. */
static inline struct pl_list *pl_list_first(const struct pl_list *list)
{
    return list->next == list ? NULL : list->next;
}

/* Walks the list; `node` itself may be removed inside the loop. */
#define pl_list_each(node, list)                                                                             \
    for (struct pl_list *node = (list)->next, *node##_next = node->next; node != (list);                     \
         node = node##_next, node##_next = node->next)

#endif
