/* Curves over the size of messages, as SVG. */
#ifndef PL_PLOT_H
#define PL_PLOT_H

enum { PL_PLOT_PANELS = 2, PL_PLOT_CURVES = 32, PL_PLOT_POINTS = 80, PL_PLOT_NAME = 64 };

struct pl_curve {
    char name[PL_PLOT_NAME];
    int points;
    double x[PL_PLOT_POINTS], y[PL_PLOT_POINTS];
};

struct pl_plot {                            /* zeroed: empty */
    struct pl_curve *curve[PL_PLOT_PANELS]; /* [PL_PLOT_CURVES], NULL: none yet */
    int curves[PL_PLOT_PANELS];
};

/* Adds a point, x and y above 0, to the named curve; points and curves beyond what there is room for are
 * dropped, as are those for which there is no memory. */
void pl_plot_add(struct pl_plot *plot, int panel, const char *name, double x, double y);
/* Writes panel i with the title titles[i], which also names its unit. 0, or an error with its text. */
int pl_plot_write(const struct pl_plot *plot, const char *path, const char *const titles[PL_PLOT_PANELS]);
void pl_plot_finish(struct pl_plot *plot);

#endif
