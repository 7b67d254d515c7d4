/* Tuning files, and the values of knobs. */
#include "fuzz.h"

#include "config.h"
#include "tuning.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    int fd = fuzz_file(data, size, name);
    struct pl_tuning tuning;
    pl_tuning_read(&tuning, name, false);
    pl_tuning_machine(&tuning, "shm", true);
    close(fd);
    struct pl_config config;
    char *text = strndup((const char *)data, size);
    pl_log_identity("fuzz", PL_LOG_ERROR);
    pl_config_read(&config, (char *[]){text, NULL});
    free(text);
    return 0;
}
