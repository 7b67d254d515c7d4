/* The forms of a collective: blocking, nonblocking and persistent, each with int and with large counts. A
 * persistent call is made once and started for every round.
 */
#ifndef FORMS_H
#define FORMS_H

#include "case.h"

enum { FORMS = 6 };

struct form {
    int kind; /* 0..2: blocking, nonblocking, persistent; 3..5: the same with large counts */
    MPI_Request request;
};

static inline struct form form_of(int kind)
{
    return (struct form){kind, MPI_REQUEST_NULL};
}

static inline int form_rounds(const struct form *form)
{
    return form->kind % 3 == 2 ? 3 : 1;
}

/* Starts what the request stands for, if it is persistent, and waits for it. */
static inline void form_run(struct form *form)
{
    if (form->kind % 3 == 2)
        OK(MPI_Start(&form->request));
    if (form->kind % 3)
        OK(MPI_Wait(&form->request, MPI_STATUS_IGNORE));
    if (form->kind % 3 == 1)
        CHECK(form->request == MPI_REQUEST_NULL, "a request that is over");
}

static inline void form_end(struct form *form)
{
    if (form->request != MPI_REQUEST_NULL)
        OK(MPI_Request_free(&form->request));
}

#define FORM_OPEN(...) __VA_ARGS__
/* Makes the call in the form: its name with and without I, its arguments in parentheses, and those with
 * large counts. */
#define FORM(form, name, iname, arguments, large)                                                            \
    do {                                                                                                     \
        bool made = (form).request != MPI_REQUEST_NULL;                                                      \
        switch ((form).kind) {                                                                               \
        case 0:                                                                                              \
            OK(MPI_##name arguments);                                                                        \
            break;                                                                                           \
        case 1:                                                                                              \
            OK(MPI_##iname(FORM_OPEN arguments, &(form).request));                                           \
            break;                                                                                           \
        case 2:                                                                                              \
            if (!made)                                                                                       \
                OK(MPI_##name##_init(FORM_OPEN arguments, MPI_INFO_NULL, &(form).request));                  \
            break;                                                                                           \
        case 3:                                                                                              \
            OK(MPI_##name##_c large);                                                                        \
            break;                                                                                           \
        case 4:                                                                                              \
            OK(MPI_##iname##_c(FORM_OPEN large, &(form).request));                                           \
            break;                                                                                           \
        default:                                                                                             \
            if (!made)                                                                                       \
                OK(MPI_##name##_init_c(FORM_OPEN large, MPI_INFO_NULL, &(form).request));                    \
        }                                                                                                    \
        form_run(&(form));                                                                                   \
    } while (0)

#endif
