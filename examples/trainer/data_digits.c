/* data_digits.c: handwritten-like digits without a download.
 *
 * Each digit has one to three ways to be written, as strokes through a few
 * points of a unit square. A drawing then differs from the pattern as hands
 * differ: every point wanders, the strokes are bent by a smooth wave, the whole
 * is turned, slanted, stretched and moved, drawn with a thin or a thick, a firm or
 * a faint pen, smooth between points (Catmull-Rom), and at last specks and noise
 * are put on it. A network needs convolution or a few epochs to exceed 98 %.
 *
 *     points -> wander -> curve -> bend -> turn, slant, stretch -> distance to
 *     the nearest piece of a stroke, a pixel at a time -> ink -> noise
 *
 * Drawing i of a seed depends on (seed, i) alone, so ranks can draw their shares.
 */
#include "data.h"

#include <math.h>
#include <string.h>

#include "random.h"

enum { STROKE_POINTS = 9, STROKES = 3, CURVE_STEPS = 4, PIECES_MAX = STROKES * STROKE_POINTS * CURVE_STEPS };

struct stroke {
    int count; /* of points; negative: straight between them */
    double points[STROKE_POINTS][2];
};

struct pattern {
    int digit;
    struct stroke strokes[STROKES];
};

/* x to the right, y downwards, in a square of side 1. */
static const struct pattern patterns[] = {
    {0,
     {{9,
       {{.55, .05},
        {.25, .18},
        {.17, .5},
        {.25, .82},
        {.5, .95},
        {.76, .82},
        {.84, .5},
        {.74, .17},
        {.5, .05}}}}},
    {0, {{8, {{.62, .1}, {.32, .2}, {.2, .55}, {.35, .9}, {.62, .85}, {.8, .5}, {.7, .15}, {.45, .1}}}}},
    {1, {{-2, {{.5, .05}, {.5, .95}}}}},
    {1, {{-3, {{.33, .25}, {.54, .06}, {.54, .95}}}}},
    {1, {{-3, {{.35, .25}, {.52, .06}, {.52, .93}}}, {-2, {{.32, .94}, {.72, .94}}}}},
    {2,
     {{6, {{.2, .25}, {.4, .06}, {.7, .13}, {.74, .38}, {.45, .7}, {.17, .93}}},
      {-2, {{.17, .93}, {.83, .92}}}}},
    {2,
     {{9,
       {{.22, .22},
        {.45, .06},
        {.72, .2},
        {.66, .5},
        {.35, .82},
        {.2, .88},
        {.28, .74},
        {.5, .86},
        {.85, .9}}}}},
    {3,
     {{9,
       {{.2, .15},
        {.5, .05},
        {.76, .22},
        {.63, .42},
        {.42, .48},
        {.7, .56},
        {.8, .75},
        {.55, .95},
        {.18, .85}}}}},
    {3,
     {{-4, {{.2, .08}, {.76, .08}, {.45, .42}, {.5, .43}}},
      {5, {{.48, .42}, {.75, .52}, {.78, .76}, {.52, .95}, {.18, .86}}}}},
    {4, {{-3, {{.35, .06}, {.16, .56}, {.84, .56}}}, {-2, {{.64, .3}, {.62, .96}}}}},
    {4, {{-3, {{.62, .96}, {.64, .05}, {.12, .64}}}, {-2, {{.12, .65}, {.88, .63}}}}},
    {4, {{4, {{.22, .08}, {.2, .38}, {.36, .5}, {.7, .44}}}, {-2, {{.76, .06}, {.7, .96}}}}},
    {5,
     {{-3, {{.76, .07}, {.3, .08}, {.26, .44}}},
      {6, {{.26, .44}, {.52, .37}, {.78, .52}, {.78, .76}, {.5, .95}, {.18, .86}}}}},
    {5,
     {{-2, {{.3, .08}, {.27, .46}}},
      {6, {{.27, .46}, {.56, .4}, {.77, .6}, {.7, .85}, {.44, .95}, {.2, .86}}},
      {-2, {{.3, .08}, {.8, .06}}}}},
    {6,
     {{9,
       {{.7, .06},
        {.4, .24},
        {.22, .6},
        {.33, .9},
        {.6, .93},
        {.76, .74},
        {.62, .54},
        {.4, .57},
        {.25, .74}}}}},
    {6,
     {{9,
       {{.5, .04},
        {.3, .3},
        {.24, .66},
        {.4, .94},
        {.68, .9},
        {.76, .68},
        {.56, .52},
        {.36, .62},
        {.3, .76}}}}},
    {7, {{-3, {{.16, .1}, {.8, .09}, {.42, .95}}}}},
    {7, {{5, {{.15, .17}, {.42, .1}, {.8, .1}, {.58, .5}, {.46, .95}}}}},
    {7, {{-3, {{.17, .1}, {.82, .09}, {.4, .95}}}, {-2, {{.34, .52}, {.78, .5}}}}},
    {8,
     {{9,
       {{.72, .18},
        {.48, .05},
        {.26, .2},
        {.42, .44},
        {.7, .64},
        {.7, .88},
        {.46, .95},
        {.26, .82},
        {.36, .6}}},
      {4, {{.36, .6}, {.52, .46}, {.68, .34}, {.72, .18}}}}},
    {8,
     {{6, {{.5, .05}, {.28, .18}, {.36, .42}, {.62, .42}, {.72, .18}, {.5, .05}}},
      {7, {{.5, .44}, {.24, .6}, {.26, .86}, {.5, .95}, {.76, .84}, {.76, .6}, {.5, .44}}}}},
    {9, {{8, {{.74, .24}, {.5, .06}, {.26, .22}, {.32, .46}, {.56, .5}, {.74, .3}, {.72, .6}, {.62, .96}}}}},
    {9,
     {{6, {{.72, .2}, {.45, .07}, {.25, .28}, {.4, .5}, {.64, .42}, {.73, .2}}},
      {-2, {{.74, .14}, {.7, .96}}}}},
    {9,
     {{9,
       {{.74, .26},
        {.5, .06},
        {.28, .22},
        {.34, .46},
        {.58, .48},
        {.74, .26},
        {.74, .66},
        {.56, .94},
        {.26, .9}}}}},
};

