/* memcpy, memmove, memset, memcmp, bcmp and strlen for guests in C. The compiler calls them by name, and no library has
 * them. To be included by any of a guest's files; their symbols are weak, so that several may, and yours count more.
 *
 * Unaligned access is as good as aligned here: these move whole words from the first byte on, up to four of them by a head
 * and a tail that overlap, more by four a turn and a last four that overlap what the turns have done. Tell the compiler,
 * too: with -mno-strict-align it makes one instruction of each of these accesses. Without, the code is right, and slow.
 */
#ifndef PVM_MEMORY_H
#define PVM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* WARNING: without this the compiler recognizes what a loop does, and makes it a call of the function that it is in. */
#define PVM_MEMORY __attribute__((weak, noinline, no_builtin))
#define PVM_INLINE static inline __attribute__((always_inline, no_builtin))

/* Values at any address. */
typedef uintptr_t __attribute__((may_alias, aligned(1))) pvm_word;
typedef uint32_t __attribute__((may_alias, aligned(1))) pvm_u32;
typedef uint16_t __attribute__((may_alias, aligned(1))) pvm_u16;

#define PVM_WORD sizeof(pvm_word)
/* The compiler does not know where the counter of a loop comes from, and leaves the loop as it is written. */
#define PVM_OPAQUE(pointer) __asm__("" : "+r"(pointer))
/* One to two values: a head and a tail. */
#define PVM_COPY_ENDS(type)                                                                                            \
    do {                                                                                                               \
        type head = *(const type *)from, tail = *(const type *)(from + count - sizeof(type));                          \
        *(type *)to = head;                                                                                            \
        *(type *)(to + count - sizeof(type)) = tail;                                                                   \
    } while (0)

/* Four words, all loaded before the first is stored. */
PVM_INLINE void pvm_copy_four(unsigned char *to, const unsigned char *from) {
    const pvm_word *source = (const pvm_word *)from;
    pvm_word *target = (pvm_word *)to;
    uintptr_t a = source[0], b = source[1], c = source[2], d = source[3];
    target[0] = a, target[1] = b, target[2] = c, target[3] = d;
}

/* Up to four words; memory may overlap. */
PVM_INLINE void pvm_copy_few(unsigned char *to, const unsigned char *from, size_t count) {
    if (count >= 2 * PVM_WORD) {
        uintptr_t a = ((const pvm_word *)from)[0], b = ((const pvm_word *)from)[1];
        uintptr_t c = ((const pvm_word *)(from + count))[-2], d = ((const pvm_word *)(from + count))[-1];
        ((pvm_word *)to)[0] = a, ((pvm_word *)to)[1] = b;
        ((pvm_word *)(to + count))[-2] = c, ((pvm_word *)(to + count))[-1] = d;
    } else if (count >= PVM_WORD) {
        PVM_COPY_ENDS(pvm_word);
    } else if (PVM_WORD > 4 && count >= 4) {
        PVM_COPY_ENDS(pvm_u32);
    } else if (count >= 2) {
        PVM_COPY_ENDS(pvm_u16);
    } else if (count) {
        *to = *from;
    }
}

PVM_MEMORY void *memcpy(void *restrict target, const void *restrict source, size_t count) {
    unsigned char *to = (unsigned char *)target;
    const unsigned char *from = (const unsigned char *)source;
    if (count <= 4 * PVM_WORD) {
        pvm_copy_few(to, from, count);
        return target;
    }
    size_t last = count - 4 * PVM_WORD;
    unsigned char *last_to = to + last;
    const unsigned char *last_from = from + last;
    while (from < last_from) {
        pvm_copy_four(to, from);
        from += 4 * PVM_WORD, to += 4 * PVM_WORD;
        PVM_OPAQUE(from);
    }
    pvm_copy_four(last_to, last_from);
    return target;
}

PVM_MEMORY void *memmove(void *target, const void *source, size_t count) {
    unsigned char *to = (unsigned char *)target;
    const unsigned char *from = (const unsigned char *)source, *end = from + count;
    if (count > 4 * PVM_WORD) {
        if ((uintptr_t)to - (uintptr_t)from < count) {
            unsigned char *to_end = to + count;
            const unsigned char *stop = from + 4 * PVM_WORD;
            while (end > stop) {
                to_end -= 4 * PVM_WORD, end -= 4 * PVM_WORD;
                PVM_OPAQUE(end);
                pvm_copy_four(to_end, end);
            }
        } else {
            const unsigned char *stop = end - 4 * PVM_WORD;
            while (from < stop) {
                pvm_copy_four(to, from);
                from += 4 * PVM_WORD, to += 4 * PVM_WORD;
                PVM_OPAQUE(from);
            }
        }
    }
    pvm_copy_few(to, from, (size_t)(end - from));
    return target;
}

