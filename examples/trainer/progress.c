/* progress.c: a bar on a terminal, plain lines elsewhere.
 *
 *   epoch  3/10 [=============>             ]  loss 0.1043  41230 images/s
 *
 * Each epoch leaves one line, the same on a terminal and in a file, so that the
 * lines are the table at the end. The bar is redrawn ten times a second at most,
 * and a finished line takes its place.
 */
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_WIDTH = 40, TEXT_WIDTH = 52 };

void progress_init(struct progress *p, int on, int epochs, long steps)
{
    *p = (struct progress){
        .on = on, .terminal = on && isatty(STDOUT_FILENO), .epochs = epochs, .steps = steps};
}

static int bar_width(void)
{
    struct winsize size;
    int columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    int room = columns - TEXT_WIDTH;
    return room < 0 ? 0 : room > BAR_WIDTH ? BAR_WIDTH : room;
}

void progress_step(struct progress *p, int epoch, long step, double loss, double rate, double now)
{
    char bar[BAR_WIDTH + 1];
    if (!p->terminal || now < p->shown_at + 0.1)
        return;
    p->shown_at = now;
    int width = bar_width(), filled = (int)(step * width / p->steps);
    for (int i = 0; i < width; i++)
        bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[width] = '\0';
    printf("\r\033[Kepoch %2d/%d [%s] loss %.4f  %.0f images/s", epoch, p->epochs, bar, loss, rate);
    fflush(stdout);
}

void progress_clear(struct progress *p)
{
    if (p->terminal)
        printf("\r\033[K");
}

void progress_epoch(struct progress *p, int epoch, const struct metrics *m)
{
    if (!p->on)
        return;
    progress_clear(p);
    printf("epoch %2d/%d  loss %.6f  accuracy %6.2f%%  images/s %7.0f  comm %5.1f%%\n", epoch, p->epochs,
           m->loss, m->accuracy, m->rate, m->comm);
    fflush(stdout);
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
