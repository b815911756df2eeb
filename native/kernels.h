// Inner loops, compiled once for each instruction set (kernels_sse42.cpp, kernels_avx2.cpp, kernels_avx512.cpp).
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
    float* c;
    int64_t c_step;
    bool accumulate;    // add to what is in c
    const float* bias;  // one number for each column, or null
    bool relu;
    // Where 16 lines of cache, `ahead_step` apart, are asked for while each run is computed; null for nowhere.
    const float* ahead;
    int64_t ahead_step, ahead_run;
};

struct Kernels {
    const char* name;
    int panel;  // columns of a panel

    void (*multiply)(const Strip& strip);
    // Copies columns of a matrix into a panel, zeros beyond them.
    void (*pack)(const float* b, int64_t row_stride, int64_t column_stride, int64_t rows, int64_t columns, float* panel);
    void (*widen)(const uint16_t* from, float* to, int64_t count);  // bfloat16 to float32
    void (*add)(const float* from, float* to, int64_t count);

    // Threefry-2x32-20 of the counters (start + i, high), two words each, shifted right.
    void (*encrypt)(const uint32_t key[2], uint32_t start, uint32_t high, int64_t count, int shift, uint32_t* first,
                    uint32_t* second);

    // Rows of numbers that windows are reduced over; see window.cpp.
    void (*maximum)(const float* x, float* out, int64_t count);
    void (*count_equal)(const float* x, const float* largest, float* count, int64_t n);
    void (*divide)(const float* x, const float* by, float* out, int64_t count);
    void (*add_where_equal)(const float* x, const float* largest, const float* share, float* out, int64_t count);
};

const Kernels& kernels();  // those of the instruction set in use

namespace sse42 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}

}  // namespace preceptor
