// The product of a strip, by tiles that stay in registers: 6 rows x 2 vectors are 12 sums, which with two vectors of b
// and one number of a fill the 16 registers of SSE and AVX2 and keep two multipliers busy on every machine.

constexpr int tile_rows = 6;
constexpr int panel = 2 * lanes;

// What is asked of memory ahead of time while one of `tiles` tiles is computed: its share of 16 lines each run.
inline void fetch_ahead(const Strip& s, int64_t run, int64_t tile, int64_t tiles) {
    const float* from = s.ahead + run * s.ahead_run;
    for (int64_t line = 16 * tile / tiles; line < 16 * (tile + 1) / tiles; ++line) {
        __builtin_prefetch(from + line * s.ahead_step);
    }
}

// The last of the vectors is taken in part where `part` is above 0. Where `each`, columns have left factors of their own.
template <int rows, int vectors, bool whole, bool each>
inline void multiply_tile(const Strip& s, int64_t row, int64_t tile, int64_t tiles) {
    const int64_t part = s.columns - (vectors - 1) * lanes;
    const auto get = [&](const float* from, int j) {
        return whole || j + 1 < vectors ? load(from + j * lanes) : load_part(from + j * lanes, part);
    };
    const float* a[rows];
    float* c[rows];
    if (s.c_offsets) {
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i) c[i] = s.c + s.c_offsets[row + i];
    } else {
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i) c[i] = s.c + (row + i) * s.c_step;
    }
    Vector sums[rows][vectors] = {};
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
        a[i] = s.a + s.row_offsets[row + i];
        if (!s.past_caches) __builtin_prefetch(c[i], 1);  // long rows share few places of a cache
    }
    const float* b = s.b;
    const int64_t* offsets = s.column_offsets;
    for (int64_t run = 0; run < s.runs; ++run, b += s.b_run) {
        if (s.ahead) fetch_ahead(s, run, tile, tiles);
        for (const int64_t* end = offsets + s.length; offsets < end; ++offsets, b += s.b_step) {
            Vector right[vectors];
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j) right[j] = get(b, j);
#pragma GCC unroll 8
            for (int i = 0; i < rows; ++i) {
                const float* left = a[i] + *offsets;
#pragma GCC unroll 8
                for (int j = 0; j < vectors; ++j) {
                    if constexpr (each) {
                        sums[i][j] += get(left, j) * right[j];
                    } else {
                        sums[i][j] = add_product(sums[i][j], left, right[j]);
                    }
                }
            }
        }
    }
    if (whole && !(s.accumulate || s.bias || s.beside || s.relu || s.past_caches || s.limit > 0)) {
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j) store(sums[i][j], c[i] + j * lanes);
        }
        return;
    }
    Vector bias[vectors] = {};
    if (s.bias) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) bias[j] = get(s.bias, j);
    }
    // Looked at once: the numbers that are written might, as far as the compiler knows, be the limit.
    const float* const beside = s.beside;
    const float* const first = s.c;
    const bool limited = s.limit > 0;
    const Vector top = Vector{} + s.limit;
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
        float* to = c[i];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) {
            Vector sum = sums[i][j];
            if (s.accumulate) sum += get(to, j);
            sum += bias[j];
            if (beside) sum += get(beside + (to - first), j);
            if (s.relu) sum = sum <= 0 ? Vector{} : sum;  // NaN goes on
            if (limited) sum = sum >= top ? top : sum;
            if (!whole && j + 1 == vectors) {
                store_part(sum, to + j * lanes, part);
            } else if (s.past_caches) {
                store_past(sum, to + j * lanes);
            } else {
                store(sum, to + j * lanes);
            }
        }
    }
}

template <int vectors, bool whole, bool each>
void multiply_rows(const Strip& s) {
    const int64_t tiles = (s.rows + tile_rows - 1) / tile_rows;
    int64_t tile = 0;
    for (int64_t row = 0; row < s.rows; ++tile) {
        // Six rows at a time; the last nine or fewer in two parts (9 = 5 + 4), for few rows would wait for each sum.
        const int64_t left = s.rows - row;
        const int64_t next = left >= tile_rows + 4 ? tile_rows : left <= tile_rows ? left : (left + 1) / 2;
        switch (next) {
            case 1: multiply_tile<1, vectors, whole, each>(s, row, tile, tiles); break;
            case 2: multiply_tile<2, vectors, whole, each>(s, row, tile, tiles); break;
            case 3: multiply_tile<3, vectors, whole, each>(s, row, tile, tiles); break;
            case 4: multiply_tile<4, vectors, whole, each>(s, row, tile, tiles); break;
            case 5: multiply_tile<5, vectors, whole, each>(s, row, tile, tiles); break;
            default: multiply_tile<6, vectors, whole, each>(s, row, tile, tiles); break;
        }
        row += next;
    }
}

template <bool each>
void multiply_strip(const Strip& strip) {
    if (strip.columns == panel) {
        multiply_rows<2, true, each>(strip);
    } else if (strip.columns > lanes) {
        multiply_rows<2, false, each>(strip);
    } else if (strip.columns == lanes) {
        multiply_rows<1, true, each>(strip);
    } else {
        multiply_rows<1, false, each>(strip);
    }
}
