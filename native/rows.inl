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

// Where NaN is compared, the answer is no.
void rectify(float* x, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) x[i] = x[i] <= 0 ? 0 : x[i];
}

void limit(float* x, int64_t count, float most) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) x[i] = x[i] >= most ? most : x[i];
}

template <class Function>
inline void for_vectors(int64_t n, const Function& function) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) function(i, Whole{});
    if (i < n) function(i, Part{n - i});
}

void mix_rows(const float* const* from, const float* weights, int64_t rows, float* to, int64_t count) {
    constexpr int wide = 8;  // vectors of sums that stay in registers
    int64_t j = 0;
    for (; j + wide * lanes <= count; j += wide * lanes) {
        Vector sums[wide] = {};
        for (int64_t i = 0; i < rows; ++i) {
            const Vector weight = weights[i] - Vector{};
            const float* const row = from[i] + j;
#pragma GCC unroll 8
            for (int v = 0; v < wide; ++v) sums[v] += weight * load(row + v * lanes);
        }
#pragma GCC unroll 8
        for (int v = 0; v < wide; ++v) store(sums[v], to + j + v * lanes);
    }
    for_vectors(count - j, [&](int64_t rest, auto how) {
        Vector sum{};
        for (int64_t i = 0; i < rows; ++i) sum += weights[i] * how.get(from[i] + j + rest);
        how.put(sum, to + j + rest);
    });
}

void add_rows(const float* from, int64_t from_step, const float* scale, float* to, int64_t to_step, int64_t rows,
              int64_t count) {
    for_vectors(count, [&](int64_t j, auto lane) {
        const Vector factor = scale ? lane.get(scale + j) : Vector{} + 1;
        for (int64_t i = 0; i < rows; ++i) {
            float* const place = to + i * to_step + j;
            lane.put(lane.get(place) + lane.get(from + i * from_step + j) * factor, place);
        }
    });
}

// Sums and largest numbers are also asked for over long axes: four vectors at a time read whole lines of the cache.
template <class Combine>
inline void reduce_rows(const float* x, const int64_t* offsets, int64_t count, float* out, int64_t n, float start,
                        const Combine& combine) {
    int64_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        Vector results[4] = {Vector{} + start, Vector{} + start, Vector{} + start, Vector{} + start};
        for (int64_t row = 0; row < count; ++row) {
            const float* from = x + offsets[row] + i;
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j) results[j] = combine(results[j], load(from + j * lanes));
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) store(results[j], out + i + j * lanes);
    }
    for_vectors(n - i, [&](int64_t rest, auto lane) {
        Vector result = Vector{} + start;
        for (int64_t row = 0; row < count; ++row) result = combine(result, lane.get(x + offsets[row] + i + rest));
        lane.put(result, out + i + rest);
    });
}

void sum_rows(const float* x, const int64_t* offsets, int64_t count, float* out, int64_t n) {
    reduce_rows(x, offsets, count, out, n, 0, [](Vector sum, Vector value) { return sum + value; });
}

void max_rows(const float* x, const int64_t* offsets, int64_t count, float* out, int64_t n) {
    reduce_rows(x, offsets, count, out, n, -__builtin_inff(), [](Vector largest, Vector value) {
        return (value > largest) | (value != value) ? value : largest;  // NaN goes on
    });
}

void share_of_winners(const float* g, const float* x, const int64_t* offsets, int64_t count, const float* largest,
                      float* share, int64_t n) {
    for_vectors(n, [&](int64_t i, auto lane) {
        const Vector top = lane.get(largest + i);
        Vector winners{};
        for (int64_t row = 0; row < count; ++row) {
            winners += lane.get(x + offsets[row] + i) == top ? Vector{} + 1 : Vector{};
        }
        lane.put(lane.get(g + i) / winners, share + i);
    });
}

void sum_of_shares(const float* x, const float* largest, const float* share, const int64_t* offsets, int64_t count,
                   float* out, int64_t n) {
    for_vectors(n, [&](int64_t i, auto lane) {
        const Vector value = lane.get(x + i);
        Vector sum{};
        for (int64_t row = 0; row < count; ++row) {
            const int64_t at = offsets[row] + i;
            sum += value == lane.get(largest + at) ? lane.get(share + at) : Vector{};
        }
        lane.put(sum, out + i);
    });
}

void mean_of_winners(const float* h, const float* x, const int64_t* offsets, int64_t count, const float* largest,
                     float* out, int64_t n) {
    for_vectors(n, [&](int64_t i, auto lane) {
        const Vector top = lane.get(largest + i);
        Vector winners{}, sum{};
        for (int64_t row = 0; row < count; ++row) {
            const auto wins = lane.get(x + offsets[row] + i) == top;
            winners += wins ? Vector{} + 1 : Vector{};
            sum += wins ? lane.get(h + offsets[row] + i) : Vector{};
        }
        lane.put(sum / winners, out + i);
    });
}

// Blocks of 8 x 8 numbers and more: a line of the cache is done with before as many others that share its place come.
void transpose(const float* from, int64_t from_step, float* to, int64_t to_step, int64_t rows, int64_t columns) {
    constexpr int64_t depth = 8, width = lanes < 8 ? 8 : lanes;
    for (int64_t i = 0; i < rows; i += depth) {
        for (int64_t j = 0; j < columns; j += width) {
            const int64_t rows_here = rows - i < depth ? rows - i : depth;
            const int64_t columns_here = columns - j < width ? columns - j : width;
            const float* source = from + j * from_step + i;
            float* target = to + i * to_step + j;
            if (rows_here == depth && columns_here == width) {
                for (int64_t r = 0; r < depth; r += 4) {
                    for (int64_t c = 0; c < width; c += lanes) {
                        turn_block(source + c * from_step + r, from_step, target + r * to_step + c, to_step);
                    }
                }
                continue;
            }
            for (int64_t r = 0; r < rows_here; ++r) {
                for (int64_t c = 0; c < columns_here; ++c) target[r * to_step + c] = source[c * from_step + r];
            }
        }
    }
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
