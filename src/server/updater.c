/* Updaters: what a server does with an update. Each is a loop over `n` elements; whole blocks of neighbours
 * come in one call, single keys in one each.
 *
 * FTRL-proximal keeps z and n beside the weight, and the weight is a function of both:
 *
 *     sigma = (sqrt(n + g g) - sqrt(n)) / rate;  z += g - sigma w;  n += g g
 *     w = 0 if |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt(n)) / rate + l2)
 *
 * so that l1 gives weights that are exactly zero (H. McMahan et al., "Ad click prediction: a view from the
 * trenches", 2013). Adam counts the steps of each element, since the elements of a table are not touched
 * equally often.
 */
#include "table.h"

#include <math.h>

#define UPDATER(name)                                                                                        \
    static void name(const struct pl_ps_table *table, uint64_t key, size_t n, float *restrict w,             \
                     float *const *s, const float *restrict u)

UPDATER(sum)
{
    for (size_t i = 0; i < n; i++)
        w[i] += u[i];
}

UPDATER(assign)
{
    for (size_t i = 0; i < n; i++)
        w[i] = u[i];
}

UPDATER(sgd)
{
    float rate = table->is.rate;
    for (size_t i = 0; i < n; i++)
        w[i] -= rate * u[i];
}

UPDATER(momentum)
{
    float rate = table->is.rate, m = table->is.momentum, *restrict v = s[0];
    for (size_t i = 0; i < n; i++) {
        v[i] = m * v[i] + u[i];
        w[i] -= rate * v[i];
    }
}

UPDATER(adagrad)
{
    float rate = table->is.rate, epsilon = table->is.epsilon, *restrict squares = s[0];
    for (size_t i = 0; i < n; i++) {
        squares[i] += u[i] * u[i];
        w[i] -= rate * u[i] / (sqrtf(squares[i]) + epsilon);
    }
}

UPDATER(adam)
{
    const struct peal_ps_table *t = &table->is;
    float *restrict m = s[0], *restrict v = s[1], *restrict steps = s[2];
    for (size_t i = 0; i < n; i++) {
        steps[i] += 1;
        m[i] = t->beta1 * m[i] + (1 - t->beta1) * u[i];
        v[i] = t->beta2 * v[i] + (1 - t->beta2) * u[i] * u[i];
        float mean = m[i] / (1 - powf(t->beta1, steps[i]));
        float square = v[i] / (1 - powf(t->beta2, steps[i]));
        w[i] -= t->rate * mean / (sqrtf(square) + t->epsilon);
    }
}

UPDATER(ftrl)
{
    const struct peal_ps_table *t = &table->is;
    float *restrict z = s[0], *restrict squares = s[1];
    for (size_t i = 0; i < n; i++) {
        float g = u[i], root = sqrtf(squares[i] + g * g);
        z[i] += g - (root - sqrtf(squares[i])) / t->rate * w[i];
        squares[i] += g * g;
        w[i] = fabsf(z[i]) <= t->l1 ? 0
                                    : -(z[i] - copysignf(t->l1, z[i])) / ((t->beta + root) / t->rate + t->l2);
    }
}

UPDATER(user)
{
    table->is.function(key, n, w, s, u, table->is.context);
}

void pl_ps_updater_choose(struct pl_ps_table *table)
{
    switch (table->is.updater) {
    case PEAL_PS_SUM:
        table->update = sum;
        break;
    case PEAL_PS_ASSIGN:
        table->update = assign;
        break;
    case PEAL_PS_SGD:
        table->update = sgd;
        break;
    case PEAL_PS_MOMENTUM:
        table->update = momentum;
        break;
    case PEAL_PS_ADAGRAD:
        table->update = adagrad;
        break;
    case PEAL_PS_ADAM:
        table->update = adam;
        break;
    case PEAL_PS_FTRL:
        table->update = ftrl;
        break;
    case PEAL_PS_USER:
        table->update = user;
        break;
    }
}
