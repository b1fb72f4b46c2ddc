/* What programs of compilers' test suites need of a C library: ends, memory, strings, and a printf that goes nowhere.
 *
 * `run` is what the host calls; `exit` is a function of the host's, and `abort` a trap. Soft floating point comes from
 * compiler_builtins or libgcc.
 */
#include "pvm.h"
#include <stdarg.h>

PVM_MIN_STACK_SIZE(4194304)
PVM_IMPORT(void, exit, (int code), 1, 0)

int main();
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);

/* Coming back from `main` is told from coming back from here: a program that skips its end must not pass. */
int run(void) {
    static char *argv[] = {(char *)"program", 0};
    exit(main(1, argv));
    return 99;
}

__attribute__((noreturn)) void abort(void) { pvm_trap(); }
__attribute__((noreturn)) void __assert_func(const char *f, int l, const char *g, const char *e) { pvm_trap(); }
__attribute__((noreturn)) void __assert_fail(const char *e, const char *f, unsigned l, const char *g) { pvm_trap(); }
__attribute__((noreturn)) void __stack_chk_fail(void) { pvm_trap(); }
void _exit(int code) { exit(code); }
int atexit(void (*f)(void)) { return 0; }

/* Signals are never sent here. */
void *signal(int number, void *handler) { return 0; }

#if __riscv_xlen == 64
#define SAVE "sd "
#define LOAD "ld "
#define SIZE "8"
#else
#define SAVE "sw "
#define LOAD "lw "
#define SIZE "4"
#endif
__asm__(".pushsection .text.setjmp,\"ax\",@progbits\n"
        ".globl setjmp\n.type setjmp, @function\nsetjmp:\n"
        SAVE "ra, 0(a0)\n" SAVE "sp, " SIZE "(a0)\n" SAVE "s0, 2*" SIZE "(a0)\n" SAVE "s1, 3*" SIZE "(a0)\n"
        "li a0, 0\nret\n"
        ".globl longjmp\n.type longjmp, @function\nlongjmp:\n"
        LOAD "ra, 0(a0)\n" LOAD "sp, " SIZE "(a0)\n" LOAD "s0, 2*" SIZE "(a0)\n" LOAD "s1, 3*" SIZE "(a0)\n"
        "seqz a0, a1\nadd a0, a0, a1\nret\n"
        ".popsection\n");

/* A heap that only grows. */
static char heap[4 << 20] __attribute__((aligned(16)));
static size_t used;
void *malloc(size_t size) {
    size_t *at = (size_t *)(heap + used);
    size_t need = (size + 31) & ~(size_t)15;
    if (need < size || need > sizeof heap - used) return 0;
    used += need;
    *at = size;
    return (char *)at + 16;
}
void free(void *p) {}
void *calloc(size_t n, size_t size) {
    void *p = malloc(n * size);
    if (p) memset(p, 0, n * size);
    return p;
}
void *realloc(void *p, size_t size) {
    void *q = malloc(size);
    if (p && q) {
        size_t old = *(size_t *)((char *)p - 16);
        memcpy(q, p, old < size ? old : size);
    }
    return q;
}

