// The product of a strip, by tiles that stay in registers: 6 rows x 2 vectors are 12 sums, which with two vectors of b
// and one number of a fill the 16 registers of SSE and AVX2 and keep two multipliers busy on every machine.

constexpr int tile_rows = 6;
constexpr int panel = 2 * lanes;

template <int rows, int vectors>
inline void multiply_tile(const Strip& s, const int64_t* row_offsets, float* c) {
    Vector sums[rows][vectors] = {};
    const float* b = s.b;
    for (int64_t run = 0; run < s.runs; ++run) {
        const float* a[rows];
#pragma GCC unroll 8
        for (int i = 0; i < rows; ++i) a[i] = s.a + row_offsets[i] + s.run_offsets[run];
        for (int64_t k = 0, at = 0; k < s.length; ++k, at += s.a_step, b += s.b_step) {
            Vector right[vectors];
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j) right[j] = load(b + j * lanes);
#pragma GCC unroll 8
            for (int i = 0; i < rows; ++i) {
                const float left = a[i][at];
#pragma GCC unroll 8
                for (int j = 0; j < vectors; ++j) sums[i][j] += left * right[j];
            }
        }
    }
    const bool whole = s.columns == vectors * lanes;
    float edge[vectors * lanes];
    Vector bias[vectors] = {};
    if (s.bias) {
        const float* from = s.bias;
        if (!whole) from = static_cast<const float*>(std::memcpy(edge, from, s.columns * sizeof(float)));
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) bias[j] = load(from + j * lanes);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
        float* row = c + i * s.c_step;
        float* to = row;
        if (!whole) {
            to = edge;
            if (s.accumulate) std::memcpy(edge, row, s.columns * sizeof(float));
        }
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) {
            Vector sum = sums[i][j];
            if (s.accumulate) sum += load(to + j * lanes);
            sum += bias[j];
            if (s.relu) sum = sum > 0 ? sum : Vector{};
            store(sum, to + j * lanes);
        }
        if (!whole) std::memcpy(row, edge, s.columns * sizeof(float));
    }
}

template <int vectors>
void multiply_rows(const Strip& s) {
    int64_t row = 0;
    const auto tile = [&](auto function, int rows) {
        function(s, s.row_offsets + row, s.c + row * s.c_step);
        row += rows;
    };
    while (s.rows - row >= tile_rows + 4 || s.rows - row == tile_rows) tile(multiply_tile<6, vectors>, 6);
    while (row < s.rows) {  // 7 = 4 + 3, 8 = 4 + 4, 9 = 5 + 4: tiles of one row would wait for each sum
        const int64_t left = s.rows - row;
        const int64_t next = left <= tile_rows ? left : (left + 1) / 2;
        switch (next) {
            case 1: tile(multiply_tile<1, vectors>, 1); break;
            case 2: tile(multiply_tile<2, vectors>, 2); break;
            case 3: tile(multiply_tile<3, vectors>, 3); break;
            case 4: tile(multiply_tile<4, vectors>, 4); break;
            case 5: tile(multiply_tile<5, vectors>, 5); break;
            default: tile(multiply_tile<6, vectors>, 6); break;
        }
    }
}

void multiply(const Strip& strip) {
    if (strip.columns <= lanes) {
        multiply_rows<1>(strip);
    } else {
        multiply_rows<2>(strip);
    }
}

void pack(const float* b, int64_t row_stride, int64_t column_stride, int64_t rows, int64_t columns, float* to) {
    if (column_stride == 1 && columns == panel) {
        for (int64_t k = 0; k < rows; ++k, b += row_stride, to += panel) {
            store(load(b), to);
            store(load(b + lanes), to + lanes);
        }
        return;
    }
    for (int64_t k = 0; k < rows; ++k, b += row_stride, to += panel) {
        for (int64_t j = 0; j < panel; ++j) to[j] = j < columns ? b[j * column_stride] : 0;
    }
}
