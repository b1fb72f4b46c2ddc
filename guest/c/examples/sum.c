/* Sums what the host has, asking for one number at a time. */
#include "../pvm.h"

PVM_IMPORT(uint32_t, length, (void), 0, 1)
PVM_IMPORT(uint32_t, number, (uint32_t index), 1, 1)

PVM_EXPORT(sum, 0, 1)
uint32_t sum(void) {
    uint32_t total = 0;
    for (uint32_t index = 0; index < length(); index++) {
        total += number(index);
    }
    return total;
}
