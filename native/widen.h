// A matrix of bfloat16 brought to float32 in scratch memory: where no method takes bfloat16 itself.
#pragma once

#include "gemm.h"
#include "instruction.h"
#include "kernels.h"
#include "threads.h"

namespace preceptor {

class Widened {
  public:
    Widened(int64_t batch, int64_t rows, int64_t columns, Strides strides) {
        if (batch * rows * columns == 0) return;
        count_ = (batch - 1) * strides.batch + (rows - 1) * strides.row + (columns - 1) * strides.column + 1;
    }

    size_t bytes() const { return (static_cast<size_t>(count_) * sizeof(float) + 63) / 64 * 64; }

    // The numbers in scratch memory, which is moved on behind them; strides stay what they were.
    const float* run(const Context& context, Ref from, char*& scratch) const {
        auto* to = reinterpret_cast<float*>(scratch);
        scratch += bytes();
        const auto* numbers = context.at<uint16_t>(from);
        constexpr int64_t chunk = 1 << 16;
        for_each_index((count_ + chunk - 1) / chunk, context.threads, [&](int64_t index, int) {
            const int64_t i = index * chunk;
            kernels().widen(numbers + i, to + i, count_ - i < chunk ? count_ - i : chunk);
        });
        return to;
    }

  private:
    int64_t count_ = 0;
};

}  // namespace preceptor
