// Vectors of the instruction set at hand, and the few operations that GCC's vector types have no notation for.

typedef float Vector __attribute__((vector_size(4 * lanes)));
typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(Vector value, float* to) { *reinterpret_cast<Unaligned*>(to) = value; }

// Past the caches, to a place that is a multiple of the vector's size.
inline void store_past(Vector value, float* to) {
#if PRECEPTOR_LANES == 16
    _mm512_stream_ps(to, value);
#elif PRECEPTOR_LANES == 8
    _mm256_stream_ps(to, value);
#else
    _mm_stream_ps(to, value);
#endif
}

// The first up to three numbers of four.
inline void store_rest(__m128 value, float* to, int64_t count) {
    if (count & 2) {
        _mm_storel_pi(reinterpret_cast<__m64*>(to), value);
        value = _mm_movehl_ps(value, value);
        to += 2;
    }
    if (count & 1) _mm_store_ss(to, value);
}

#if PRECEPTOR_LANES == 16
inline __mmask16 first(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
inline Vector load_part(const float* from, int64_t count) { return _mm512_maskz_loadu_ps(first(count), from); }
inline void store_part(Vector value, float* to, int64_t count) { _mm512_mask_storeu_ps(to, first(count), value); }
typedef int Places __attribute__((vector_size(64)));
inline Vector unpack_low(Vector a, Vector b) {
    return __builtin_shuffle(a, b, Places{0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29});
}
inline Vector unpack_high(Vector a, Vector b) {
    return __builtin_shuffle(a, b, Places{2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31});
}
#elif PRECEPTOR_LANES == 8
alignas(32) constexpr int32_t first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
inline __m256i first(int64_t count) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first_lanes + lanes - count));
}
inline Vector load_part(const float* from, int64_t count) { return _mm256_maskload_ps(from, first(count)); }
inline void store_part(Vector value, float* to, int64_t count) {  // AMD's masked stores take a dozen cycles
    __m128 rest = _mm256_castps256_ps128(value);
    if (count & 4) {
        _mm_storeu_ps(to, rest);
        rest = _mm256_extractf128_ps(value, 1);
    }
    store_rest(rest, to + (count & 4), count & 3);
}
inline Vector unpack_low(Vector a, Vector b) { return _mm256_unpacklo_ps(a, b); }
inline Vector unpack_high(Vector a, Vector b) { return _mm256_unpackhi_ps(a, b); }
#else
inline Vector load_part(const float* from, int64_t count) {
    Vector value{};
    for (int64_t i = 0; i < count; ++i) value[i] = from[i];
    return value;
}
inline void store_part(Vector value, float* to, int64_t count) {
    if (count & 4) return store(value, to);
    store_rest(value, to, count);
}
inline Vector unpack_low(Vector a, Vector b) { return _mm_unpacklo_ps(a, b); }
inline Vector unpack_high(Vector a, Vector b) { return _mm_unpackhi_ps(a, b); }
#endif

// Adds one number times a vector. Of bfloat16 each of both is two neighbouring terms of a sum, in the four bytes of a float.
inline Vector add_product(Vector sum, const float* left, Vector right) {
#if PRECEPTOR_HALVES
    const auto halves = [](__m512 value) { return reinterpret_cast<__m512bh>(value); };
    return _mm512_dpbf16_ps(sum, halves(_mm512_set1_ps(*left)), halves(right));
#else
    return sum + *left * right;
#endif
}

// Four numbers from each of lanes / 4 places, `step` apart.
inline Vector load_fours(const float* from, int64_t step) {
#if PRECEPTOR_LANES == 16
    Vector value = _mm512_castps128_ps512(_mm_loadu_ps(from));
    value = _mm512_insertf32x4(value, _mm_loadu_ps(from + step), 1);
    value = _mm512_insertf32x4(value, _mm_loadu_ps(from + 2 * step), 2);
    return _mm512_insertf32x4(value, _mm_loadu_ps(from + 3 * step), 3);
#elif PRECEPTOR_LANES == 8
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)), _mm_loadu_ps(from + step), 1);
#else
    (void)step;
    return load(from);
#endif
}

// Turns a block: to[i, j] = from[j, i] for four rows i and `lanes` columns j.
inline void turn_block(const float* from, int64_t from_step, float* to, int64_t to_step) {
    Vector x[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) x[i] = load_fours(from + i * from_step, 4 * from_step);
    const Vector even_low = unpack_low(x[0], x[2]), even_high = unpack_high(x[0], x[2]);
    const Vector odd_low = unpack_low(x[1], x[3]), odd_high = unpack_high(x[1], x[3]);
    store(unpack_low(even_low, odd_low), to);
    store(unpack_high(even_low, odd_low), to + to_step);
    store(unpack_low(even_high, odd_high), to + 2 * to_step);
    store(unpack_high(even_high, odd_high), to + 3 * to_step);
}

// How a vector is read and written: whole, or at the end of a row in part.
struct Whole {
    Vector get(const float* from) const { return load(from); }
    void put(Vector value, float* to) const { store(value, to); }
};
struct Part {
    int64_t count;
    Vector get(const float* from) const { return load_part(from, count); }
    void put(Vector value, float* to) const { store_part(value, to, count); }
};
