/* `peal info`: what this Peal is and what it can use here. */
#include "config.h"
#include "errors.h"
#include "tool.h"
#include "memory.h"
#include "transport.h"

#include <mpi.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void print_version(void)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int version, subversion, length;
    MPI_Get_version(&version, &subversion);
    MPI_Get_library_version(text, &length);
    printf("peal        %s\nlibrary     %.*s\ninterface   MPI %d.%d, standard ABI\n", PEAL_VERSION,
           (int)strcspn(text, "\n"), text, version, subversion);
}

static void print_cpus(void)
{
    char line[256], model[192] = "unknown";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
            snprintf(model, sizeof model, "%s", strchr(line, ':') + 2);
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    if (file)
        fclose(file);
    cpu_set_t set;
    int usable = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    printf("cpus        %ld online, %d usable by this process; %s\n", sysconf(_SC_NPROCESSORS_ONLN), usable,
           model);
}

static void print_knobs(void)
{
    printf("\nknobs (environment variables)\n");
    for (const struct pl_knob *knob = pl_config_knobs(); knob->name; knob++) {
        const char *set = getenv(knob->name);
        printf("  %-18s %-12s %-8s %s\n", knob->name,
               set            ? set
               : *knob->value ? knob->value
                              : "-",
               set ? "set" : "default", knob->meaning);
    }
}

static void nothing_arrives(void *context, int peer, const struct pl_header *header, size_t length,
                            const void *payload, struct pl_landing *landing)
{
    if (landing)
        *landing = (struct pl_landing){0};
}

static void nothing_lands(void *context, int peer, const struct pl_landing *landing, size_t length,
                          int status)
{
}

static void nobody_is_lost(void *context, int peer, int error, const char *cause)
{
}

static void nothing_to_say(void *context, char *text, size_t size)
{
    *text = '\0';
}

/* Opens a port as the first of two ranks would, and closes it again. */
static void try_transport(const struct pl_transport *transport, const struct pl_config *config)
{
    static const struct pl_upcalls upcalls = {nothing_arrives, nothing_lands, nobody_is_lost, nothing_to_say};
    struct pl_port_params params = {.size = 2, .local_size = 2, .config = config, .upcalls = &upcalls};
    struct pl_port *port;
    if (!strcmp(transport->name, "loopback")) {
        printf("  %-10s usable: for ranks of one process (peal_run)\n", transport->name);
        return;
    }
    int error = transport->open(&params, &port);
    if (error)
        printf("  %-10s NOT usable here: %s\n", transport->name, pl_fail_text());
    else
        printf("  %-10s usable; messages up to %zu bytes go at once\n", transport->name,
               transport->eager_limit);
    if (!error)
        transport->close(port);
}

static bool allowed(const struct pl_config *config, const char *name)
{
    char names[sizeof config->transports], *rest = names;
    strcpy(names, config->transports);
    for (char *word; (word = strsep(&rest, ","));)
        if (!strcmp(word, name))
            return true;
    return !strcmp(name, "loopback");
}

/* Whether buffers may be on devices. */
static void print_devices(void)
{
    struct pl_memory *memory = NULL;
    char text[256];
    printf("\ndevices\n");
    if (pl_memory_cuda.open(&memory) < 0) {
        printf("  %-10s NOT usable here: %s\n", pl_memory_cuda.name, pl_fail_text());
        return;
    }
    pl_memory_cuda.describe(memory, text, sizeof text);
    printf("  %-10s %s: %s\n", pl_memory_cuda.name,
           pl_memory_cuda.usable(memory) ? "usable" : "NOT usable here", text);
    pl_memory_cuda.close(memory);
}

static void print_transports(void)
{
    struct pl_config config;
    pl_config_read(&config, environ);
    pl_config_complain(environ);
    printf("\ntransports\n");
    for (const struct pl_transport *const *t = pl_transports; *t; t++)
        if (allowed(&config, (*t)->name))
            try_transport(*t, &config);
        else
            printf("  %-10s built in, but PEAL_TRANSPORT does not allow it\n", (*t)->name);
}

int pl_tool_info(int argc, char **argv)
{
    static const struct pl_option none[] = {{0}};
    const struct pl_usage usage = {"peal info",
                                   "Prints the version, the CPUs, the knobs with their values, and which\n"
                                   "transports and devices can be used here.",
                                   none, false};
    int code;
    if (pl_options_only(&usage, argc, argv, &code))
        return code;
    if (sodium_init() < 0) {
        fprintf(stderr, "peal info: libsodium does not start\n");
        return PL_TOOL_BAD;
    }
    print_version();
    print_cpus();
    print_knobs();
    print_transports();
    print_devices();
    return PL_TOOL_OK;
}
