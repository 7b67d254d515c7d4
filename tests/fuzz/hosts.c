/* Files and lists of hosts. */
#include "fuzz.h"

#include "hosts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    int fd = fuzz_file(data, size, name);
    struct pl_hosts hosts = {0};
    pl_hosts_add_file(&hosts, name);
    pl_hosts_finish(&hosts);
    close(fd);
    char *text = strndup((const char *)data, size);
    hosts = (struct pl_hosts){0};
    pl_hosts_add_list(&hosts, "-host", text);
    pl_hosts_finish(&hosts);
    free(text);
    return 0;
}
