/* Prints the table of knobs as docs/running.md has it, for docs.py to compare. */
#include "config.h"

#include <stdio.h>

int main(void)
{
    for (const struct pl_knob *knob = pl_config_knobs(); knob->name; knob++)
        printf("%s\t%s\t%s\n", knob->name, knob->value, knob->meaning);
    return 0;
}
