// Inner loops, compiled once for each instruction set (kernels_sse42.cpp, kernels_avx2.cpp, kernels_avx512.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace preceptor {

// A strip of a product: rows x one panel of columns.
//   result[i, j] = sum over r < runs, k < length of a[row_offsets[i] + run_offsets[r] + k * a_step] * b[r * length + k, j]
// The runs let the left factor be gathered: the windows of a convolution are rows of which each run is contiguous.
struct Strip {
    int64_t rows, columns;  // columns: at most those of a panel; whole panels of `b` are read all the same
    int64_t runs, length;
    const float* a;
    const int64_t* row_offsets;
    const int64_t* run_offsets;
    int64_t a_step;
    const float* b;
    int64_t b_step;  // numbers from one row of b to the next
    float* c;
    int64_t c_step;
    bool accumulate;     // add to what is in c
    const float* bias;   // one number for each column, or null
    bool relu;
};

struct Kernels {
    const char* name;
    int panel;  // columns of a panel

    void (*multiply)(const Strip& strip);
    // Copies columns of a matrix into a panel; what is beyond `columns` stays undefined but finite in cost.
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
