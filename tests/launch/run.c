#include "run.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void slurp(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void run(struct run *run, const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    FILE *out = tmpfile(), *err = tmpfile();
    cr_assert(out && err);
    double start = now();
    pid_t pid = fork();
    if (!pid) {
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(fileno(out), 1);
        dup2(fileno(err), 2);
        execlp("timeout", "timeout", "-k", "2", "50", "sh", "-c", command, NULL);
        _exit(127);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    run->seconds = now() - start;
    run->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    slurp(out, run->out, sizeof run->out);
    slurp(err, run->err, sizeof run->err);
}

int lines_that_are(const char *text, const char *line)
{
    int count = 0;
    size_t length = strlen(line);
    while (*text) {
        size_t here = strcspn(text, "\n");
        count += here == length && !strncmp(text, line, length);
        text += here + (text[here] == '\n');
    }
    return count;
}

static int has_argument(const char *pid, const char *word)
{
    char path[300], text[8192];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    for (size_t at = 0; at < n; at += strlen(text + at) + 1)
        if (!strcmp(text + at, word))
            return 1;
    return 0;
}

int processes_with(const char *word)
{
    DIR *proc = opendir("/proc");
    int count = 0;
    for (struct dirent *entry; proc && (entry = readdir(proc));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            count += has_argument(entry->d_name, word);
    if (proc)
        closedir(proc);
    return count;
}
