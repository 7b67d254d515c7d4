/* Replacements: mpiexec --respawn starts a process in the place of a server that died. It is in a world of
 * its own, so each member meets it at its door, a port whose name it has published.
 *
 *     manager             other members          replacement (arrive.c)
 *        |                     |                     | MPI_Open_port, MPI_Publish_name, MPI_Comm_accept ...
 *        | MPI_Lookup_name, until it is there        |
 *        |==== COME, port ====>|                     |
 *        |-- MPI_Comm_connect: view, whom to expect >|
 *        |                     |-- MPI_Comm_connect >|   each when it next waits or calls
 *        |                     |<----- welcome ------|
 *        |                     |------- ready ------>|   its link is there
 *        |<------------- ARRIVED --------------------|   all whom it expected are ready
 *        |==== VIEW n: it serves ===================>|
 *
 * From there on it is a spare that joins: it is given copies part by part while traffic goes on (copy.c). A
 * link over the new communicator stands for the old one, and whatever of the old one is still under way
 * ends with the error that its death was.
 *
 * Connecting waits, and a hook must not; so it is done where the program waits for the parameter server or
 * calls it. While it waits there, hooks run, and traffic goes on. Two at a time, never all together: a
 * collective call of all members would have a worker wait for one that waits for it (a clock). If a member
 * dies before it has come, the manager comes again with a shorter list; if the manager dies, the next one
 * finds the published name and comes with its own.
 *
 * Frames that a member sent before its link was there would be lost, and it would not send them again: so the
 * replacement waits for `ready` from each before it says ARRIVED.
 *
 * The end: the manager takes the parameter server's name back, and then tells whoever waits at a door. A
 * replacement publishes its door before it looks for that name, so one of the two always sees the other.
 */
#include "replace.h"

#include "manager.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

MPI_Errhandler pl_ps_hush(void)
{
    MPI_Errhandler handler = MPI_ERRORS_ARE_FATAL;
    MPI_Comm_get_errhandler(MPI_COMM_SELF, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    return handler;
}

void pl_ps_unhush(MPI_Errhandler handler)
{
    MPI_Comm_set_errhandler(MPI_COMM_SELF, handler);
    MPI_Errhandler_free(&handler);
}

void pl_ps_service(char name[64], const struct peal_ps_options *options)
{
    snprintf(name, 64, "peal-ps-%016llx", (unsigned long long)pl_ps_digest(options));
}

void pl_ps_service_of(char name[80], const char *service, int rank)
{
    snprintf(name, 80, "%s/%d", service, rank);
}

void pl_ps_service_life(char name[80], const char *service, int rank, int life)
{
    snprintf(name, 80, "%s/%d/%d", service, rank, life);
}

static bool is_manager(const struct peal_ps *ps)
{
    return ps->manager && ps->view->manager == ps->my_server && !ps->manager->taking_over;
}

/* Its place is empty: nobody serves there, nor has told that he will. (A new manager may have a link to one
 * who still waits at the door for others.) */
static bool vacant(const struct peal_ps *ps, int server)
{
    return ps->view->server[server] == PL_PS_DEAD && !ps->manager->arrived[server];
}

static bool list_changed(const struct peal_ps *ps)
{
    for (int r = 0; r < ps->size; r++)
        if (ps->manager->listed[r] && !pl_ps_manager_counts(ps, r))
            return true;
    return false;
}

bool pl_ps_replace_hunting(const struct peal_ps *ps)
{
    if (!ps->options.respawn || ps->door.busy || ps->over || !is_manager(ps))
        return false;
    if (ps->manager->admitting >= 0)
        return list_changed(ps);
    for (int s = 0; s < ps->servers; s++)
        if (vacant(ps, s))
            return true;
    return false;
}

bool pl_ps_replace_due(const struct peal_ps *ps)
{
    bool ends = ps->over || (ps->worker && ps->worker->leaving && !ps->server);
    return ps->options.respawn && !ps->door.busy && !ends && ps->door.server >= 0 &&
           ps->links.link[pl_ps_rank_of_server(ps, ps->door.server)].dead;
}

void pl_ps_replace_heard(struct peal_ps *ps, const struct pl_ps_frame *frame)
{
    const struct pl_ps_header *header = (const struct pl_ps_header *)frame->bytes;
    if (frame->length != sizeof *header + sizeof ps->door.port || header->clock >= (uint32_t)ps->servers)
        return;
    ps->door.server = (int)header->clock;
    ps->door.life = (int)header->id;
    memcpy(ps->door.port, frame->bytes + sizeof *header, sizeof ps->door.port);
    ps->door.port[sizeof ps->door.port - 1] = 0;
}

/* Tells all to come to the door. */
static void call_all(struct peal_ps *ps)
{
    struct pl_ps_frame *frame =
        pl_ps_frame_create(&ps->pool, sizeof(struct pl_ps_header) + sizeof ps->door.port);
    if (!frame)
        return;
    *pl_ps_header_of(frame) = (struct pl_ps_header){.kind = PL_PS_COME,
                                                    .origin = PL_PS_NOBODY,
                                                    .epoch = ps->view->epoch,
                                                    .id = (uint64_t)ps->door.life,
                                                    .clock = (uint32_t)ps->door.server};
    memcpy(frame->bytes + sizeof(struct pl_ps_header), ps->door.port, sizeof ps->door.port);
    for (int r = 0; r < ps->size; r++)
        if (ps->manager->listed[r] && r != ps->rank)
            pl_ps_send(ps, r, frame);
    pl_ps_frame_release(&ps->pool, frame);
}

/* What the manager brings: view, list, lives. NULL: no memory. */
static unsigned char *make_list(struct peal_ps *ps, size_t *bytes)
{
    size_t view = pl_ps_view_size(ps->view->parts, ps->view->workers), n = (size_t)ps->size;
    unsigned char *list = malloc(view + 2 * n);
    if (!list)
        return NULL;
    memcpy(list, ps->view, view);
    for (int r = 0; r < ps->size; r++) {
        bool comes = pl_ps_manager_counts(ps, r) && pl_ps_server_of(ps, r) != ps->manager->admitting;
        ps->manager->listed[r] = comes;
        list[view + (size_t)r] = comes;
        list[view + n + (size_t)r] = ps->links.link[r].life;
    }
    *bytes = view + 2 * n;
    return list;
}

/* At the door; the lock is not held. Returns the communicator, or MPI_COMM_NULL. */
static MPI_Comm meet(const char *port, const struct pl_ps_hello *hello, const unsigned char *list,
                     size_t bytes)
{
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Errhandler handler = pl_ps_hush();
    int welcome = 0, error = MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &comm);
    pl_ps_unhush(handler);
    if (error)
        return MPI_COMM_NULL;
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    error = MPI_Send(hello, (int)sizeof *hello, MPI_BYTE, 0, PL_PS_DOOR_TAG, comm);
    if (!error && list)
        error = MPI_Send(list, (int)bytes, MPI_BYTE, 0, PL_PS_DOOR_TAG, comm);
    if (!error)
        error = MPI_Recv(&welcome, 1, MPI_INT, 0, PL_PS_DOOR_TAG, comm, MPI_STATUS_IGNORE);
    if (error || !welcome)
        MPI_Comm_free(&comm);
    return error || !welcome ? MPI_COMM_NULL : comm;
}

