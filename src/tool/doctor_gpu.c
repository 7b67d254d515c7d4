/* The truth about GPUs, by the library's own driver for device memory (base/memory.h): is there a device, do
 * copies carry a pattern there and back, and can a peer's memory be reached.
 *
 *     each rank     a MiB on device (number on its host) mod (devices), written with its pattern
 *     all           the card of it: a round of words
 *     a             reach(b's card); a copy to the host; is it b's pattern?
 *
 *     same process  the address itself
 *     IPC           the card could be opened, and the pattern was there
 *     staged        through page-locked memory and the transport between the two
 *     GPUDirect     the network card would read the device itself; no message of Peal's does so yet
 *
 * To make memory the driver library is called directly: the driver of Peal's takes what programs have made.
 */
#include "doctor.h"

#include "errors.h"
#include "gpu_memory.h"
#include "memory.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 1 << 20 };

struct gpu {
    struct pl_doctor *doctor;
    struct pl_memory *memory;
    struct pl_gpu_memory made;
    unsigned char *here; /* [BYTES] of the host */
};

static unsigned char letter(int rank, size_t at)
{
    uint64_t x = ((uint64_t)(unsigned)rank << 40 ^ at) * 0x9e3779b97f4a7c15u;
    return (unsigned char)(x >> 55);
}

static bool is_pattern(const unsigned char *bytes, int rank)
{
    for (size_t i = 0; i < BYTES; i++)
        if (bytes[i] != letter(rank, i))
            return false;
    return true;
}

static int copy(struct gpu *g, void *to, const void *from)
{
    struct pl_ticket ticket = {0};
    int error = g->memory->driver->copy(g->memory, to, from, BYTES, &ticket);
    return error ? error : g->memory->driver->wait(g->memory, &ticket);
}

/* Writes the pattern to the device and reads it back: what every staged message does. */
static bool try_copies(struct gpu *g)
{
    for (size_t i = 0; i < BYTES; i++)
        g->here[i] = letter(g->doctor->rank, i);
    int error = copy(g, g->made.address, g->here);
    memset(g->here, 0, BYTES);
    if (!error)
        error = copy(g, g->here, g->made.address);
    bool right = !error && is_pattern(g->here, g->doctor->rank);
    char text[256];
    g->memory->driver->describe(g->memory, text, sizeof text);
    if (right)
        pl_find(&g->doctor->findings, PL_LEVEL_OK, "gpu", NULL,
                "%s; a pattern was copied to the device and back", text);
    else
        pl_find(&g->doctor->findings, PL_LEVEL_PROBLEM, "gpu",
                "export PEAL_CUDA=off, and look at nvidia-smi and dmesg",
                "a pattern did not come back from the device as it was: %s",
                error ? pl_fail_text() : "other bytes came");
    return right;
}

/* The card as digits; "-" and why where there is none. */
static void write_card(struct gpu *g, bool works, char *text, size_t size)
{
    struct pl_memory_card card = {0};
    if (!works) {
        snprintf(text, size, "-no device can be used there");
        return;
    }
    int error = g->memory->driver->share(g->memory, g->made.address, BYTES, &card);
    if (error || !card.length) {
        snprintf(text, size, "-its memory cannot be exported (cuIpcGetMemHandle is refused)");
        return;
    }
    text[0] = '+';
    sodium_bin2hex(text + 1, size - 1, (const unsigned char *)&card, sizeof card);
}

static void tell_staged(struct gpu *g, int peer, const char *why, bool near)
{
    char text[200];
    snprintf(text, sizeof text, "%s", why);
    pl_find_peer(&g->doctor->findings, peer, near ? PL_LEVEL_NOTE : PL_LEVEL_OK, "gpu",
                 near ? "in containers: docker run --ipc=host --pid=host --gpus all, and the same "
                        "CUDA_VISIBLE_DEVICES for both"
                      : NULL,
                 near ? "staged through host memory, not IPC: %s"
                      : "staged through host memory: %s; GPUDirect is not tried, since no message of this "
                        "Peal uses it",
                 text);
}