PVM_MEMORY void *memset(void *target, int value, size_t count) {
    unsigned char *to = (unsigned char *)target, byte = (unsigned char)value;
    uintptr_t word = ~(uintptr_t)0 / 0xff * byte;
    if (count >= 2 * PVM_WORD) {
        unsigned char *end = to + count;
        if (count > 4 * PVM_WORD) {
            unsigned char *last = end - 4 * PVM_WORD;
            while (to < last) {
                pvm_word *words = (pvm_word *)to;
                words[0] = word, words[1] = word, words[2] = word, words[3] = word;
                to += 4 * PVM_WORD;
                PVM_OPAQUE(to);
            }
            to = last;
        }
        ((pvm_word *)to)[0] = word, ((pvm_word *)to)[1] = word;
        ((pvm_word *)end)[-2] = word, ((pvm_word *)end)[-1] = word;
    } else if (count >= PVM_WORD) {
        *(pvm_word *)to = word;
        *(pvm_word *)(to + count - PVM_WORD) = word;
    } else if (PVM_WORD > 4 && count >= 4) {
        *(pvm_u32 *)to = (uint32_t)word;
        *(pvm_u32 *)(to + count - 4) = (uint32_t)word;
    } else if (count) {
        to[0] = byte, to[count / 2] = byte, to[count - 1] = byte;
    }
    return target;
}

/* Words that were loaded compare by their lowest byte first. */
PVM_INLINE int pvm_order(uintptr_t left, uintptr_t right) {
    left = PVM_WORD == 8 ? __builtin_bswap64(left) : __builtin_bswap32((uint32_t)left);
    right = PVM_WORD == 8 ? __builtin_bswap64(right) : __builtin_bswap32((uint32_t)right);
    return (left > right) - (left < right);
}

PVM_MEMORY int memcmp(const void *left_memory, const void *right_memory, size_t count) {
    const unsigned char *left = (const unsigned char *)left_memory, *right = (const unsigned char *)right_memory;
    if (count >= PVM_WORD) {
        const unsigned char *last = left + count - PVM_WORD, *last_right = right + count - PVM_WORD;
        while (left < last) {
            uintptr_t a = *(const pvm_word *)left, b = *(const pvm_word *)right;
            if (a != b) return pvm_order(a, b);
            left += PVM_WORD, right += PVM_WORD;
            PVM_OPAQUE(left);
        }
        return pvm_order(*(const pvm_word *)last, *(const pvm_word *)last_right);
    }
    for (; count; count--, left++, right++) {
        if (*left != *right) return *left - *right;
        PVM_OPAQUE(left);
    }
    return 0;
}

PVM_MEMORY int bcmp(const void *left_memory, const void *right_memory, size_t count) {
    const unsigned char *left = (const unsigned char *)left_memory, *right = (const unsigned char *)right_memory;
    if (count >= PVM_WORD) {
        const unsigned char *last = left + count - PVM_WORD, *last_right = right + count - PVM_WORD;
        while (left < last) {
            if (*(const pvm_word *)left != *(const pvm_word *)right) return 1;
            left += PVM_WORD, right += PVM_WORD;
            PVM_OPAQUE(left);
        }
        return *(const pvm_word *)last != *(const pvm_word *)last_right;
    }
    for (; count; count--, left++, right++) {
        if (*left != *right) return 1;
        PVM_OPAQUE(left);
    }
    return 0;
}

PVM_MEMORY size_t strlen(const char *text) {
    const uintptr_t ones = ~(uintptr_t)0 / 0xff;
    const char *at = text;
    for (; (uintptr_t)at % PVM_WORD; at++) {
        if (!*at) return (size_t)(at - text);
        PVM_OPAQUE(at);
    }
    /* All of an aligned word can be read if one byte of it can: access is granted by pages. */
    for (;; at += PVM_WORD) {
        PVM_OPAQUE(at);
        uintptr_t word = *(const pvm_word *)__builtin_assume_aligned(at, PVM_WORD);
        uintptr_t zeros = (word - ones) & ~word & (ones << 7);
        if (zeros) return (size_t)(at - text) + (size_t)__builtin_ctzll(zeros) / 8;
    }
}

#undef PVM_MEMORY
#undef PVM_INLINE
#undef PVM_WORD
#undef PVM_OPAQUE
#undef PVM_COPY_ENDS

#endif
