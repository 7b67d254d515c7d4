/* What mpiexec and its agents on other hosts say to each other: frames in pieces, and the description of a
 * job. */
#include "fuzz.h"

#include "channel.h"
#include "description.h"
#include "loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

static void frame(struct pl_channel *channel, enum pl_frame kind, int rank, const char *bytes, size_t length)
{
    struct pl_description description;
    if (kind == PL_FRAME_START && !pl_description_read(&description, bytes, length))
        pl_description_finish(&description);
}

static void ended(struct pl_channel *channel, const char *why)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pl_channel_calls calls = {.frame = frame, .ended = ended};
    struct pl_loop loop;
    struct pl_channel channel = {0};
    struct pl_description description;
    int pair[2];
    if (!size)
        return 0;
    if (pl_loop_init(&loop) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        abort();
    if (!pl_channel_open(&channel, &loop, pair[0], dup(pair[0]), data[0] & 1, &calls)) {
        for (size_t at = 1; at < size;) {
            ssize_t took = write(pair[1], data + at, size - at);
            pl_channel_hear(&channel);
            if (took <= 0)
                break;
            at += (size_t)took;
        }
        pl_channel_hear(&channel);
        pl_channel_close(&channel);
    }
    close(pair[1]);
    pl_loop_finish(&loop);
    if (!pl_description_read(&description, (const char *)data + 1, size - 1))
        pl_description_finish(&description);
    return 0;
}
