/* progress.c: a bar on a terminal, plain lines elsewhere.
 *
 *   epoch  3/10 [=============>             ]  loss 0.1043  41230 images/s
 *
 * Each epoch leaves one line, the same on a terminal and in a file, so that the
 * lines are the table at the end. The bar is redrawn ten times a second at most,
 * and a finished line takes its place.
 *
 * A launcher passes on whole lines and through pipes, so under mpiexec standard
 * output is never a terminal although the user looks at one. Peal's mpiexec says in
 * PEAL_TERMINAL which one its own output goes to: the bar, and only the bar, is drawn
 * there. The cursor is left at the bar's start, so that a line which arrives late
 * overwrites it. Rejected: /dev/tty, which is there also when the output goes to a file.
 */
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 40, TEXT_WIDTH = 52 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The terminal to draw on, or -1. One that stops background jobs which write is left alone. */
static int find_terminal(void)
{
    const char *path = getenv("PEAL_TERMINAL");
    struct stat file;
    struct termios settings;
    if (isatty(STDOUT_FILENO))
        return dup(STDOUT_FILENO);
    if (!path || stat(path, &file) != 0 || !S_ISCHR(file.st_mode))
        return -1;
    int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (tcgetattr(fd, &settings) == 0 && !(settings.c_lflag & TOSTOP))
        return fd;
    close(fd);
    return -1;
}

void progress_init(struct progress *p, int on, int epochs, long steps)
{
    *p = (struct progress){.on = on, .terminal = on ? find_terminal() : -1, .epochs = epochs, .steps = steps};
}

void progress_finish(struct progress *p)
{
    if (p->terminal >= 0)
        close(p->terminal);
    p->terminal = -1;
}

static int bar_width(const struct progress *p)
{
    struct winsize size;
    int columns = ioctl(p->terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    int room = columns - TEXT_WIDTH;
    return room < 0 ? 0 : room > BAR_WIDTH ? BAR_WIDTH : room;
}

/* A terminal that takes no more just misses a picture of the bar. */
static void draw(const struct progress *p, const char *text)
{
    if (write(p->terminal, text, strlen(text)) < 0)
        return;
}

void progress_step(struct progress *p, int epoch, long step, double loss, double rate)
{
    char bar[BAR_WIDTH + 1], line[256];
    if (p->terminal < 0 || seconds() < p->shown_at + 0.1)
        return;
    p->shown_at = seconds();
    int width = bar_width(p), filled = (int)(step * width / p->steps);
    for (int i = 0; i < width; i++)
        bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[width] = '\0';
    snprintf(line, sizeof line, "\r\033[Kepoch %2d/%d [%s] loss %.4f  %.0f images/s\r", epoch, p->epochs, bar,
             loss, rate);
    draw(p, line);
}

void progress_clear(struct progress *p)
{
    if (p->terminal >= 0)
        draw(p, "\r\033[K");
}

void progress_epoch(struct progress *p, int epoch, const struct metrics *m)
{
    if (!p->on)
        return;
    progress_clear(p);
    printf("epoch %2d/%d  loss %.6f  accuracy %6.2f%%  images/s %7.0f  comm %5.1f%%\n", epoch, p->epochs,
           m->loss, m->accuracy, m->rate, m->comm);
    fflush(stdout);
    p->shown_at = seconds();
}

int progress_final(struct progress *p, const struct metrics *m, struct failure *failure)
{
    if (!p->on)
        return 0;
    printf("final: loss %.4f accuracy %.2f%% images/s %.0f comm %.1f%%\n", m->loss, m->accuracy, m->rate,
           m->comm);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail(failure, "standard output could not be written: %s", strerror(errno));
    return 0;
}