#define WEAK __attribute__((weak))
WEAK void *memcpy(void *restrict d, const void *restrict s, size_t n) {
    char *a = d;
    const char *b = s;
    while (n--) *a++ = *b++;
    return d;
}
WEAK void *memmove(void *d, const void *s, size_t n) {
    char *a = d;
    const char *b = s;
    if (a <= b) while (n--) *a++ = *b++;
    else while (n--) a[n] = b[n];
    return d;
}
WEAK void *memset(void *d, int c, size_t n) {
    for (char *a = d; n--;) *a++ = (char)c;
    return d;
}
WEAK int memcmp(const void *x, const void *y, size_t n) {
    const unsigned char *a = x, *b = y;
    for (; n--; a++, b++)
        if (*a != *b) return *a - *b;
    return 0;
}
WEAK int bcmp(const void *x, const void *y, size_t n) { return memcmp(x, y, n); }
WEAK void bzero(void *d, size_t n) { memset(d, 0, n); }
WEAK void bcopy(const void *s, void *d, size_t n) { memmove(d, s, n); }
WEAK void *mempcpy(void *d, const void *s, size_t n) { return (char *)memcpy(d, s, n) + n; }
WEAK void *memchr(const void *s, int c, size_t n) {
    for (const unsigned char *a = s; n--; a++)
        if (*a == (unsigned char)c) return (void *)a;
    return 0;
}
WEAK size_t strlen(const char *s) {
    const char *a = s;
    while (*a) a++;
    return (size_t)(a - s);
}
WEAK size_t strnlen(const char *s, size_t n) {
    size_t i = 0;
    while (i < n && s[i]) i++;
    return i;
}
WEAK char *stpcpy(char *d, const char *s) {
    while ((*d = *s)) d++, s++;
    return d;
}
WEAK char *strcpy(char *d, const char *s) { return stpcpy(d, s), d; }
WEAK char *stpncpy(char *d, const char *s, size_t n) {
    while (n && *s) *d++ = *s++, n--;
    char *end = d;
    while (n--) *d++ = 0;
    return end;
}
WEAK char *strncpy(char *d, const char *s, size_t n) { return stpncpy(d, s, n), d; }
WEAK char *strcat(char *d, const char *s) { return strcpy(d + strlen(d), s), d; }
WEAK char *strncat(char *d, const char *s, size_t n) {
    char *a = d + strlen(d);
    while (n-- && *s) *a++ = *s++;
    *a = 0;
    return d;
}
WEAK int strncmp(const char *a, const char *b, size_t n) {
    for (; n; n--, a++, b++)
        if (*a != *b || !*a) return (unsigned char)*a - (unsigned char)*b;
    return 0;
}
WEAK int strcmp(const char *a, const char *b) { return strncmp(a, b, (size_t)-1); }
WEAK char *strchr(const char *s, int c) {
    for (;; s++) {
        if (*s == (char)c) return (char *)s;
        if (!*s) return 0;
    }
}
WEAK char *index(const char *s, int c) { return strchr(s, c); }
WEAK char *strrchr(const char *s, int c) {
    char *found = 0;
    for (;; s++) {
        if (*s == (char)c) found = (char *)s;
        if (!*s) return found;
    }
}
WEAK char *rindex(const char *s, int c) { return strrchr(s, c); }
WEAK char *strstr(const char *s, const char *t) {
    size_t n = strlen(t);
    for (; ; s++) {
        if (!strncmp(s, t, n)) return (char *)s;
        if (!*s) return 0;
    }
}
WEAK size_t strspn(const char *s, const char *set) {
    size_t n = 0;
    while (s[n] && strchr(set, s[n])) n++;
    return n;
}
WEAK size_t strcspn(const char *s, const char *set) {
    size_t n = 0;
    while (s[n] && !strchr(set, s[n])) n++;
    return n;
}
WEAK char *strpbrk(const char *s, const char *set) {
    s += strcspn(s, set);
    return *s ? (char *)s : 0;
}
WEAK char *strdup(const char *s) {
    char *p = malloc(strlen(s) + 1);
    return p ? strcpy(p, s) : 0;
}
WEAK int abs(int x) { return x < 0 ? -x : x; }
WEAK long labs(long x) { return x < 0 ? -x : x; }
WEAK long long llabs(long long x) { return x < 0 ? -x : x; }
WEAK int isdigit(int c) { return c >= '0' && c <= '9'; }
WEAK int isprint(int c) { return c >= 32 && c < 127; }
WEAK int toupper(int c) { return c >= 'a' && c <= 'z' ? c - 32 : c; }
WEAK int tolower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
WEAK int atoi(const char *s) {
    int n = 0, minus = *s == '-';
    for (s += minus; isdigit(*s); s++) n = n * 10 + *s - '0';
    return minus ? -n : n;
}
WEAK void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *)) {
    char *a = base, t;
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j && compare(a + (j - 1) * size, a + j * size) > 0; j--)
            for (size_t k = 0; k < size; k++)
                t = a[j * size + k], a[j * size + k] = a[(j - 1) * size + k], a[(j - 1) * size + k] = t;
}

