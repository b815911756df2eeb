// Our own matrix product: any strides, one or many matrices, float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"

namespace preceptor {

struct Strides {
    int64_t batch, row, column;
};

// c[b] = a[b] @ b[b] (+ bias[b] in each row), the columns of c side by side. Each number of c is summed in one order,
// whoever computes it: the bits do not depend on the number of threads.
class Gemm {
  public:
    Gemm(int64_t batch, int64_t m, int64_t n, int64_t k, Strides a, Strides b, Strides c,
         int64_t bias_batch = 0);

    size_t scratch_bytes(int threads) const;
    void run(const float* a, const float* b, float* c, const float* bias, bool relu, int threads, char* scratch) const;

  private:
    struct Arguments {
        const float *a, *b;
        float* c;
        const float* bias;
        bool relu, past_caches;
    };
    struct Block {
        int64_t row, rows, column, columns;
    };
    size_t spread_bytes() const;
    int64_t left_count() const;
    void run_block(const Arguments& given, const Block& block, float* scratch) const;
    const float* packed_left(const float* a, int64_t rows, int64_t depth, float* scratch) const;
    void pack_right(const float* b, int64_t columns, int64_t depth, float* packed) const;

    const Kernels& kernels_;
    int64_t batch_, m_, n_, k_;
    Strides a_, b_, c_;
    int64_t bias_batch_;
    int64_t given_row_;  // the left factor's, where it is copied
    int64_t rows_, depth_, panels_;  // of a block at most
    bool spread_a_;      // the left factor is copied first, so that its rows lie in different places of a cache
    bool pack_a_, pack_b_;
    bool fetch_ahead_;  // where memory is the limit
    bool dots_;         // of rows of both factors, as they lie
    bool small_;        // one block, and too little work for several threads
    std::vector<int64_t> row_offsets_, column_offsets_;  // of the left factor, packed or not
};

}  // namespace preceptor