enum { PATTERNS = sizeof patterns / sizeof patterns[0] };

/* How one drawing differs from its pattern. */
struct hand {
    double matrix[2][2], shift[2]; /* unit square to pixels */
    double bend[2][3];             /* of x along y and of y along x: height, waves, phase */
    double wander;
    double pen, ink; /* half the width in pixels; darkness, up to 1 */
};

struct drawing {
    double pieces[PIECES_MAX][4]; /* x, y of both ends, in pixels */
    int count;
};

static struct hand choose_hand(struct random *r)
{
    struct hand h = {.wander = random_between(r, .02, .1)};
    double turn = random_between(r, -.28, .28), slant = random_between(r, -.15, .43);
    double width = random_between(r, 11, 19.5), height = random_between(r, 16, 22);
    double c = cos(turn), s = sin(turn);
    h.matrix[0][0] = c * width;
    h.matrix[0][1] = (-s - slant * c) * height;
    h.matrix[1][0] = s * width;
    h.matrix[1][1] = (c - slant * s) * height;
    for (int i = 0; i < 2; i++) {
        h.shift[i] = (DIGIT_SIDE - 1) / 2.0 + random_between(r, -2, 2);
        h.bend[i][0] = random_between(r, 0, .07);
        h.bend[i][1] = random_between(r, 2, 7);
        h.bend[i][2] = random_between(r, 0, 6.2832);
    }
    h.pen = random_between(r, .68, 1.85);
    h.ink = random_between(r, .6, 1);
    return h;
}

static void to_pixels(const struct hand *h, const double point[2], double pixel[2])
{
    double x = point[0] - .5, y = point[1] - .5;
    double bent_x = x + h->bend[0][0] * sin(h->bend[0][1] * y + h->bend[0][2]);
    double bent_y = y + h->bend[1][0] * sin(h->bend[1][1] * x + h->bend[1][2]);
    for (int i = 0; i < 2; i++)
        pixel[i] = h->matrix[i][0] * bent_x + h->matrix[i][1] * bent_y + h->shift[i];
}

/* The point at `t` between p[1] and p[2] of a Catmull-Rom curve. */
static double curve(double p0, double p1, double p2, double p3, double t)
{
    return p1 + .5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}