/* Integers, characters and strings, with widths. */
WEAK int vsnprintf(char *out, size_t room, const char *f, va_list args) {
    size_t n = 0;
#define PUT(c) (n + 1 < room ? (void)(out[n] = (c)) : (void)0, n++)
    for (; *f; f++) {
        if (*f != '%') { PUT(*f); continue; }
        int left = 0, zero = 0, plus = 0, width = 0, precision = -1, longs = 0;
        for (f++; *f == '-' || *f == '0' || *f == '+' || *f == ' ' || *f == '#'; f++)
            left |= *f == '-', zero |= *f == '0', plus |= *f == '+';
        if (*f == '*') width = va_arg(args, int), f++;
        for (; isdigit(*f); f++) width = width * 10 + *f - '0';
        if (*f == '.') {
            precision = 0;
            if (*++f == '*') precision = va_arg(args, int), f++;
            for (; isdigit(*f); f++) precision = precision * 10 + *f - '0';
        }
        for (; *f == 'l' || *f == 'h' || *f == 'z' || *f == 'j' || *f == 't'; f++)
            longs += *f == 'l' ? 1 : *f == 'h' ? -1 : *f == 'j' ? 2 : 1;
        char digits[72], *text = digits + 71, minus = 0;
        size_t length;
        *text = 0;
        if (*f == 's') {
            text = va_arg(args, char *);
            if (!text) text = (char *)"(null)";
            length = precision < 0 ? strlen(text) : strnlen(text, (size_t)precision);
        } else if (*f == 'c') {
            *--text = (char)va_arg(args, int), length = 1;
        } else if (*f == '%') {
            *--text = '%', length = 1;
        } else {
            unsigned base = *f == 'x' || *f == 'X' || *f == 'p' ? 16 : *f == 'o' ? 8 : 10;
            int is_signed = *f == 'd' || *f == 'i';
            long long value = *f == 'p'     ? (long long)(uintptr_t)va_arg(args, void *)
                              : longs >= 2  ? va_arg(args, long long)
                              : longs == 1  ? (is_signed ? va_arg(args, long) : (long long)va_arg(args, unsigned long))
                              : is_signed   ? va_arg(args, int)
                                            : (long long)va_arg(args, unsigned);
            if (longs == -1) value = is_signed ? (short)value : (unsigned short)value;
            if (longs <= -2) value = is_signed ? (signed char)value : (unsigned char)value;
            unsigned long long u = (unsigned long long)value;
            if (is_signed && value < 0) minus = '-', u = -u;
            else if (is_signed && plus) minus = '+';
            if (!u && precision) *--text = '0';
            for (; u; u /= base) *--text = (*f == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
            while (precision > digits + 71 - text && text > digits + 2) *--text = '0';
            if (minus && !(zero && precision < 0)) *--text = minus, minus = 0;
            length = (size_t)(digits + 71 - text);
            if (minus) PUT(minus), width--;
        }
        if (!left) for (; width > (int)length; width--) PUT(zero && *f != 's' && *f != 'c' && precision < 0 ? '0' : ' ');
        for (size_t i = 0; i < length; i++) PUT(text[i]);
        for (; width > (int)length; width--) PUT(' ');
    }
    if (room) out[n < room ? n : room - 1] = 0;
    return (int)n;
}
#define FORMATTED(out, room) \
    va_list args; va_start(args, f); int n = vsnprintf(out, room, f, args); va_end(args); return n
WEAK int snprintf(char *out, size_t room, const char *f, ...) { FORMATTED(out, room); }
WEAK int sprintf(char *out, const char *f, ...) { FORMATTED(out, (size_t)1 << 20); }
WEAK int vsprintf(char *out, const char *f, va_list args) { return vsnprintf(out, (size_t)1 << 20, f, args); }
WEAK int printf(const char *f, ...) { FORMATTED(0, 0); }
WEAK int vprintf(const char *f, va_list args) { return vsnprintf(0, 0, f, args); }
void *stdin, *stdout, *stderr;
WEAK int fprintf(void *file, const char *f, ...) { FORMATTED(0, 0); }
WEAK int vfprintf(void *file, const char *f, va_list args) { return vsnprintf(0, 0, f, args); }
WEAK int puts(const char *s) { return 1; }
WEAK int putchar(int c) { return (unsigned char)c; }
WEAK int putc(int c, void *file) { return (unsigned char)c; }
WEAK int fputc(int c, void *file) { return (unsigned char)c; }
WEAK int fputs(const char *s, void *file) { return 1; }
WEAK size_t fwrite(const void *p, size_t size, size_t n, void *file) { return size ? n : 0; }
WEAK int fflush(void *file) { return 0; }
