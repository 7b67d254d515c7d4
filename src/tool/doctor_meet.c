/* How the ranks of `peal doctor` meet: by the launcher's words alone, without MPI_Init. What is being
 * examined cannot be what the examination stands on: where no transport works, the doctor still says so.
 *
 * A text is cut into pieces that every launcher's values hold, and written as hexadecimal digits, since
 * launchers carry words without blanks. The first letter of a value tells whether more follow.
 */
#include "doctor.h"

#include "errors.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { PIECE = 440, KEY = 64 };

static void piece_key(char *key, const struct pl_doctor *doctor, int rank, int piece)
{
    snprintf(key, KEY, "peal-doctor-%d-%d-%d", doctor->rounds, piece, rank);
}

static int put_all(const struct pl_doctor *doctor, const char *text)
{
    size_t left = strlen(text);
    int error = 0;
    for (int piece = 0; !error; piece++) {
        char key[KEY], value[2 * PIECE + 2];
        size_t length = left < PIECE ? left : PIECE;
        value[0] = left > PIECE ? 'm' : 'e';
        sodium_bin2hex(value + 1, sizeof value - 1, (const unsigned char *)text, length);
        piece_key(key, doctor, doctor->rank, piece);
        error = doctor->job->calls->put(doctor->job, key, value);
        text += length;
        left -= length;
        if (!left)
            break;
    }
    return error;
}

/* What a rank has put; "" where it has not, NULL: no memory. */
static char *get_all(const struct pl_doctor *doctor, int rank)
{
    char *text = NULL, value[2 * PIECE + 2] = "m";
    size_t size, length;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return NULL;
    for (int piece = 0; value[0] == 'm'; piece++) {
        unsigned char bytes[PIECE];
        char key[KEY];
        piece_key(key, doctor, rank, piece);
        if (doctor->job->calls->get(doctor->job, key, value, sizeof value) || !value[0] ||
            sodium_hex2bin(bytes, sizeof bytes, value + 1, strlen(value + 1), NULL, &length, NULL))
            break;
        fwrite(bytes, 1, length, file);
    }
    if (!fclose(file))
        return text;
    free(text);
    return NULL;
}

static int share(struct pl_doctor *doctor, const char *mine, char ***words, bool wanted)
{
    *words = NULL;
    int error = put_all(doctor, mine);
    if (!error)
        error = doctor->job->calls->barrier(doctor->job);
    char **all = error || !wanted ? NULL : calloc((size_t)doctor->size, sizeof *all);
    for (int rank = 0; all && rank < doctor->size; rank++)
        if (!(all[rank] = get_all(doctor, rank))) {
            pl_doctor_forget(doctor, all);
            all = NULL;
        }
    if (!error && wanted && !all)
        error = pl_fail(PL_ENOMEM, "no memory for what %d ranks say", doctor->size);
    doctor->rounds++;
    *words = all;
    return error;
}

int pl_doctor_share(struct pl_doctor *doctor, const char *mine, char ***words)
{
    return share(doctor, mine, words, true);
}

int pl_doctor_collect(struct pl_doctor *doctor, const char *mine, char ***words)
{
    return share(doctor, mine, words, !doctor->rank);
}

void pl_doctor_forget(const struct pl_doctor *doctor, char **words)
{
    for (int rank = 0; words && rank < doctor->size; rank++)
        free(words[rank]);
    free(words);
}

static int look_around(struct pl_doctor *doctor)
{
    doctor->rank = doctor->job->rank;
    doctor->size = doctor->job->size;
    doctor->host_of = calloc((size_t)doctor->size, sizeof *doctor->host_of);
    if (!doctor->host_of)
        return pl_fail(PL_ENOMEM, "no memory for %d ranks", doctor->size);
    for (int r = 0; r < doctor->size; r++) {
        doctor->host_of[r] = doctor->job->calls->host_of(doctor->job, r);
        if (doctor->host_of[r] >= doctor->hosts)
            doctor->hosts = doctor->host_of[r] + 1;
    }
    doctor->host = doctor->host_of[doctor->rank];
    for (int r = 0; r < doctor->size; r++) {
        doctor->local_rank += r < doctor->rank && doctor->host_of[r] == doctor->host;
        doctor->local_size += doctor->host_of[r] == doctor->host;
    }
    return pl_launcher_key(doctor->job, doctor->key);
}

int pl_doctor_meet(struct pl_doctor *doctor)
{
    *doctor = (struct pl_doctor){.rank = 0};
    if (sodium_init() < 0)
        return pl_fail(PL_ESYSTEM, "libsodium does not start");
    pl_config_read(&doctor->config, environ);
    int error = pl_launcher_find(&doctor->job, &doctor->config);
    if (!error && !doctor->job) {
        doctor->pair = true;
        error = pl_launcher_fork(&doctor->job);
    }
    return error ? error : look_around(doctor);
}

void pl_doctor_part(struct pl_doctor *doctor)
{
    if (doctor->job) {
        doctor->job->calls->finalize(doctor->job);
        doctor->job->calls->close(doctor->job);
    }
    free(doctor->host_of);
    pl_findings_finish(&doctor->findings);
}
