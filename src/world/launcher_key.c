/* The job's secret, with which its ranks prove themselves to each other. Peal's launcher, which speaks PMI-1,
 * has made it and tells only its own ranks. Under another launcher rank 0 makes one, and the launcher's
 * key-value space, which only the job can read, carries it.
 */
#include "launcher.h"

#include "errors.h"
#include "pmi1_wire.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

static int decode(unsigned char *key, const char *text)
{
    size_t length = 0;
    int wrong = sodium_hex2bin(key, PL_LAUNCHER_KEY, text, strlen(text), NULL, &length, NULL);
    return wrong || length != PL_LAUNCHER_KEY ? pl_fail(PL_EPROTOCOL, "the job's key is not one") : 0;
}

static int make(struct pl_launcher *job, unsigned char *key, char *text, size_t size)
{
    int error = 0;
    if (!job->rank) {
        randombytes_buf(key, PL_LAUNCHER_KEY);
        sodium_bin2hex(text, size, key, PL_LAUNCHER_KEY);
        error = job->calls->put(job, "peal-key", text);
    }
    if (!error)
        error = job->calls->barrier(job);
    if (!error && job->rank)
        error = job->calls->get(job, "peal-key", text, size);
    return error || !job->rank ? error : decode(key, text);
}

int pl_launcher_key(struct pl_launcher *job, unsigned char key[PL_LAUNCHER_KEY])
{
    char text[2 * PL_LAUNCHER_KEY + 1];
    bool made = job->pmi1 && !job->calls->get(job, PL_PMI1_JOB_KEY, text, sizeof text);
    int error = made ? decode(key, text) : make(job, key, text, sizeof text);
    sodium_memzero(text, sizeof text);
    return error;
}
