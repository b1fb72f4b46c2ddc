/* A state machine over text by a switch, an interpreter of a small stack language by computed gotos and by function
 * pointers, and counts of what was met. */
#include <stdint.h>

enum state { START, SIGN, WHOLE, POINT, PART, EXPONENT, POWER, BAD, STATES };
static uint32_t visits[STATES], kinds[STATES];

static enum state step(enum state s, char c) {
    visits[s]++;
    int digit = c >= '0' && c <= '9';
    switch (s) {
    case START: return digit ? WHOLE : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : BAD;
    case SIGN: return digit ? WHOLE : c == '.' ? POINT : BAD;
    case WHOLE: return digit ? WHOLE : c == '.' ? PART : c == 'e' || c == 'E' ? EXPONENT : BAD;
    case POINT: return digit ? PART : BAD;
    case PART: return digit ? PART : c == 'e' || c == 'E' ? EXPONENT : BAD;
    case EXPONENT: return digit ? POWER : c == '+' || c == '-' ? EXPONENT : BAD;
    case POWER: return digit ? POWER : BAD;
    default: return BAD;
    }
}

static uint32_t read_numbers(const char *text) {
    uint32_t hash = 7;
    while (*text) {
        enum state s = START;
        while (*text && *text != ',') s = step(s, *text++);
        if (*text) text++;
        kinds[s]++;
        hash = hash * 33 + (uint32_t)s;
    }
    return hash;
}

/* push n, add, multiply, duplicate, swap, drop, jump back if not zero, stop */
static const uint8_t program[] = {0, 1, 0, 9, 4, 3, 0, 3, 2, 1, 0, 7, 1, 4, 0, 255, 1, 3, 6, 13, 5, 7};

static int32_t threaded(const uint8_t *code) {
    static const void *const labels[] = {&&push, &&add, &&multiply, &&dup, &&swap, &&drop, &&back, &&stop};
    int32_t stack[16], *sp = stack, t;
    const uint8_t *pc = code;
    int fuel = 4000;
#define NEXT do { if (!fuel--) return -2; goto *labels[*pc++]; } while (0)
    NEXT;
push: *sp++ = (int8_t)*pc++; NEXT;
add: sp--, sp[-1] += sp[0]; NEXT;
multiply: sp--, sp[-1] = sp[-1] * sp[0] % 10007; NEXT;
dup: *sp = sp[-1], sp++; NEXT;
swap: t = sp[-1], sp[-1] = sp[-2], sp[-2] = t; NEXT;
drop: sp--; NEXT;
back: t = *pc++; if (sp[-1]) pc -= t; NEXT;
stop: return sp[-1];
}

struct machine { int32_t stack[16], *sp; const uint8_t *pc; int running; };
static void m_push(struct machine *m) { *m->sp++ = (int8_t)*m->pc++; }
static void m_add(struct machine *m) { m->sp--, m->sp[-1] += m->sp[0]; }
static void m_multiply(struct machine *m) { m->sp--, m->sp[-1] = m->sp[-1] * m->sp[0] % 10007; }
static void m_dup(struct machine *m) { *m->sp = m->sp[-1], m->sp++; }
static void m_swap(struct machine *m) { int32_t t = m->sp[-1]; m->sp[-1] = m->sp[-2], m->sp[-2] = t; }
static void m_drop(struct machine *m) { m->sp--; }
static void m_back(struct machine *m) { int32_t t = *m->pc++; if (m->sp[-1]) m->pc -= t; }
static void m_stop(struct machine *m) { m->running = 0; }
static void (*const operations[])(struct machine *) = {m_push, m_add, m_multiply, m_dup, m_swap, m_drop, m_back, m_stop};

static int32_t called(const uint8_t *code) {
    struct machine m = {.pc = code, .running = 1};
    m.sp = m.stack;
    for (int fuel = 4000; m.running; fuel--) {
        if (!fuel) return -2;
        operations[*m.pc++](&m);
    }
    return m.sp[-1];
}

int result(void) {
    uint32_t hash = read_numbers("1,+2,-3.5,.5,7e3,8.25E-2,abc,1.2.3,,+,99999,-.e,5e,6e+1,0");
    int32_t a = threaded(program), b = called(program);
    if (a != b) return -1;
    for (int i = 0; i < STATES; i++) hash = hash * 31 + visits[i] * 7 + kinds[i];
    return (int)(hash + (uint32_t)a);
}
