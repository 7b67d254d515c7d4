/* A replacement arrives: the other side of replace.c. It opens its door, lets in whoever comes until all whom
 * the manager told it of have come, and is then a server that the next view may give parts to.
 *
 *     published:   NAME            the parameter server is there, and has so many ranks
 *                  NAME/RANK       the door of who replaces RANK
 *                  NAME/RANK/N     the N-th process that does was there
 *
 * Nothing can reach it before it has told that it is ready, so until then it runs no pump.
 */
#include "manager.h"
#include "replace.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arrival {
    struct peal_ps *ps;
    char port[MPI_MAX_PORT_NAME], name[80];
    MPI_Comm *comms;     /* [size]; MPI_COMM_NULL: has not come */
    unsigned char *list; /* the manager's: [bytes] */
    size_t view, bytes;  /* of the view; of all */
    bool listed, over;
    int life;
};

static int refuse(int class, int rank, const char *why)
{
    fprintf(stderr, "peal_ps_create: the replacement of rank %d cannot join: %s\n", rank, why);
    return class;
}

static int ranks_published(const char *service)
{
    char text[MPI_MAX_PORT_NAME];
    return MPI_Lookup_name(service, MPI_INFO_NULL, text) ? 0 : atoi(text);
}

/* The how-manieth process with this rank it is; the name stays when it dies. */
static int count_lives(struct arrival *a)
{
    char name[80], text[MPI_MAX_PORT_NAME];
    for (a->life = 1; a->life < UINT8_MAX; a->life++) {
        pl_ps_service_life(name, a->ps->door.service, a->ps->rank, a->life);
        if (MPI_Lookup_name(name, MPI_INFO_NULL, text))
            return MPI_Publish_name(name, MPI_INFO_NULL, "it lived");
    }
    return MPI_ERR_NAME;
}

static int open_door(struct arrival *a)
{
    char text[MPI_MAX_PORT_NAME + 16];
    int error = count_lives(a);
    pl_ps_service_of(a->name, a->ps->door.service, a->ps->rank);
    if (!error)
        error = MPI_Open_port(MPI_INFO_NULL, a->port);
    if (error)
        return error;
    MPI_Unpublish_name(a->name, MPI_INFO_NULL, ""); /* of one who died at it */
    snprintf(text, sizeof text, "%d %s", a->life, a->port);
    return MPI_Publish_name(a->name, MPI_INFO_NULL, text);
}

static bool all_here(const struct arrival *a)
{
    for (int r = 0; a->listed && r < a->ps->size; r++)
        if (a->list[a->view + (size_t)r] && a->comms[r] == MPI_COMM_NULL)
            return false;
    return a->listed;
}

/* One visitor. Whoever breaks off was not there. */
static void let_in(struct arrival *a, MPI_Comm comm)
{
    struct pl_ps_hello hello = {.rank = -1};
    unsigned char *list = NULL;
    int welcome = 1, ready = 0;
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    int error = MPI_Recv(&hello, (int)sizeof hello, MPI_BYTE, 0, PL_PS_DOOR_TAG, comm, MPI_STATUS_IGNORE);
    bool sense = !error && hello.rank >= 0 && hello.rank < a->ps->size && hello.rank != a->ps->rank;
    if (sense && hello.news == PL_PS_NEWS_MANAGER) {
        list = malloc(a->bytes);
        sense = list &&
                !MPI_Recv(list, (int)a->bytes, MPI_BYTE, 0, PL_PS_DOOR_TAG, comm, MPI_STATUS_IGNORE) &&
                pl_ps_view_fits(a->ps->view, list, a->view);
    }
    sense = sense && !MPI_Send(&welcome, 1, MPI_INT, 0, PL_PS_DOOR_TAG, comm);
    if (sense && hello.news != PL_PS_NEWS_OVER)
        sense = !MPI_Recv(&ready, 1, MPI_INT, 0, PL_PS_DOOR_TAG, comm, MPI_STATUS_IGNORE);
    if (sense && list) {
        memcpy(a->list, list, a->bytes);
        a->listed = true;
    }
    free(list);
    a->over = a->over || (sense && hello.news == PL_PS_NEWS_OVER);
    if (sense && a->comms[hello.rank] == MPI_COMM_NULL)
        a->comms[hello.rank] = comm;
    else
        MPI_Comm_free(&comm);
}

static int wait_for_all(struct arrival *a)
{
    int broken_off = 0; /* visitors that died on the way in; more than that many is something else */
    while (!a->over && !all_here(a)) {
        MPI_Comm comm;
        int error = MPI_Comm_accept(a->port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &comm);
        if (!error)
            let_in(a, comm);
        else if (!pl_ps_means_death(error) || ++broken_off > 4 * a->ps->size)
            return error;
    }
    return MPI_SUCCESS;
}

