// Loops over rows of numbers.

void widen(const uint16_t* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
        std::memcpy(to + i, &bits, sizeof bits);
    }
}

void add(const float* from, float* to, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

void maximum(const float* x, float* out, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) out[i] = (x[i] > out[i]) | (x[i] != x[i]) ? x[i] : out[i];
}

void count_equal(const float* x, const float* largest, float* count, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) count[i] += x[i] == largest[i] ? 1.0f : 0.0f;
}

void divide(const float* x, const float* by, float* out, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) out[i] = x[i] / by[i];
}

void add_where_equal(const float* x, const float* largest, const float* share, float* out, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) out[i] += x[i] == largest[i] ? share[i] : 0.0f;
}

template <int rotation>
inline uint32_t rotate(uint32_t x) { return (x << rotation) | (x >> (32 - rotation)); }

template <int r0, int r1, int r2, int r3>
inline void four_rounds(uint32_t& x, uint32_t& y, uint32_t add_x, uint32_t add_y) {
    x += y, y = rotate<r0>(y) ^ x;
    x += y, y = rotate<r1>(y) ^ x;
    x += y, y = rotate<r2>(y) ^ x;
    x += y, y = rotate<r3>(y) ^ x;
    x += add_x, y += add_y;
}

// Rotations and parity: Salmon et al. 2011, table 2 and section 4.2; as in ops/random.py.
void encrypt(const uint32_t key[2], uint32_t start, uint32_t high, int64_t count, int shift, uint32_t* first,
             uint32_t* second) {
    const uint32_t k0 = key[0], k1 = key[1], k2 = k0 ^ k1 ^ 0x1BD11BDA;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        uint32_t x = start + static_cast<uint32_t>(i) + k0, y = high + k1;
        four_rounds<13, 15, 26, 6>(x, y, k1, k2 + 1);
        four_rounds<17, 29, 16, 24>(x, y, k2, k0 + 2);
        four_rounds<13, 15, 26, 6>(x, y, k0, k1 + 3);
        four_rounds<17, 29, 16, 24>(x, y, k1, k2 + 4);
        four_rounds<13, 15, 26, 6>(x, y, k2, k0 + 5);
        first[i] = x >> shift;
        second[i] = y >> shift;
    }
}
