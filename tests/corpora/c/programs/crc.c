/* Checksums: CRC-32 by bits and by a table, CRC-16 and Adler-32, of the same pseudo-random bytes. */
#include <stddef.h>
#include <stdint.h>

static uint32_t table[256];
static uint8_t data[1000];

static uint32_t by_bits(const uint8_t *p, size_t n) {
    uint32_t crc = ~0u;
    while (n--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

static uint32_t by_table(const uint8_t *p, size_t n) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
    return ~crc;
}

static uint16_t crc16(const uint8_t *p, size_t n) {
    uint16_t crc = 0xffff;
    while (n--) {
        crc ^= (uint16_t)(*p++ << 8);
        for (int i = 0; i < 8; i++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

static uint32_t adler(const uint8_t *p, size_t n) {
    uint32_t a = 1, b = 0;
    while (n--) a = (a + *p++) % 65521, b = (b + a) % 65521;
    return b << 16 | a;
}

int result(void) {
    uint32_t seed = 42;
    for (size_t i = 0; i < sizeof data; i++) seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5, data[i] = (uint8_t)seed;
    for (uint32_t i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        table[i] = ~by_bits(&byte, 1) ^ 0xff000000u;
        uint32_t crc = i;
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
        table[i] = crc;
    }
    uint32_t sum = 0;
    for (size_t n = 0; n < sizeof data; n += 97) {
        uint32_t slow = by_bits(data, n), fast = by_table(data, n);
        if (slow != fast) return -1;
        sum = sum * 31 + slow + crc16(data, n) + adler(data, n);
    }
    return (int)sum;
}