/* The member as the manager's list has it. */
static int settle(struct arrival *a)
{
    struct peal_ps *ps = a->ps;
    memcpy(ps->view, a->list, a->view);
    int error = pl_ps_build(ps);
    if (error)
        return error;
    pl_ps_enter(ps);
    for (int r = 0; r < ps->size; r++)
        ps->links.link[r].life = a->list[a->view + (size_t)ps->size + (size_t)r];
    ps->links.link[ps->rank].life = (uint8_t)a->life;
    for (int s = 0; s < ps->servers; s++)
        ps->manager->gone[s] = s != ps->my_server && !a->list[a->view + (size_t)pl_ps_rank_of_server(ps, s)];
    for (int r = 0; r < ps->size; r++) {
        if (a->comms[r] != MPI_COMM_NULL && pl_ps_link_renew(ps, r, a->comms[r], 0, ps->links.link[r].life))
            pl_ps_lost(ps, r);
        a->comms[r] = MPI_COMM_NULL;
    }
    for (int s = 0; s < ps->servers; s++)
        if (s != ps->my_server)
            pl_ps_send_header(ps, pl_ps_rank_of_server(ps, s), PL_PS_ARRIVED, 0, 0);
    pl_ps_leave_lock(ps);
    return MPI_SUCCESS;
}

static int arrive(struct arrival *a)
{
    struct peal_ps *ps = a->ps;
    int error = open_door(a);
    if (error)
        return error;
    if (!ranks_published(ps->door.service))
        a->over = true;
    else
        error = wait_for_all(a);
    MPI_Unpublish_name(a->name, MPI_INFO_NULL, "");
    if (!error && !a->over)
        error = settle(a);
    MPI_Close_port(a->port);
    if (error) {
        char text[MPI_MAX_ERROR_STRING] = "";
        int length;
        MPI_Error_string(error, text, &length);
        return refuse(error, ps->rank, text);
    }
    return a->over ? refuse(MPI_ERR_NAME, ps->rank, "the parameter server has ended") : MPI_SUCCESS;
}

/* A member that knows nothing yet but its place. */
static struct peal_ps *newcomer(const struct peal_ps_options *o, const char *service, int size)
{
    struct peal_ps *ps = calloc(1, sizeof *ps);
    int workers = o->beside ? size : size - o->servers;
    if (!ps)
        return NULL;
    pthread_mutex_init(&ps->lock, NULL);
    ps->comm = MPI_COMM_NULL;
    ps->options = *o;
    ps->rank = peal_replaced();
    ps->size = size;
    ps->alone = true;
    ps->view = pl_ps_view_create(o->servers, o->spares, workers, pl_ps_parts(o->servers), 1);
    memcpy(ps->door.service, service, sizeof ps->door.service);
    return ps;
}

static int join(const struct peal_ps_options *o, const char *service, int size, peal_ps **out)
{
    struct arrival a = {.ps = newcomer(o, service, size), .comms = malloc((size_t)size * sizeof *a.comms)};
    int error = a.ps && a.ps->view && a.comms ? MPI_SUCCESS : MPI_ERR_NO_MEM;
    if (!error) {
        a.view = pl_ps_view_size(a.ps->view->parts, a.ps->view->workers);
        a.bytes = a.view + 2 * (size_t)size;
        a.list = malloc(a.bytes);
        error = a.list ? MPI_Comm_dup(MPI_COMM_SELF, &a.ps->comm) : MPI_ERR_NO_MEM;
    }
    for (int r = 0; a.comms && r < size; r++)
        a.comms[r] = MPI_COMM_NULL;
    if (!error)
        MPI_Comm_set_errhandler(a.ps->comm, MPI_ERRORS_RETURN);
    if (!error)
        error = arrive(&a);
    for (int r = 0; a.comms && r < size; r++)
        if (a.comms[r] != MPI_COMM_NULL)
            MPI_Comm_free(&a.comms[r]);
    free(a.comms);
    free(a.list);
    if (error && a.ps)
        pl_ps_unmake(a.ps);
    if (!error)
        *out = a.ps;
    return error;
}

int pl_ps_arrive(const struct peal_ps_options *o, peal_ps **out)
{
    char service[64], text[512] = "";
    int rank = peal_replaced(), error;
    pl_ps_service(service, o);
    MPI_Errhandler handler = pl_ps_hush();
    int size = ranks_published(service), first = o->beside ? 0 : size - o->servers;
    if (!size)
        error = refuse(MPI_ERR_NAME, rank,
                       "no parameter server with the same options runs (it has ended, or not begun)");
    else if (peal_ps_check(o, size, text, sizeof text))
        error = refuse(MPI_ERR_ARG, rank, text);
    else if (rank < first || rank >= first + o->servers)
        error = refuse(MPI_ERR_ARG, rank, "it was a worker; the others go on without it");
    else
        error = join(o, service, size, out);
    pl_ps_unhush(handler);
    return error;
}
