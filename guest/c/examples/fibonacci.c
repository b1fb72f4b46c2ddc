/* Fibonacci numbers, three ways: a loop, a recursion, and a table that is filled as it is asked. */
#include "../pvm.h"

PVM_MIN_STACK_SIZE(16384)

PVM_EXPORT(by_loop, 1, 1)
uint32_t by_loop(uint32_t n) {
    uint32_t a = 0, b = 1;
    while (n-- > 0) {
        uint32_t next = a + b;
        a = b;
        b = next;
    }
    return a;
}

PVM_EXPORT(by_recursion, 1, 1)
uint32_t by_recursion(uint32_t n) {
    return n < 2 ? n : by_recursion(n - 1) + by_recursion(n - 2);
}

static uint32_t table[48] = {0, 1};

PVM_EXPORT(by_table, 1, 1)
uint32_t by_table(uint32_t n) {
    if (n >= sizeof table / sizeof *table) {
        pvm_trap();
    }
    if (n > 1 && table[n] == 0) {
        table[n] = by_table(n - 1) + by_table(n - 2);
    }
    return table[n];
}

/* One of them, chosen by number: a jump table, and function pointers in constants. */
static uint32_t (*const ways[])(uint32_t) = {by_loop, by_recursion, by_table};

PVM_EXPORT(by, 2, 1)
uint32_t by(uint32_t way, uint32_t n) {
    switch (way) {
    case 0: return ways[0](n);
    case 1: return ways[1](n) + 1000;
    case 2: return ways[2](n) + 2000;
    case 3: return n * 3;
    case 4: return n ^ 0x55;
    case 5: return way / (n | 1);
    default: return way < 9 ? ways[way % 3](n) : 0;
    }
}
