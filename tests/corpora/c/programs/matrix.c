/* Products of matrices of integers, in rows and by pointers, and the trace of a power. */
#include <stdint.h>

#define N 12
static int32_t a[N][N], b[N][N], c[N][N];

static void fill(int32_t (*m)[N], uint32_t seed) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            seed = seed * 1103515245u + 12345u;
            m[i][j] = (int32_t)(seed >> 16 & 0xff) - 128;
        }
}

static void multiply(int32_t (*out)[N], int32_t (*x)[N], int32_t (*y)[N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t sum = 0;
            for (int k = 0; k < N; k++) sum += x[i][k] * y[k][j];
            out[i][j] = sum >> 3;
        }
}

static void transpose(int32_t (*m)[N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) {
            int32_t t = m[i][j];
            m[i][j] = m[j][i], m[j][i] = t;
        }
}

int result(void) {
    uint32_t hash = 2166136261u;
    fill(a, 1), fill(b, 2);
    for (int round = 0; round < 8; round++) {
        multiply(c, a, b);
        transpose(c);
        for (int32_t *p = &c[0][0]; p != &c[0][0] + N * N; p++) hash = (hash ^ (uint32_t)*p) * 16777619u;
        for (int i = 0; i < N * N; i++) a[i / N][i % N] = (int8_t)c[i / N][i % N];
    }
    int32_t trace = 0;
    for (int i = 0; i < N; i++) trace += c[i][i];
    return (int)(hash ^ (uint32_t)trace);
}
