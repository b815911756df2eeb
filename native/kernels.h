// Inner loops, compiled once for each instruction set (kernels_sse42.cpp, kernels_avx2.cpp, kernels_avx512.cpp); some of them
// once more for products of bfloat16 (kernels_avx512bf16.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace preceptor {

// A strip of a product: rows x one panel of columns.
//   c[i, j] = sum over k < runs * length of a[row_offsets[i] + column_offsets[k]] * b[k, j]
// The left factor lies where its two lists of offsets say: a matrix of any strides, or the windows of an image.
struct Strip {
    int64_t rows, columns;  // columns: at most those of a panel
    int64_t runs, length;
    const float* a;
    const int64_t* row_offsets;
    const int64_t* column_offsets;
    const float* b;
    int64_t b_step;  // numbers from one row of b to the next
    int64_t b_run;   // and so many more from the last row of a run to the first of the next
    float* c;
    int64_t c_step;            // numbers from one row of c to the next
    const int64_t* c_offsets;  // or where each row is; null where they are evenly apart
    bool accumulate;           // add to what is in c
    // At the end: a number for each column is added, then what lies at `beside` as c does at c; 0 in place of what is
    // below it; `limit` in place of what is above it.
    const float* bias;    // or null
    const float* beside;  // or null
    bool relu;
    float limit;  // 0 for none
    bool past_caches;  // whole vectors of c are written past the caches
    // Where 16 lines of cache, `ahead_step` apart, are asked for while each run is computed; null for nowhere.
    const float* ahead;
    int64_t ahead_step, ahead_run;
};

// How far apart in memory the rows of a square of numbers lie, its columns, and neighbouring squares.
struct Squares {
    int64_t row, column, square;
    int64_t place = 0;  // of the first, where two share a row; see HalfKernels
};

// Where transformed squares go: `rows` of each, all columns but of the last square; `count` channels. At the end as in
// Strip, in that order.
struct SquareResults {
    float* to;
    Squares at;
    int64_t squares, rows, last_columns, count;
    const float* bias;    // or null
    const float* beside;  // as `to`, or null
    bool relu;
    float limit;  // 0 for none
};

// Transforms of squares of numbers; see winograd.inl. On one side squares of an image, on the other transformed numbers
// `step` apart, and squares `row` apart. What is spread has channels in whole vectors.
using WinogradSpread = void (*)(const float* from, const Squares& at, int64_t squares, int64_t count, float* to,
                                int64_t step, int64_t row);
using WinogradCollect = void (*)(const float* from, int64_t step, int64_t row, const SquareResults& results);

// Of one kind of tiles.
struct WinogradTile {
    WinogradSpread data, result_gradient;
    WinogradCollect result;
};

// Of tiles that reach beyond an edge and have fewer numbers along an axis.
struct WinogradLast {
    WinogradTile down, along, both;
};

// Of one kind of windows.
struct WinogradTransforms {
    WinogradSpread kernel;
    WinogradCollect kernel_gradient;
    WinogradTile whole;
};

// For windows of 3 x 3 and of 5 x 5, and their last tiles: with 3, 4 and 5 numbers, and with 5.
struct WinogradWindows {
    WinogradTransforms of_3, of_5;
    WinogradLast last_of_3[3], last_of_5;
};

struct Kernels {
    const char* name;
    int panel;  // columns of a panel

    void (*multiply)(const Strip& strip);
    // The same of a right factor that lies turned round: b[k, j] at b + j * b_step + k; column_offsets[k] is k.
    void (*multiply_dots)(const Strip& strip);
    // With a[... + j] in place of a[...]: each column has left factors of its own.
    void (*multiply_each)(const Strip& strip);
    // Copies columns of a matrix into a panel, zeros beyond them.
    void (*pack)(const float* b, int64_t row_stride, int64_t column_stride, int64_t rows, int64_t columns,
                 float* panel);
    void (*widen)(const uint16_t* from, float* to, int64_t count);  // bfloat16 to float32
    void (*add)(const float* from, float* to, int64_t count);
    // to[i, j] += from[i, j] * scale[j], or without scale where that is null
    void (*add_rows)(const float* from, int64_t from_step, const float* scale, float* to, int64_t to_step, int64_t rows,
                     int64_t count);
    // to[j] = the sum over i < rows of weights[i] * from[i][j]
    void (*mix_rows)(const float* const* from, const float* weights, int64_t rows, float* to, int64_t count);
    void (*rectify)(float* x, int64_t count);  // what is not above 0 becomes 0, NaN stays
    void (*limit)(float* x, int64_t count, float most);  // what is above it becomes it, NaN stays
    // to[i, j] = from[j, i]
    void (*transpose)(const float* from, int64_t from_step, float* to, int64_t to_step, int64_t rows, int64_t columns);

    WinogradWindows winograd;
    WinogradTransforms winograd_apart;     // for windows of 3 x 3 two apart
    WinogradTile winograd_apart_input[2];  // for the gradient of their input, where the padding is even and where it is odd

    // Threefry-2x32-20 of the counters (start + i, high), two words each, shifted right.
    void (*encrypt)(const uint32_t key[2], uint32_t start, uint32_t high, int64_t count, int shift, uint32_t* first,
                    uint32_t* second);

    // Numbers of windows, n windows side by side: each takes in x[offsets[row] + i] for all rows; see window.cpp.
    void (*sum_rows)(const float* x, const int64_t* offsets, int64_t count, float* out, int64_t n);
    void (*max_rows)(const float* x, const int64_t* offsets, int64_t count, float* out, int64_t n);
    // g / how many of x are the largest
    void (*share_of_winners)(const float* g, const float* x, const int64_t* offsets, int64_t count,
                             const float* largest, float* share, int64_t n);
    // the sum of share where x is the largest; here the offsets are those of windows
    void (*sum_of_shares)(const float* x, const float* largest, const float* share, const int64_t* offsets,
                          int64_t count, float* out, int64_t n);
    // the mean of h where x is the largest
    void (*mean_of_winners)(const float* h, const float* x, const int64_t* offsets, int64_t count, const float* largest,
                            float* out, int64_t n);
};

// Winograd's products of bfloat16, two neighbouring terms of a sum in the four bytes of a float, for processors that multiply
// them so. Sums are over channels, which lie in rows as they come, and of the kernel two rows in one; or over places, of which
// two share a row. The first of two has the lower halves, and zeros in the upper ones until the second is there.
struct HalfKernels {
    void (*multiply)(const Strip& strip);
    WinogradWindows over_channels, over_places;
};

const Kernels& kernels();           // those of the instruction set in use
const HalfKernels* half_kernels();  // null where it has none

namespace sse42 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
namespace avx512bf16 {
extern const HalfKernels kernels;
}

}  // namespace preceptor
