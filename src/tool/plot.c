/* An SVG is text, so a plot needs no library: both axes logarithmic, since sizes go from bytes to gigabytes
 * and times from nanoseconds to seconds; lines of the grid at powers of ten (y) and of two (x).
 *
 *     title
 *   10^3 |            __/        The legend stands on the right.
 *   10^2 |      __---/
 *   10^1 |__---/
 *        +--------------
 *         8  64  512  4K
 */
#include "plot.h"

#include "errors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 300, LEFT = 70, TOP = 34, BOTTOM = 44, LEGEND = 190 };

static const char *const colours[] = {"#1b6ca8", "#d1495b", "#66a182", "#edae49",
                                      "#6a4c93", "#444444", "#00798c", "#b56576"};

void pl_plot_add(struct pl_plot *plot, int panel, const char *name, double x, double y)
{
    if (!plot->curve[panel])
        plot->curve[panel] = calloc(PL_PLOT_CURVES, sizeof(struct pl_curve));
    if (!plot->curve[panel] || !(x > 0) || !(y > 0))
        return;
    struct pl_curve *c = plot->curve[panel], *end = c + plot->curves[panel];
    while (c < end && strcmp(c->name, name) != 0)
        c++;
    if (c == end) {
        if (plot->curves[panel] == PL_PLOT_CURVES)
            return;
        plot->curves[panel]++;
        snprintf(c->name, sizeof c->name, "%s", name);
    }
    if (c->points == PL_PLOT_POINTS)
        return;
    c->x[c->points] = x;
    c->y[c->points++] = y;
}

void pl_plot_finish(struct pl_plot *plot)
{
    for (int i = 0; i < PL_PLOT_PANELS; i++)
        free(plot->curve[i]);
    *plot = (struct pl_plot){0};
}

struct frame {
    double left, right, low, high; /* log2 of x, log10 of y */
    double top;                    /* of the panel, in pixels */
};

static double place_x(const struct frame *f, double x)
{
    return LEFT + (log2(x) - f->left) / (f->right - f->left) * (WIDTH - LEFT);
}

static double place_y(const struct frame *f, double y)
{
    return f->top + TOP + (f->high - log10(y)) / (f->high - f->low) * (HEIGHT - TOP - BOTTOM);
}

static void fit(struct frame *f, const struct pl_curve *curve, int n)
{
    *f = (struct frame){
        .left = INFINITY, .right = -INFINITY, .low = INFINITY, .high = -INFINITY, .top = f->top};
    for (int c = 0; c < n; c++)
        for (int i = 0; i < curve[c].points; i++) {
            f->left = fmin(f->left, log2(curve[c].x[i]));
            f->right = fmax(f->right, log2(curve[c].x[i]));
            f->low = fmin(f->low, floor(log10(curve[c].y[i])));
            f->high = fmax(f->high, ceil(log10(curve[c].y[i])));
        }
    f->right = f->right > f->left ? f->right : f->left + 1;
    f->high = f->high > f->low ? f->high : f->low + 1;
}

static void size_text(char *text, size_t room, double x)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    int unit = 0;
    for (; x >= 1024 && unit < 4; unit++)
        x /= 1024;
    snprintf(text, room, "%.4g%s", x, units[unit]);
}

static void draw_grid(FILE *file, const struct frame *f)
{
    double bottom = f->top + HEIGHT - BOTTOM;
    for (double power = f->low; power <= f->high; power++) {
        double y = place_y(f, pow(10, power));
        fprintf(file, "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#ddd'/>", LEFT, y, WIDTH, y);
        fprintf(file, "<text x='%d' y='%.1f' text-anchor='end'>%g</text>\n", LEFT - 6, y + 4, pow(10, power));
    }
    double every = fmax(1, round((f->right - f->left) / 8));
    for (double power = ceil(f->left); power <= f->right; power += every) {
        char text[32];
        double x = place_x(f, exp2(power));
        size_text(text, sizeof text, exp2(power));
        fprintf(file, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#eee'/>", x, f->top + TOP, x,
                bottom);
        fprintf(file, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", x, bottom + 16, text);
    }
    fprintf(file, "<text x='%d' y='%.1f' text-anchor='middle'>bytes</text>\n", (LEFT + WIDTH) / 2,
            bottom + 34);
}

static void draw_curves(FILE *file, const struct frame *f, const struct pl_curve *curve, int n)
{
    for (int c = 0; c < n; c++) {
        const char *colour = colours[(size_t)c % (sizeof colours / sizeof *colours)];
        fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='1.8' points='", colour);
        for (int i = 0; i < curve[c].points; i++)
            fprintf(file, "%.1f,%.1f ", place_x(f, curve[c].x[i]), place_y(f, curve[c].y[i]));
        fprintf(file, "'/><text x='%d' y='%.1f' fill='%s'>%s</text>\n", WIDTH + 14,
                f->top + TOP + 12 + 15 * c, colour, curve[c].name);
    }
}

int pl_plot_write(const struct pl_plot *plot, const char *path, const char *const titles[PL_PLOT_PANELS])
{
    FILE *file = fopen(path, "w");
    if (!file)
        return pl_fail_errno("cannot write the plot %s", path);
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' "
            "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
            WIDTH + LEGEND, HEIGHT * PL_PLOT_PANELS);
    for (int i = 0; i < PL_PLOT_PANELS; i++) {
        struct frame frame = {.top = HEIGHT * i};
        if (!plot->curves[i])
            continue;
        fit(&frame, plot->curve[i], plot->curves[i]);
        fprintf(file, "<text x='%d' y='%.1f' font-weight='bold'>%s</text>\n", LEFT, frame.top + 20,
                titles[i]);
        draw_grid(file, &frame);
        draw_curves(file, &frame, plot->curve[i], plot->curves[i]);
    }
    fprintf(file, "</svg>\n");
    int bad = ferror(file);
    return fclose(file) || bad ? pl_fail_errno("cannot write the plot %s", path) : 0;
}
