/* Much of picolibc, in parts that PART selects: formatted output and input, numbers, strings, sorting, memory, mathematics.
 * What functions return and write goes through a hash, which a native C library gives as well. */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash = 2166136261u;
static void take(const char *text) {
    for (; *text; text++) hash = (hash ^ (uint8_t)*text) * 16777619u;
}
static void take_number(long n) {
    char text[40];
    snprintf(text, sizeof text, "%ld;", n);
    take(text);
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#if PART == 10
static jmp_buf back;
static void leave(int code) { longjmp(back, code); }
#endif

int result(void) {
    char text[200];
    (void)text;
#if PART == 1
    take_number(snprintf(text, sizeof text, "%d %5d %-5d| %05d %+d %x %#X %o %c %s %.3s %10s|%-10s|", -1, 42, 42, 42, 42, 255, 255, 8, 'c',
                         "text", "truncated", "right", "left"));
    take(text);
    take_number(snprintf(text, sizeof text, "%ld %lld %llx %hhd %hd %u", -5L, -5000000000LL, 0x123456789abcdefULL, 300, 70000, 4000000000u));
    take(text);
#elif PART == 2
    take_number(snprintf(text, sizeof text, "%.2f %e %g %g %10.4f", 3.14159, 12345.678, 0.25, 1e20, -2.5));
    take(text);
#elif PART == 3
    take_number(snprintf(text, 5, "%s", "longer than that"));
    take(text);

#elif PART == 4
    char *end;
    take_number(strtol("  -123xyz", &end, 10));
    take(end);
    take_number(strtol("0x7fz", &end, 0));
    take_number((long)strtoul("777", NULL, 8));
    take_number((long)(strtod("2.5e3rest", &end) * 4));
    take(end);
    take_number(atoi("31337"));
#elif PART == 5
    int a = 0, b = 0;
    char word[20];
    take_number(sscanf("12 ab 0x1f", "%d %19s %i", &a, word, &b));
    take_number(a * 1000 + b);
    take(word);

#elif PART == 6
    const char *names[] = {"pear", "apple", "fig", "banana", "cherry", "date", "elder", "grape"};
    qsort(names, 8, sizeof *names, compare);
    for (int i = 0; i < 8; i++) take(names[i]);
    const char *key = "date";
    take_number((const char **)bsearch(&key, names, 8, sizeof *names, compare) - names);

#elif PART == 7
    char tokens[] = "one,two;three four";
    for (char *t = strtok(tokens, ",; "); t; t = strtok(NULL, ",; ")) take(t);
    memmove(tokens + 2, tokens, 6);
    take_number((long)strspn("aabbcc", "ab") * 10 + (long)strcspn("xyz!", "!"));
    take(strstr("hay needle hay", "needle"));
    take(strrchr("a/b/c", '/'));
    for (const char *p = "Mixed 123!"; *p; p++) take_number(isupper(*p) * 0 + (isupper((uint8_t)*p) ? 1 : 0) + (isdigit((uint8_t)*p) ? 2 : 0) + (ispunct((uint8_t)*p) ? 4 : 0) + toupper((uint8_t)*p));

#elif PART == 8
    char *blocks[20];
    for (int i = 0; i < 20; i++) {
        blocks[i] = malloc((size_t)(i * 13 + 1));
        if (!blocks[i]) return -1;
        memset(blocks[i], i, (size_t)(i * 13 + 1));
    }
    for (int i = 0; i < 20; i += 2) free(blocks[i]);
    char *grown = realloc(blocks[1], 500);
    take_number(grown[13]);
    int *zeros = calloc(10, sizeof *zeros);
    take_number(zeros[9]);

#elif PART == 9
    take_number((long)(sqrt(2.0) * 1e6));
    take_number((long)(sin(1.0) * 1e6));
    take_number((long)(pow(1.5, 7.0) * 1e3));
    take_number((long)(log(10.0) * 1e6));
    take_number((long)floor(-2.5) * 10 + (long)ceil(2.1));
    take_number((long)fmod(17.5, 5.0));

#elif PART == 10
    volatile int rounds = 0;
    int code = setjmp(back);
    if (code < 3) rounds++, leave(code + 1);
    take_number(code * 10 + rounds);
#elif PART == 11
    div_t q = div(-17, 5);
    take_number(q.quot * 10 + q.rem);
#endif
    return (int)hash;
}
