#include "gemm.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

namespace preceptor {

namespace {

// Sizes of blocks: 256 numbers of a panel (16 KiB) stay in the first cache, a block of the left factor and the panels of
// a task in the second.
constexpr int64_t block_rows = 192;
constexpr int64_t block_depth = 256;
constexpr int64_t task_panels = 8;
constexpr int64_t row_padding = 16;  // rows a power of two apart would share few places of a cache

constexpr int64_t small_factor = 4096;   // numbers: a right factor of so few is read where it lies
constexpr int64_t parallel_work = 1 << 20;  // multiplications: some 15 us of one core, where a fork costs 2 to 5

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

const int64_t no_offset = 0;

}  // namespace

Gemm::Gemm(int64_t batch, int64_t m, int64_t n, int64_t k, Strides a, Strides b, int64_t c_batch)
    : kernels_(kernels()), batch_(batch), m_(m), n_(n), k_(k), a_(a), b_(b), c_batch_(c_batch) {
    const bool reused = n > 2 * kernels_.panel;
    pack_a_ = (a.row != 1 && a.column != 1) || (reused && m * k > small_factor);
    pack_b_ = b.column != 1 || (m > 12 && k * b.row > small_factor);
    const int64_t rows = std::min(m, block_rows), depth = std::min(k, block_depth);
    const int64_t step = !pack_a_ ? a.row : a.row == 1 ? 1 : depth + row_padding;
    row_offsets_.resize(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) row_offsets_[static_cast<size_t>(i)] = i * step;
}

size_t Gemm::scratch_bytes(int threads) const {
    const int64_t depth = std::min(k_, block_depth);
    const int64_t left = pack_a_ ? std::min(m_, block_rows) * (depth + row_padding) : 0;
    const int64_t right = depth * kernels_.panel * std::min(task_panels, divide_up(n_, kernels_.panel));
    const size_t each = static_cast<size_t>(left + right + 32) * sizeof(float) / 64 * 64;
    return each * static_cast<size_t>(threads);
}

void Gemm::run(const float* a, const float* b, float* c, const float* bias, bool relu, int threads,
               char* scratch) const {
    if (batch_ * m_ * n_ == 0) return;
    const int64_t panels = divide_up(n_, kernels_.panel);
    int64_t rows = std::min(m_, block_rows), width = std::min(panels, task_panels);
    if (batch_ * m_ * n_ * k_ < parallel_work) threads = 1;
    while (threads > 1 && batch_ * divide_up(m_, rows) * divide_up(panels, width) < 2 * threads) {
        if (width > 2) {
            width = divide_up(width, 2);
        } else if (rows >= 48) {
            rows = divide_up(rows, 12) * 6;
        } else {
            break;
        }
    }
    const int64_t row_tasks = divide_up(m_, rows), column_tasks = divide_up(panels, width);
    const int64_t tasks = batch_ * row_tasks * column_tasks;
    const size_t scratch_each = scratch_bytes(1);
    const auto task = [&](int64_t index, int thread) {
        const int64_t column = index % column_tasks * width * kernels_.panel;
        const int64_t row = index / column_tasks % row_tasks * rows;
        const int64_t item = index / column_tasks / row_tasks;
        const Arguments given{a + item * a_.batch, b + item * b_.batch, c + item * c_batch_, bias, relu};
        run_task(given, row, std::min(rows, m_ - row), column, std::min(width * kernels_.panel, n_ - column),
                 reinterpret_cast<float*>(scratch + scratch_each * static_cast<size_t>(thread)));
    };
    if (threads == 1) {
        for (int64_t i = 0; i < tasks; ++i) task(i, 0);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int64_t i = 0; i < tasks; ++i) task(i, omp_get_thread_num());
}

void Gemm::run_task(const Arguments& given, int64_t row, int64_t rows, int64_t column, int64_t columns,
                    float* scratch) const {
    const int64_t panel = kernels_.panel;
    const int64_t most = std::min(k_, block_depth);
    float* const packed_a = scratch;
    float* const packed_b = scratch + (pack_a_ ? rows * (most + row_padding) : 0);
    for (int64_t k = 0; k == 0 || k < k_; k += block_depth) {
        const int64_t depth = std::min(block_depth, k_ - k);
        const bool last = k + depth == k_;
        Strip strip{};
        strip.rows = rows;
        strip.runs = 1;
        strip.length = depth;
        strip.row_offsets = row_offsets_.data();
        strip.run_offsets = &no_offset;
        strip.a = given.a + row * a_.row + k * a_.column;
        strip.a_step = a_.column;
        if (pack_a_) {
            if (a_.row == 1) {
                for (int64_t i = 0; i < depth; ++i) {
                    std::memcpy(packed_a + i * rows, strip.a + i * a_.column, static_cast<size_t>(rows) * sizeof(float));
                }
                strip.a_step = rows;
            } else {
                for (int64_t i = 0; i < rows; ++i) {
                    const float* from = strip.a + i * a_.row;
                    float* to = packed_a + i * (most + row_padding);
                    if (a_.column == 1) {
                        std::memcpy(to, from, static_cast<size_t>(depth) * sizeof(float));
                    } else {
                        for (int64_t j = 0; j < depth; ++j) to[j] = from[j * a_.column];
                    }
                }
                strip.a_step = 1;
            }
            strip.a = packed_a;
        }
        for (int64_t j = 0; j < columns; j += panel) {
            strip.columns = std::min(panel, columns - j);
            strip.b = given.b + k * b_.row + (column + j) * b_.column;
            strip.b_step = b_.row;
            if (pack_b_ || strip.columns < panel) {
                kernels_.pack(strip.b, b_.row, b_.column, depth, strip.columns, packed_b);
                strip.b = packed_b;
                strip.b_step = panel;
            }
            strip.c = given.c + row * n_ + column + j;
            strip.c_step = n_;
            strip.accumulate = k > 0;
            strip.bias = last && given.bias ? given.bias + column + j : nullptr;
            strip.relu = last && given.relu;
            kernels_.multiply(strip);
        }
    }
}

}  // namespace preceptor
