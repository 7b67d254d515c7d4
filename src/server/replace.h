/* What members and a replacement say to each other at the door. */
#ifndef PL_PS_REPLACE_H
#define PL_PS_REPLACE_H

#include "ps.h"

enum { PL_PS_DOOR_TAG = 8 };

enum pl_ps_news {
    PL_PS_NEWS_MEMBER,  /* this member is ready for frames */
    PL_PS_NEWS_MANAGER, /* the same; a list follows: the view, and for each rank whether it will come (bytes),
                         * and its life (bytes; link.h) */
    PL_PS_NEWS_OVER,    /* the parameter server has ended */
};

struct pl_ps_hello {
    int32_t rank, news;
};

/* The error handler of MPI_COMM_SELF, set aside while calls may fail that have no other. */
MPI_Errhandler pl_ps_hush(void);
void pl_ps_unhush(MPI_Errhandler handler);

/* The published names: of the parameter server (its value is the number of ranks); of the door of who
 * replaces `rank` (its life and its port); and of its lives so far, the first of which is 1. */
void pl_ps_service(char name[64], const struct peal_ps_options *options);
void pl_ps_service_of(char name[80], const char *service, int rank);
void pl_ps_service_life(char name[80], const char *service, int rank, int life);

#endif