static void draw_stroke(const struct hand *h, const struct stroke *stroke, struct random *r,
                        struct drawing *d)
{
    int straight = stroke->count < 0, count = straight ? -stroke->count : stroke->count;
    int steps = straight ? 2 : CURVE_STEPS;
    double points[STROKE_POINTS][2], last[2], next[2], between[2];
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            points[i][k] = stroke->points[i][k] + h->wander * random_between(r, -1, 1);
    if (count == 0)
        return;
    to_pixels(h, points[0], last);
    for (int i = 0; i + 1 < count; i++)
        for (int step = 1; step <= steps; step++) {
            const double *before = points[i > 0 ? i - 1 : 0],
                         *after = points[i + 2 < count ? i + 2 : count - 1];
            double t = (double)step / steps;
            for (int k = 0; k < 2; k++)
                between[k] = straight ? points[i][k] + t * (points[i + 1][k] - points[i][k])
                                      : curve(before[k], points[i][k], points[i + 1][k], after[k], t);
            to_pixels(h, between, next);
            memcpy(d->pieces[d->count], last, sizeof last);
            memcpy(d->pieces[d->count++] + 2, next, sizeof next);
            memcpy(last, next, sizeof last);
        }
}

/* The squares of the distances to one piece, for the pixels it can reach. */
static void measure_piece(const double piece[4], double reach, float *squares)
{
    double x0 = piece[0], y0 = piece[1], dx = piece[2] - x0, dy = piece[3] - y0;
    double inverse = 1 / (dx * dx + dy * dy + 1e-12);
    int left = (int)fmax(0, fmin(x0, piece[2]) - reach), top = (int)fmax(0, fmin(y0, piece[3]) - reach);
    int right = (int)fmin(DIGIT_SIDE - 1, fmax(x0, piece[2]) + reach + 1);
    int bottom = (int)fmin(DIGIT_SIDE - 1, fmax(y0, piece[3]) + reach + 1);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            double t = ((x - x0) * dx + (y - y0) * dy) * inverse;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            double ex = x0 + t * dx - x, ey = y0 + t * dy - y, square = ex * ex + ey * ey;
            float *kept = &squares[y * DIGIT_SIDE + x];
            *kept = square < (double)*kept ? (float)square : *kept;
        }
}

static void put_ink(const struct hand *h, const float *squares, struct random *r, unsigned char *pixels)
{
    double noise = random_between(r, 0, 30);
    for (int i = 0; i < DIGIT_SIDE * DIGIT_SIDE; i++) {
        double edge = h->pen + .6 - sqrt((double)squares[i]), ink = edge < 0     ? 0
                                                                    : edge > 1.2 ? 1
                                                                                 : edge / 1.2;
        double value = 255 * h->ink * ink + (ink > 0 ? noise * random_between(r, -1, 1) : 0);
        pixels[i] = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    for (uint32_t specks = random_below(r, 3); specks > 0; specks--)
        pixels[random_below(r, DIGIT_SIDE * DIGIT_SIDE)] = (unsigned char)random_below(r, 200);
}

int data_draw_digit(uint64_t seed, uint64_t index, unsigned char *pixels)
{
    struct random r = random_stream(seed, RANDOM_DIGITS, index);
    int digit = (int)random_below(&r, 10), styles[PATTERNS], count = 0;
    for (int i = 0; i < PATTERNS; i++)
        if (patterns[i].digit == digit)
            styles[count++] = i;
    const struct pattern *pattern = &patterns[styles[random_below(&r, (uint32_t)count)]];
    struct hand hand = choose_hand(&r);
    struct drawing drawing = {.count = 0};
    float squares[DIGIT_SIDE * DIGIT_SIDE];
    for (int i = 0; i < STROKES; i++)
        draw_stroke(&hand, &pattern->strokes[i], &r, &drawing);
    for (int i = 0; i < DIGIT_SIDE * DIGIT_SIDE; i++)
        squares[i] = 1e6f;
    for (int i = 0; i < drawing.count; i++)
        measure_piece(drawing.pieces[i], hand.pen + .6, squares);
    put_ink(&hand, squares, &r, pixels);
    return digit;
}