/* The link is there: frames to it are lost no more. Only then may the replacement say that it has arrived,
 * for the view that follows has members send to it. */
static void link_up(struct peal_ps *ps, const struct pl_ps_door *door, MPI_Comm comm)
{
    int rank = pl_ps_rank_of_server(ps, door->server), ready = 1;
    bool known = !ps->links.link[rank].dead; /* a manager's second visit */
    if (!known && ps->manager)
        pl_ps_manager_server_back(ps, door->server);
    int error = known ? MPI_SUCCESS : pl_ps_link_renew(ps, rank, comm, 0, (uint8_t)door->life);
    MPI_Send(&ready, 1, MPI_INT, 0, PL_PS_DOOR_TAG, comm);
    if (known)
        MPI_Comm_free(&comm);
    if (error)
        pl_ps_lost(ps, rank);
}

/* The door is done with: the link, or what follows if there is none. Meanwhile this member may have
 * been called to another one. The lock is held. */
static void met(struct peal_ps *ps, const struct pl_ps_door *door, MPI_Comm comm, bool as_manager)
{
    bool admitting = as_manager && ps->manager->admitting == door->server;
    bool same = ps->door.server == door->server && ps->door.life == door->life;
    if (same && !(admitting && comm != MPI_COMM_NULL))
        ps->door.server = -1;
    if (admitting && comm == MPI_COMM_NULL)
        ps->manager->admitting = -1;
    if (comm != MPI_COMM_NULL)
        link_up(ps, door, comm);
}

