/* sgd.c: v = momentum v + g + decay w;  w = w - rate v.
 *
 * Every rank makes the same step from the same averaged gradient, so the
 * weights stay equal without ever being sent. The rate rises in the first
 * twentieth of the training, as full steps from random weights can switch units
 * off for good, and falls along half a cosine (Loshchilov, Hutter: "SGDR", 2017),
 * as with a fixed one the last epochs' accuracy wanders by half a percent. A range at a time, so that the
 * layers whose gradient has arrived are updated while others are still on their way.
 */
#include "sgd.h"

#include <math.h>

double sgd_rate(double rate, long step, long steps)
{
    double risen = 20 * (double)(step + 1) / (double)steps;
    return (risen < 1 ? risen : 1) * 0.5 * rate * (1 + cos(3.14159265358979 * (double)step / (double)steps));
}

void sgd_update(const struct sgd *sgd, real rate, size_t from, size_t to, const real *restrict gradients,
                real *restrict weights)
{
    real momentum = sgd->momentum, decay = sgd->decay;
    real *restrict steps = sgd->steps;
    for (size_t i = from; i < to; i++) {
        steps[i] = momentum * steps[i] + gradients[i] + decay * weights[i];
        weights[i] -= rate * steps[i];
    }
}
