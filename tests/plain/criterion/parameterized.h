/* Parameterized tests of the stand-in. */
#ifndef PLAIN_PARAMETERIZED_H
#define PLAIN_PARAMETERIZED_H

#include "criterion.h"

#define cr_make_param_array(type, array, count_)                                                             \
    (struct plain_parameters)                                                                                \
    {                                                                                                        \
        .items = (array), .size = sizeof(type), .count = (count_)                                            \
    }
#define ParameterizedTestParameters(suite_, name_)                                                           \
    static struct plain_parameters plain_parameters_##suite_##_##name_(void)
#define ParameterizedTest(parameter_, suite_, name_, ...)                                                    \
    static void plain_##suite_##_##name_(parameter_);                                                        \
    static void plain_run_##suite_##_##name_(void *parameter)                                                \
    {                                                                                                        \
        plain_##suite_##_##name_(parameter);                                                                 \
    }                                                                                                        \
    PLAIN_REGISTER(suite_, name_, plain_run_##suite_##_##name_, plain_parameters_##suite_##_##name_)         \
    static void plain_##suite_##_##name_(parameter_)

#endif