static void visit(struct peal_ps *ps)
{
    struct pl_ps_hello hello = {ps->rank, PL_PS_NEWS_MEMBER};
    size_t bytes = 0;
    pl_ps_enter(ps);
    struct pl_ps_door door = ps->door;
    bool as_manager = door.server >= 0 && is_manager(ps) && ps->manager->admitting == door.server;
    bool known = as_manager || pl_ps_replace_due(ps);
    unsigned char *list = known && as_manager ? make_list(ps, &bytes) : NULL;
    if (list) {
        hello.news = PL_PS_NEWS_MANAGER;
        call_all(ps);
    }
    ps->door.busy = known;
    pl_ps_leave_lock(ps);
    if (!known)
        return;
    MPI_Comm comm = as_manager && !list ? MPI_COMM_NULL : meet(door.port, &hello, list, bytes);
    free(list);
    pl_ps_enter(ps);
    met(ps, &door, comm, as_manager);
    ps->door.busy = false;
    pl_ps_leave_lock(ps);
}

static bool look_up(const struct peal_ps *ps, int rank, struct pl_ps_door *door)
{
    char name[80], text[MPI_MAX_PORT_NAME] = "", *end;
    pl_ps_service_of(name, ps->door.service, rank);
    MPI_Errhandler handler = pl_ps_hush();
    int error = MPI_Lookup_name(name, MPI_INFO_NULL, text);
    pl_ps_unhush(handler);
    door->server = pl_ps_server_of(ps, rank);
    door->life = (int)strtol(text, &end, 10);
    snprintf(door->port, sizeof door->port, "%s", *end ? end + 1 : "");
    return !error && *end;
}

/* Whether who comes for this place may be let in: one at a time. Whom the manager has met comes before all
 * others, for he may have arrived without its having heard of that; two who come at once would not know each
 * other. */
static bool its_turn(const struct peal_ps *ps, int server)
{
    if (!is_manager(ps) || ps->manager->admitting >= 0 || !vacant(ps, server))
        return false;
    for (int s = 0; s < ps->servers; s++)
        if (s != server && vacant(ps, s) && !ps->links.link[pl_ps_rank_of_server(ps, s)].dead)
            return false;
    return true;
}

/* The manager looks whether somebody has published a door. */
static void look(struct peal_ps *ps)
{
    struct pl_ps_door door;
    for (int s = 0; s < ps->servers; s++) {
        pl_ps_enter(ps);
        bool turn = its_turn(ps, s);
        pl_ps_leave_lock(ps);
        if (!turn || !look_up(ps, pl_ps_rank_of_server(ps, s), &door))
            continue;
        pl_ps_enter(ps);
        if (its_turn(ps, s)) {
            ps->manager->admitting = ps->door.server = s;
            ps->door.life = door.life;
            memcpy(ps->door.port, door.port, sizeof door.port);
        }
        pl_ps_leave_lock(ps);
        return;
    }
}

void pl_ps_replace(struct peal_ps *ps)
{
    if (!ps->options.respawn)
        return;
    pl_ps_enter(ps);
    bool due = pl_ps_replace_due(ps), hunting = pl_ps_replace_hunting(ps);
    bool again = hunting && ps->manager->admitting >= 0;
    if (hunting && !again) { /* calls may come fast; nobody starts a process in less */
        hunting = MPI_Wtime() - ps->door.looked > 0.009;
        ps->door.looked = hunting ? MPI_Wtime() : ps->door.looked;
    }
    pl_ps_leave_lock(ps);
    if (hunting && !again)
        look(ps);
    if (due || hunting)
        visit(ps);
}

int pl_ps_replace_open(struct peal_ps *ps)
{
    char ranks[16];
    if (ps->rank)
        return MPI_SUCCESS;
    snprintf(ranks, sizeof ranks, "%d", ps->size);
    MPI_Errhandler handler = pl_ps_hush();
    int error = MPI_Publish_name(ps->door.service, MPI_INFO_NULL, ranks);
    pl_ps_unhush(handler);
    return error;
}

void pl_ps_replace_close(struct peal_ps *ps)
{
    const struct pl_ps_hello hello = {ps->rank, PL_PS_NEWS_OVER};
    struct pl_ps_door door;
    bool last = ps->manager && ps->view->manager == ps->my_server;
    if (!last && !(ps->worker && ps->worker->given_up))
        return;
    MPI_Errhandler handler = pl_ps_hush();
    MPI_Unpublish_name(ps->door.service, MPI_INFO_NULL, "");
    pl_ps_unhush(handler);
    ps->door.busy = true;
    for (int s = 0; s < ps->servers; s++) {
        int rank = pl_ps_rank_of_server(ps, s);
        if (ps->view->server[s] != PL_PS_DEAD)
            continue;
        if (!ps->links.link[rank].dead) /* it may have left its door already */
            pl_ps_send_header(ps, rank, PL_PS_BYE, 1, 1);
        if (look_up(ps, rank, &door))
            meet(door.port, &hello, NULL, 0);
    }
}