static void try_peer(struct gpu *g, int peer, const char *word)
{
    struct pl_memory_card card;
    size_t length = 0;
    void *address = NULL;
    if (g->doctor->host_of[peer] != g->doctor->host) {
        tell_staged(g, peer, "it is on another host", false);
        return;
    }
    if (*word != '+' ||
        sodium_hex2bin((unsigned char *)&card, sizeof card, word + 1, strlen(word + 1), NULL, &length,
                       NULL) ||
        length != sizeof card) {
        tell_staged(g, peer, *word == '-' ? word + 1 : "its card did not come", true);
        return;
    }
    memset(g->here, 0, BYTES);
    int error = g->memory->driver->reach(g->memory, &card, &address);
    if (!error)
        error = copy(g, g->here, address);
    if (error)
        tell_staged(g, peer, pl_fail_text(), true);
    else if (!is_pattern(g->here, peer))
        pl_find_peer(&g->doctor->findings, peer, PL_LEVEL_PROBLEM, "gpu",
                     "export PEAL_CUDA=off, and look at dmesg",
                     "by IPC other bytes were read than the peer has in its memory");
    else
        pl_find_peer(&g->doctor->findings, peer, PL_LEVEL_OK, "gpu", NULL,
                     "IPC: the peer's device memory was mapped, and its pattern read");
}

static void try_itself(struct gpu *g, const char *word)
{
    struct pl_memory_card card;
    size_t length = 0;
    void *address = NULL;
    if (*word != '+' ||
        sodium_hex2bin((unsigned char *)&card, sizeof card, word + 1, strlen(word + 1), NULL, &length, NULL))
        return;
    if (!g->memory->driver->reach(g->memory, &card, &address) && address == g->made.address)
        pl_find(&g->doctor->findings, PL_LEVEL_OK, "gpu", NULL, "same process: by the address itself");
}

static void tell_missing(struct pl_doctor *doctor, const struct pl_roots *roots, const char *why)
{
    char path[200];
    snprintf(path, sizeof path, "%s/nvidiactl", roots->dev);
    bool device = !access(path, F_OK);
    if (doctor->local_rank)
        return;
    doctor->findings.for_host = true;
    if (device)
        pl_find(&doctor->findings, PL_LEVEL_NOTE, "gpu",
                "docker run --gpus all, or install the driver's library (Debian: libcuda1)",
                "the kernel has an NVIDIA driver, and programs have none: %s", why);
    else
        pl_find(&doctor->findings, PL_LEVEL_OK, "gpu", NULL, "no GPU: %s", why);
    doctor->findings.for_host = false;
}

/* Opens all that is needed; false: there is no device, and that is said. */
static bool open_gpu(struct gpu *g, const struct pl_roots *roots)
{
    struct pl_doctor *d = g->doctor;
    char text[256];
    if (!d->config.cuda) {
        if (!d->local_rank)
            pl_find(&d->findings, PL_LEVEL_OK, "gpu", NULL,
                    "PEAL_CUDA=off: buffers on devices are not looked for");
        return false;
    }
    if (pl_memory_cuda.open(&g->memory)) {
        tell_missing(d, roots, pl_fail_text());
        return false;
    }
    if (!g->memory->driver->usable(g->memory)) {
        g->memory->driver->describe(g->memory, text, sizeof text);
        pl_find(
            &d->findings, PL_LEVEL_NOTE, "gpu",
            "nvidia-smi (says what the driver sees); CUDA_VISIBLE_DEVICES must name a device that is there",
            "%s", text);
        return false;
    }
    if (pl_gpu_memory_make(&g->made, d->local_rank, BYTES)) {
        pl_find(&d->findings, PL_LEVEL_PROBLEM, "gpu",
                "nvidia-smi (is a device full, or for one process alone?)",
                "device memory could not be had: %s", pl_fail_text());
        return false;
    }
    return true;
}

void pl_doctor_gpu(struct pl_doctor *doctor, const struct pl_roots *roots)
{
    struct gpu g = {.doctor = doctor, .here = malloc(BYTES)};
    char text[2 * sizeof(struct pl_memory_card) + 100], **words;
    bool works = g.here && open_gpu(&g, roots) && try_copies(&g);
    write_card(&g, works, text, sizeof text);
    if (!pl_doctor_share(doctor, text, &words)) {
        if (works)
            try_itself(&g, words[doctor->rank]);
        for (int r = 0; r < doctor->size && works; r++)
            if (r != doctor->rank)
                try_peer(&g, r, words[r]);
        pl_doctor_forget(doctor, words);
    }
    if (!pl_doctor_share(doctor, "", &words)) /* nobody looks any more */
        pl_doctor_forget(doctor, words);
    if (g.memory)
        g.memory->driver->close(g.memory);
    pl_gpu_memory_drop(&g.made);
    free(g.here);
}
