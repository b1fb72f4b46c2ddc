/* What picolibc asks of its environment: an output that goes nowhere, a heap, and an end. */
#include "pvm.h"
#include <stdio.h>

PVM_MIN_STACK_SIZE(65536)

int result(void);
int run(void) { return result(); }

static int put(char c, FILE *file) { return (unsigned char)c; }
static FILE nowhere = FDEV_SETUP_STREAM(put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &nowhere;
FILE *const stdout = &nowhere;
FILE *const stderr = &nowhere;

static char heap[65536] __attribute__((aligned(16)));
static size_t used;
void *sbrk(ptrdiff_t bytes) {
    if (bytes > (ptrdiff_t)(sizeof heap - used)) return (void *)-1;
    used += (size_t)bytes;
    return heap + used - bytes;
}
void _exit(int code) { pvm_trap(); }
