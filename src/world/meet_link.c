/* Frames of a meeting: { length 4 } and so many bytes sealed with the keys of this
 * connection, the number of the frame as nonce, so that none can be left out,
 * repeated or moved. They carry the job's key and its cards, once, at start. */
#include "clock.h"
#include "errors.h"
#include "meet.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 256 << 20, SEAL = crypto_secretbox_MACBYTES };

/* Waits until the descriptor is ready. */
static int wait_for(int fd, short events, int64_t until)
{
    int64_t left = until - pl_now();
    struct pollfd poll_fd = {.fd = fd, .events = events};
    if (left <= 0)
        return pl_fail(PL_ETIMEOUT, "no answer in time");
    int n = poll(&poll_fd, 1, left > 1000000000 ? 1000 : (int)(left / 1000000) + 1);
    return n < 0 && errno != EINTR ? pl_fail_errno("poll") : 0;
}

int pl_meet_read(int fd, void *bytes, size_t length, int64_t until)
{
    char *to = bytes;
    while (length) {
        ssize_t n = recv(fd, to, length, MSG_DONTWAIT);
        int error = 0;
        if (n < 0 && errno == EAGAIN)
            error = wait_for(fd, POLLIN, until);
        else if (n < 0 && errno != EINTR)
            return pl_fail(PL_EPEER, "the connection broke: %s", strerror(errno));
        else if (n == 0)
            return pl_fail(PL_EPEER, "the connection was closed");
        if (error)
            return error;
        if (n > 0) {
            to += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

int pl_meet_write(int fd, const void *bytes, size_t length, int64_t until)
{
    const char *from = bytes;
    while (length) {
        ssize_t n = send(fd, from, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        int error = 0;
        if (n < 0 && errno == EAGAIN)
            error = wait_for(fd, POLLOUT, until);
        else if (n < 0 && errno != EINTR)
            return pl_fail(PL_EPEER, "the connection broke: %s", strerror(errno));
        if (error)
            return error;
        if (n > 0) {
            from += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

static void number_nonce(unsigned char nonce[crypto_secretbox_NONCEBYTES], uint64_t number)
{
    memset(nonce, 0, crypto_secretbox_NONCEBYTES);
    memcpy(nonce, &number, sizeof number);
}

int pl_meet_send(struct pl_meet_link *link, const void *bytes, size_t length, int64_t until)
{
    unsigned char nonce[crypto_secretbox_NONCEBYTES];
    uint32_t size = (uint32_t)(length + SEAL);
    if (length > FRAME_MAX)
        return pl_fail(PL_EARG, "%zu bytes are too many for a meeting", length);
    unsigned char *frame = malloc(4 + size);
    if (!frame)
        return pl_fail(PL_ENOMEM, "no memory for a meeting of %zu bytes", length);
    for (int i = 0; i < 4; i++)
        frame[i] = (unsigned char)(size >> 8 * i);
    number_nonce(nonce, link->sent++);
    crypto_secretbox_easy(frame + 4, bytes, length, nonce, link->send_key);
    int error = pl_meet_write(link->fd, frame, 4 + size, until);
    free(frame);
    return error;
}

int pl_meet_receive(struct pl_meet_link *link, char **bytes, size_t *length, int64_t until)
{
    unsigned char nonce[crypto_secretbox_NONCEBYTES], head[4];
    int error = pl_meet_read(link->fd, head, sizeof head, until);
    if (error)
        return error;
    uint32_t size = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    if (size < SEAL || size > FRAME_MAX + SEAL)
        return pl_fail(PL_EPROTOCOL, "a frame of %u bytes makes no sense", size);
    unsigned char *sealed = malloc(size);
    char *open = malloc(size - SEAL + 1);
    error = sealed && open ? pl_meet_read(link->fd, sealed, size, until)
                           : pl_fail(PL_ENOMEM, "no memory for a meeting of %u bytes", size);
    number_nonce(nonce, link->received++);
    if (!error && crypto_secretbox_open_easy((unsigned char *)open, sealed, size, nonce, link->receive_key))
        error = pl_fail(PL_EPROTOCOL, "a frame of the meeting was tampered with");
    free(sealed);
    if (error) {
        free(open);
        return error;
    }
    open[size - SEAL] = '\0';
    *bytes = open;
    *length = size - SEAL;
    return 0;
}

void pl_meet_close(struct pl_meet_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    sodium_memzero(link->send_key, sizeof link->send_key);
    sodium_memzero(link->receive_key, sizeof link->receive_key);
}
