/* stubs.c: until the real ones are there (weak) */
#include "snapshot/snapshot.h"
#define W __attribute__((weak))
#pragma GCC diagnostic ignored "-Wunused-parameter"
