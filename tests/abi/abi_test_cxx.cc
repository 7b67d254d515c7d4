// The test of mpi.h once more, in C++.
#include "abi_test.c"
