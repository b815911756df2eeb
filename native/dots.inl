// The product of a strip whose right factor lies turned round: each number is the dot product of a row of a and a row of
// what b is read from, both as they lie. For few rows of a, which would not repay that b is packed.

// A dot product is 16 sums, each of every sixteenth term, so that AVX2 and AVX-512 round alike: AVX2 makes eight, and
// then, from lines that are in the first cache, the others. SSE4.2, which rounds every product besides, does with four.
constexpr int dot_sums = lanes == 4 ? 4 : 16;

// Its quarters, added in one order.
inline __m128 to_four(Vector x) {
#if PRECEPTOR_LANES == 16
    return (__builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7)) +
           (__builtin_shufflevector(x, x, 8, 9, 10, 11) + __builtin_shufflevector(x, x, 12, 13, 14, 15));
#elif PRECEPTOR_LANES == 8
    return __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
#else
    return x;
#endif
}

constexpr int dot_rows = lanes == 16 ? 6 : 3;  // with four columns, four of b and one of a: what registers hold
constexpr int dot_columns = 4;

template <int rows>
inline void dot_tile(const Strip& s, int64_t row, int64_t column) {
    const int64_t columns = s.columns - column < dot_columns ? s.columns - column : dot_columns;
    const float *a[rows], *b[dot_columns];
    for (int i = 0; i < rows; ++i) a[i] = s.a + s.row_offsets[row + i];
    for (int j = 0; j < dot_columns; ++j) b[j] = s.b + (column + (j < columns ? j : 0)) * s.b_step;
    __m128 fours[rows][dot_columns];
    for (int start = 0; start < dot_sums; start += lanes) {
        Vector sums[rows][dot_columns] = {};
        const auto take = [&](auto get, int64_t k) {
            Vector left[rows];
#pragma GCC unroll 8
            for (int i = 0; i < rows; ++i) left[i] = get(a[i] + k);
#pragma GCC unroll 8
            for (int j = 0; j < dot_columns; ++j) {
                const Vector right = get(b[j] + k);
#pragma GCC unroll 8
                for (int i = 0; i < rows; ++i) sums[i][j] += left[i] * right;
            }
        };
        int64_t k = start;
        for (; k + lanes <= s.length; k += dot_sums) take([](const float* from) { return load(from); }, k);
        if (k < s.length) take([&](const float* from) { return load_part(from, s.length - k); }, k);
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
            for (int j = 0; j < dot_columns; ++j) {
                fours[i][j] = start ? fours[i][j] + to_four(sums[i][j]) : to_four(sums[i][j]);
            }
        }
    }

    alignas(16) float rest[dot_columns] = {};
    const auto four = [&](const float* from) {
        if (columns == dot_columns) return _mm_loadu_ps(from);
        for (int64_t j = 0; j < columns; ++j) rest[j] = from[j];
        return _mm_load_ps(rest);
    };
    const __m128 zero = _mm_setzero_ps(), bias = s.bias ? four(s.bias + column) : zero;
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
        __m128 x = fours[i][0], y = fours[i][1], z = fours[i][2], w = fours[i][3];
        _MM_TRANSPOSE4_PS(x, y, z, w);
        __m128 sum = _mm_add_ps(_mm_add_ps(x, z), _mm_add_ps(y, w));
        float* const to = s.c + (row + i) * s.c_step + column;
        if (s.accumulate) sum = _mm_add_ps(sum, four(to));
        sum = _mm_add_ps(sum, bias);
        if (s.relu) sum = _mm_andnot_ps(_mm_cmple_ps(sum, zero), sum);  // NaN goes on
        if (columns == dot_columns) {
            _mm_storeu_ps(to, sum);
        } else {
            store_rest(sum, to, columns);
        }
    }
}

void multiply_dots(const Strip& s) {
    for (int64_t column = 0; column < s.columns; column += dot_columns) {
        for (int64_t row = 0; row < s.rows;) {
            const int64_t left = s.rows - row;
            const int64_t next = left >= 2 * dot_rows || left <= dot_rows ? (left < dot_rows ? left : dot_rows)
                                                                          : (left + 1) / 2;
            switch (next) {
                case 1: dot_tile<1>(s, row, column); break;
                case 2: dot_tile<2>(s, row, column); break;
                case 3: dot_tile<3>(s, row, column); break;
#if PRECEPTOR_LANES == 16
                case 4: dot_tile<4>(s, row, column); break;
                case 5: dot_tile<5>(s, row, column); break;
                default: dot_tile<6>(s, row, column); break;
#endif
            }
            row += next;
        }
    }
}
