#include "tool.h"
int pl_tool_plan(int argc, char **argv)
{
    return 2;
}
