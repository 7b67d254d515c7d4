/* mpiexec, also called mpirun: the command line, then the job. */
#include "agent.h"
#include "errors.h"
#include "job.h"
#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRONG_USE = 2, UNWRITABLE = 1 };

/* Descriptors 0, 1 and 2 must be taken, or a pipe of a rank's would get one of
 * these numbers and be written to as our own output. In the place of a closed
 * output stands something that cannot be written, so that writing fails as it should. */
static void take_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

/* The ranks' outputs are pipes; who draws for a person to look at is told which terminal that person has. */
static void name_terminal(void)
{
    const char *name = isatty(STDOUT_FILENO) ? ttyname(STDOUT_FILENO) : NULL;
    if (name)
        setenv("PEAL_TERMINAL", name, 1);
    else
        unsetenv("PEAL_TERMINAL");
}

int main(int argc, char **argv)
{
    struct pl_options options;
    struct pl_layout layout = {0};
    take_standard_descriptors();
    if (argc == 2 && !strcmp(argv[1], "--agent"))
        return pl_agent_run();
    name_terminal();
    int code, error = pl_options_read(&options, argc, argv);
    if (!error)
        error = pl_layout_make(&layout, &options);
    if (error < 0) {
        pl_job_say("%s", pl_fail_text());
        code = WRONG_USE;
    } else if (error) {
        code = fflush(stdout) || ferror(stdout) ? UNWRITABLE : 0;
    } else {
        code = pl_job_run(&options, &layout);
    }
    pl_layout_finish(&layout);
    pl_options_finish(&options);
    return code;
}
