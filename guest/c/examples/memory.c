/* Checks the memory functions of pvm_memory.h; the host asks for one length at a time. Each export returns 0, or a number of
 * what is wrong. Expected bytes are computed by loops with volatile accesses, which the compiler makes no calls of. */
#include "../pvm_memory.h"
#include "../pvm.h"

#define ALIGNMENTS 16
/* What surrounds the bytes in question. */
#define MARGIN 48
/* Lengths up to 200. */
#define ALL (200 + ALIGNMENTS + 2 * MARGIN)

static _Alignas(16) volatile unsigned char left[ALL], right[ALL];

/* Bytes none of which is like its neighbours. */
static unsigned char pattern(size_t seed, size_t index) {
    return (unsigned char)(index * 151 + seed);
}

static void prepare(volatile unsigned char *memory, size_t seed) {
    for (size_t index = 0; index < ALL; index++) memory[index] = pattern(seed, index);
}

/* Whether all bytes of `right` are of a pattern, but `length` ones from `start` on, of another from `source` on. */
static int holds(size_t outside, size_t start, size_t length, size_t inside, size_t source) {
    for (size_t index = 0; index < ALL; index++) {
        int in = index - start < length;
        unsigned char expected = in ? pattern(inside, index - start + source) : pattern(outside, index);
        if (right[index] != expected) return 0;
    }
    return 1;
}

/* Copies to each alignment, from ones that differ with the length. */
PVM_EXPORT(copies, 1, 1)
size_t copies(size_t length) {
    prepare(left, 1);
    for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
        size_t start = MARGIN + alignment, source = MARGIN + (alignment * 5 + length) % ALIGNMENTS;
        prepare(right, 90);
        void *target = (void *)&right[start];
        if (memcpy(target, (const void *)&left[source], length) != target) return 100;
        if (!holds(90, start, length, 1, source)) return 1 + alignment;
    }
    return 0;
}

/* Moves inside of one memory, by less and by more than a turn of the loops takes, in both directions. */
PVM_EXPORT(moves, 1, 1)
size_t moves(size_t length) {
    static const signed char shifts[] = {-48, -33, -32, -31, -17, -9, -8, -7, -1, 0, 1, 3, 8, 15, 16, 31, 32, 33, 47};
    size_t source = MARGIN + length % ALIGNMENTS;
    for (size_t number = 0; number < sizeof shifts; number++) {
        prepare(right, 7);
        void *target = (void *)&right[source + (size_t)shifts[number]];
        if (memmove(target, (const void *)&right[source], length) != target) return 100;
        if (!holds(7, source + (size_t)shifts[number], length, 7, source)) return 1 + number;
    }
    return 0;
}

/* Fills at each alignment. */
PVM_EXPORT(fills, 1, 1)
size_t fills(size_t length) {
    for (size_t start = MARGIN; start < MARGIN + ALIGNMENTS; start++) {
        prepare(right, 3);
        void *target = (void *)&right[start];
        if (memset(target, 0x12345600 | pattern(77, length), length) != target) return 100;
        for (size_t index = start; index < start + length; index++) {
            if (right[index] != pattern(77, length)) return 1 + start;
            right[index] = pattern(3, index);
        }
        if (!holds(3, 0, 0, 0, 0)) return 200 + start;
    }
    return 0;
}

/* Compares what is equal, and what differs in one byte, where the byte behind differs the other way. */
PVM_EXPORT(comparisons, 1, 1)
size_t comparisons(size_t length) {
    size_t start = MARGIN + length % ALIGNMENTS, other = MARGIN + length / ALIGNMENTS;
    prepare(left, 1);
    prepare(right, 60);
    for (size_t offset = 0; offset < length; offset++) right[other + offset] = left[start + offset];
    const void *a = (const void *)&left[start], *b = (const void *)&right[other];
    if (memcmp(a, b, length) || bcmp(a, b, length)) return 1;
    for (size_t place = length; place-- > 0;) {
        unsigned char ours = left[start + place];
        int less = place % 2 == 0;
        /* Neither 0 nor 255 can be passed by; then this byte stays. */
        if (ours == (less ? 255 : 0)) continue;
        right[other + place] = (unsigned char)(less ? ours + 1 : ours - 1);
        int order = memcmp(a, b, length), back = memcmp(b, a, length);
        if (!order || !back || (order < 0) != less || (back > 0) != less || !bcmp(a, b, length)) return 2 + place;
    }
    return 0;
}

/* Finds the end of strings at each alignment. */
PVM_EXPORT(strings, 1, 1)
size_t strings(size_t length) {
    for (size_t start = MARGIN; start < MARGIN + ALIGNMENTS; start++) {
        for (size_t index = 0; index < ALL; index++) right[index] = index % 3 ? 1 : 0x80;
        right[start + length] = 0;
        right[start + length + 3] = 0;
        if (strlen((const char *)&right[start]) != length) return 1 + start;
    }
    return 0;
}
