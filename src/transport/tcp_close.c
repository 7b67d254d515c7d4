/* The orderly end of a port.
 *
 *   flush:    go on until every queue is empty, a peer is gone or time is over
 *   goodbye:  the last frame on every stream, then shutdown(SHUT_WR)
 *   drain:    read and throw away until the peer's end, or until its kernel has
 *             acknowledged all of ours
 *
 * Closing a socket in which unread bytes lie makes Linux send a reset. One that
 * overtakes our last bytes would destroy them; so none is closed before the peer's
 * kernel has them all (SIOCOUTQ is 0): what lies in its receive buffer then is still
 * read there. Waiting for the peer's own end instead would hold up every rank
 * that ends until the slowest has come to its progress.
 *
 * While a port closes, what arrives is thrown away: its owner waits for nothing
 * any more. It is still read, or two ranks that close with full
 * buffers would wait for each other.
 */
#include "tcp.h"

#include "clock.h"
#include "errors.h"
#include "log.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAP ((int64_t)1000000)

static void cancel_landings(struct pl_tcp_port *port)
{
    for (int rank = 0; rank < port->peers; rank++) {
        struct pl_tcp_stream *stream = port->peer[rank] ? port->peer[rank]->stream : NULL;
        if (!stream)
            continue;
        struct pl_landing landing = stream->landing;
        size_t length = stream->length;
        stream->length = stream->left = stream->begin = stream->end = 0;
        if (length)
            port->upcalls->landed(port->context, rank, &landing, length, PL_ECANCELLED);
    }
}

static bool queued(const struct pl_tcp_port *port)
{
    for (int rank = 0; rank < port->peers; rank++)
        if (port->peer[rank] && !pl_list_empty(&port->peer[rank]->queue))
            return true;
    return false;
}

/* One round, and a nap of at most `nap` when nothing happened. False: time is over, or the port is broken. */
static bool go_on(struct pl_tcp_port *port, int64_t deadline, int64_t nap)
{
    int happened = pl_tcp_round(port);
    if (happened < 0)
        return false;
    if (happened > 0)
        return true;
    int64_t left = deadline - pl_now();
    return left > 0 && !pl_tcp_wait(port, left < nap ? left : nap, NULL, 0);
}

static void fail_rest(struct pl_tcp_port *port)
{
    for (int rank = 0; rank < port->peers; rank++) {
        struct pl_tcp_peer *peer = port->peer[rank];
        if (!peer || pl_list_empty(&peer->queue))
            continue;
        char text[128];
        if (peer->stream)
            peer->stream->write_error = ETIMEDOUT;
        snprintf(text, sizeof text, "rank %d did not take what was sent to it before this rank ended", rank);
        pl_warn("tcp: %s", text);
        pl_tcp_peer_fail_queue(peer, PL_ETIMEOUT, text);
    }
}

/* Whether this stream needs no more attention: all of ours is with the peer's host. */
static bool said_goodbye(struct pl_tcp_stream *stream)
{
    unsigned char bytes[PL_TCP_HEAD];
    if (stream->write_error)
        return true;
    if (stream->goodbye < sizeof bytes) {
        pl_tcp_goodbye(bytes);
        struct iovec rest = {bytes + stream->goodbye, sizeof bytes - stream->goodbye};
        ssize_t took = pl_tcp_wire_write(stream->source.fd, stream->source.tls, &rest, 1);
        if (took < 0)
            return errno != EAGAIN && errno != EINTR;
        stream->goodbye += (size_t)took;
        if (stream->goodbye < sizeof bytes)
            return false;
        shutdown(stream->source.fd, SHUT_WR);
    }
    int unacknowledged = 0;
    return ioctl(stream->source.fd, SIOCOUTQ, &unacknowledged) || !unacknowledged;
}

static bool all_said(struct pl_tcp_port *port)
{
    bool all = true;
    pl_list_each(node, &port->streams) all &=
        said_goodbye(pl_container(node, struct pl_tcp_stream, source.link));
    return all;
}

static void bury_all(struct pl_tcp_port *port, struct pl_list *sources)
{
    pl_list_each(node, sources) pl_tcp_bury(port, pl_container(node, struct pl_tcp_source, link));
}

void pl_tcp_close(struct pl_port *base)
{
    struct pl_tcp_port *port = (struct pl_tcp_port *)base;
    if (!port)
        return;
    int64_t deadline = pl_now() + port->timeout;
    port->closing = true;
    cancel_landings(port);
    while (queued(port) && go_on(port, deadline, 20 * NAP))
        ;
    fail_rest(port);
    while (!all_said(port) && go_on(port, deadline, NAP))
        ;
    for (int rank = 0; rank < port->peers; rank++)
        if (port->peer[rank])
            pl_tcp_dial_stop(port->peer[rank]);
    bury_all(port, &port->strangers);
    bury_all(port, &port->streams);
    struct pl_list *node;
    while ((node = pl_list_first(&port->graveyard))) {
        pl_list_remove(node);
        free(pl_container(node, struct pl_tcp_source, link));
    }
    while ((node = pl_list_first(&port->spare))) {
        pl_list_remove(node);
        free(pl_container(node, struct pl_tcp_item, link));
    }
    for (int i = 0; i < port->card.count; i++)
        close(port->listener[i].fd);
    close(port->timer.fd);
    close(port->epoll);
    for (int rank = 0; rank < port->peers; rank++)
        pl_tcp_peer_destroy(port->peer[rank]);
    free(port->peer);
    pl_tcp_tls_context_destroy(port->tls);
    explicit_bzero(port->key, sizeof port->key);
    free(port);
}
