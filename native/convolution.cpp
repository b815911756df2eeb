#include "convolution.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

namespace preceptor {

namespace {

constexpr int64_t enough_windows = 192;        // of a task: then packing and calls cost little
constexpr int64_t padded_target = 1 << 15;     // numbers (128 KiB) of a task's padded buffer, in the second cache
constexpr int64_t most_partials = 16;          // sums of the kernel's gradient that threads may work on at once
constexpr int64_t parallel_work = 1 << 20;     // multiplications, as for products

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

// Tasks are rows along the first axis, so that of an image this is its height.
Convolution height_first(Convolution c) {
    if (c.in[0] == 1 && c.out[0] == 1 && c.size[0] == 1) {
        for (auto* each : {&c.in, &c.out, &c.size, &c.stride, &c.before, &c.dilation}) std::swap((*each)[0], (*each)[1]);
    }
    return c;
}

Convolution of_gradient(const Convolution& c) {  // g and the turned kernel give dx
    Convolution g = c;
    std::swap(g.channels_in, g.channels_out);
    g.in = c.out;
    g.out = c.in;
    g.stride = {1, 1, 1};
    for (size_t d = 0; d < 3; ++d) g.before[d] = (c.size[d] - 1) * c.dilation[d] - c.before[d];
    return g;
}

}  // namespace

WindowedProduct::WindowedProduct(const Convolution& convolution, Role role)
    : kernels_(kernels()), c_(height_first(convolution)), flipped_(role == Role::input), for_kernel_(role == Role::kernel) {
    if (flipped_) {
        spacing_ = c_.stride;
        c_ = of_gradient(c_);
    }
    if (c_.batch * c_.out_space() == 0) return;
    const auto padded_length = [&](size_t axis, int64_t outputs) {
        return (outputs - 1) * c_.stride[axis] + (c_.size[axis] - 1) * c_.dilation[axis] + 1;
    };
    // A task is several small images or, of a large one, some rows of windows along the first axis that has more than one.
    padded_ = {padded_length(0, c_.out[0]), padded_length(1, c_.out[1]), padded_length(2, c_.out[2])};
    rows_ = c_.out[0];
    const int64_t line = padded_[1] * padded_[2] * c_.channels_in;
    const int64_t windows = c_.out_space();
    if (windows >= enough_windows) {
        const int64_t per_row = std::max<int64_t>(c_.stride[0] * line, 1);
        const int64_t fitting = std::max<int64_t>((padded_target - padded_[0] * line) / per_row + c_.out[0], 1);
        const int64_t wanted = divide_up(enough_windows, c_.out[1] * c_.out[2]);
        if (padded_[0] * line > padded_target) rows_ = std::min(c_.out[0], std::max(fitting, wanted));
        rows_ = divide_up(c_.out[0], divide_up(c_.out[0], rows_));
    } else {
        const int64_t fitting = std::max<int64_t>(padded_target / std::max<int64_t>(padded_[0] * line, 1), 1);
        images_ = std::min({divide_up(enough_windows, windows), fitting, c_.batch});
    }
    padded_[0] = padded_length(0, rows_);
    padded_image_ = padded_[0] * line;
    row_tasks_ = divide_up(c_.out[0], rows_);
    image_tasks_ = divide_up(c_.batch, images_);
    partials_ = for_kernel_ ? std::min(most_partials, image_tasks_ * row_tasks_) : 0;

    const auto offset = [&](int64_t i, int64_t j, int64_t k) {
        return ((i * padded_[1] + j) * padded_[2] + k) * c_.channels_in;
    };
    for (int64_t image = 0; image < images_; ++image) {
        for (int64_t i = 0; i < rows_; ++i) {
            for (int64_t j = 0; j < c_.out[1]; ++j) {
                const int64_t start = image * padded_image_ + offset(i * c_.stride[0], j * c_.stride[1], 0);
                lines_.push_back(start);
                for (int64_t k = 0; k < c_.out[2]; ++k) {
                    positions_.push_back(start + offset(0, 0, k * c_.stride[2]));
                }
            }
        }
    }
    // Along the last axis a dense window of an ungrouped convolution is contiguous: one run, not one for each tap.
    const bool contiguous = c_.groups == 1 && c_.dilation[2] == 1;
    run_length_ = c_.group_in() * (contiguous ? c_.size[2] : 1);
    for (int64_t i = 0; i < c_.size[0]; ++i) {
        for (int64_t j = 0; j < c_.size[1]; ++j) {
            for (int64_t k = 0; k < (contiguous ? 1 : c_.size[2]); ++k) {
                taps_.push_back(offset(i * c_.dilation[0], j * c_.dilation[1], k * c_.dilation[2]));
            }
        }
    }
    for (const int64_t tap : taps_) {
        for (int64_t i = 0; i < run_length_; ++i) kernel_rows_.push_back(tap + i);
    }
}

size_t WindowedProduct::scratch_bytes(int threads) const {
    const int64_t panel = kernels_.panel;
    const int64_t panels = c_.groups * divide_up(c_.group_out(), panel);
    const int64_t padded = round_up(images_ * padded_image_, 16);
    const int64_t windows = static_cast<int64_t>(positions_.size());
    const int64_t shared = for_kernel_ ? partials_ * round_up(c_.kernel_count(), 16)
                                       : panels * c_.taps() * c_.group_in() * panel;
    const int64_t each = padded + (for_kernel_ ? windows * panel : 0);
    return static_cast<size_t>(shared + each * threads) * sizeof(float);
}

WindowedProduct::Task WindowedProduct::task(int64_t index) const {
    const int64_t image = index / row_tasks_ * images_, row = index % row_tasks_ * rows_;
    return {image, std::min(images_, c_.batch - image), row, std::min(rows_, c_.out[0] - row)};
}

// Brings the images of a task into the buffer, zeros around them.
void WindowedProduct::fill_padded(const float* x, const Task& task, float* padded) const {
    const int64_t channels = c_.channels_in;
    const int64_t needed = (task.rows - 1) * c_.stride[0] + (c_.size[0] - 1) * c_.dilation[0] + 1;
    // Which input stands at place p of an axis: (p - before) / spacing, where that is whole and within.
    const auto source = [&](size_t axis, int64_t place) {
        const int64_t at = place - c_.before[axis];
        return at >= 0 && at % spacing_[axis] == 0 && at / spacing_[axis] < c_.in[axis] ? at / spacing_[axis] : -1;
    };
    const int64_t line = padded_[2] * channels;
    const int64_t first = std::min(std::max<int64_t>(c_.before[2], 0), padded_[2]);
    const int64_t end = std::max(std::min(c_.before[2] + c_.in[2], padded_[2]), first);  // where spacing is 1
    for (int64_t image = 0; image < task.images; ++image) {
        const float* from = x + (task.image + image) * c_.in_space() * channels;
        float* to = padded + image * padded_image_;
        for (int64_t i = 0; i < needed; ++i) {
            const int64_t in_i = source(0, task.row * c_.stride[0] + i);
            for (int64_t j = 0; j < padded_[1]; ++j, to += line) {
                const int64_t in_j = source(1, j);
                if (in_i < 0 || in_j < 0) {
                    std::fill(to, to + line, 0.0f);
                    continue;
                }
                const float* row = from + (in_i * c_.in[1] + in_j) * c_.in[2] * channels;
                if (spacing_[2] == 1) {
                    std::fill(to, to + first * channels, 0.0f);
                    std::copy(row + (first - c_.before[2]) * channels, row + (end - c_.before[2]) * channels,
                              to + first * channels);
                    std::fill(to + end * channels, to + line, 0.0f);
                    continue;
                }
                for (int64_t k = 0; k < padded_[2]; ++k) {
                    const int64_t in_k = source(2, k);
                    if (in_k < 0) {
                        std::fill(to + k * channels, to + (k + 1) * channels, 0.0f);
                    } else {
                        std::copy(row + in_k * channels, row + (in_k + 1) * channels, to + k * channels);
                    }
                }
            }
        }
    }
}

// Panels of the kernel, group by group: for each tap and channel in, neighbouring channels out.
void WindowedProduct::pack_kernel(const float* kernel, int threads, float* packed) const {
    const int64_t panel = kernels_.panel, ins = c_.group_in(), outs = c_.group_out(), taps = c_.taps();
    const int64_t panels = divide_up(outs, panel);
    const auto pack = [&](int64_t index) {
        const int64_t group = index / panels, column = index % panels * panel;
        const int64_t columns = std::min(panel, outs - column);
        float* to = packed + index * taps * ins * panel;
        if (!flipped_) {
            kernels_.pack(kernel + group * outs + column, c_.channels_out, 1, taps * ins, columns, to);
            return;
        }
        // The kernel as it lies: (taps, channels of our result, channels of our input, all groups).
        for (int64_t tap = 0; tap < taps; ++tap) {
            const float* from = kernel + ((taps - 1 - tap) * outs + column) * c_.channels_in + group * ins;
            kernels_.pack(from, 1, c_.channels_in, ins, columns, to + tap * ins * panel);
        }
    };
    const int64_t count = c_.groups * panels;
#pragma omp parallel for num_threads(threads) if (threads > 1 && c_.kernel_count() > 1 << 17)
    for (int64_t i = 0; i < count; ++i) pack(i);
}

void WindowedProduct::run_windows(const float* x, const float* packed, float* result, const float* bias, bool relu,
                                  const Task& task, float* padded) const {
    fill_padded(x, task, padded);
    const int64_t panel = kernels_.panel, ins = c_.group_in(), outs = c_.group_out(), panels = divide_up(outs, panel);
    const int64_t depth = c_.taps() * ins;
    Strip strip{};
    strip.rows = task.images * task.rows * c_.out[1] * c_.out[2];
    strip.runs = static_cast<int64_t>(taps_.size());
    strip.length = run_length_;
    strip.row_offsets = positions_.data();
    strip.run_offsets = taps_.data();
    strip.a_step = 1;
    strip.b_step = panel;
    strip.c_step = c_.channels_out;
    strip.relu = relu;
    float* to = result + (task.image * c_.out[0] + task.row) * c_.out[1] * c_.out[2] * c_.channels_out;
    for (int64_t group = 0; group < c_.groups; ++group) {
        for (int64_t j = 0; j < panels; ++j) {
            const int64_t channel = group * outs + j * panel;
            strip.columns = std::min(panel, outs - j * panel);
            strip.a = padded + group * ins;
            strip.b = packed + (group * panels + j) * depth * panel;
            strip.c = to + channel;
            strip.bias = bias ? bias + channel : nullptr;
            kernels_.multiply(strip);
        }
    }
}

// Adds what the windows of a task give to the kernel's gradient.
void WindowedProduct::run_kernel(const float* x, const float* g, float* result, const Task& task,
                                 float* scratch) const {
    float* const padded = scratch;
    float* const packed = scratch + round_up(images_ * padded_image_, 16);
    fill_padded(x, task, padded);
    const int64_t panel = kernels_.panel, ins = c_.group_in(), outs = c_.group_out();
    Strip strip{};
    strip.rows = static_cast<int64_t>(kernel_rows_.size());
    strip.runs = task.images * task.rows * c_.out[1];
    strip.length = c_.out[2];
    strip.row_offsets = kernel_rows_.data();
    strip.run_offsets = lines_.data();
    strip.a_step = c_.stride[2] * c_.channels_in;
    strip.c_step = c_.channels_out;
    strip.accumulate = true;
    const float* from = g + (task.image * c_.out[0] + task.row) * c_.out[1] * c_.out[2] * c_.channels_out;
    for (int64_t group = 0; group < c_.groups; ++group) {
        for (int64_t j = 0; j < outs; j += panel) {
            strip.columns = std::min(panel, outs - j);
            strip.a = padded + group * ins;
            strip.b = from + group * outs + j;
            strip.b_step = c_.channels_out;
            if (strip.columns < panel) {
                kernels_.pack(strip.b, strip.b_step, 1, strip.runs * strip.length, strip.columns, packed);
                strip.b = packed;
                strip.b_step = panel;
            }
            strip.c = result + group * outs + j;
            kernels_.multiply(strip);
        }
    }
}

void WindowedProduct::run(const float* first, const float* second, float* result, const float* bias, bool relu,
                          int threads, char* scratch) const {
    const int64_t tasks = image_tasks_ * row_tasks_;
    const int64_t work = c_.batch * c_.out_space() * c_.taps() * c_.group_in() * c_.channels_out;
    if (work < parallel_work) threads = 1;
    if (c_.batch * c_.out_space() == 0) {
        if (for_kernel_) std::fill(result, result + c_.kernel_count(), 0.0f);
        return;
    }
    auto* const shared = reinterpret_cast<float*>(scratch);
    const int64_t padded = round_up(images_ * padded_image_, 16);
    if (!for_kernel_) {
        pack_kernel(second, threads, shared);
        float* const buffers =
            shared + c_.groups * divide_up(c_.group_out(), kernels_.panel) * c_.taps() * c_.group_in() * kernels_.panel;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (threads > 1)
        for (int64_t i = 0; i < tasks; ++i) {
            run_windows(first, shared, result, bias, relu, task(i), buffers + omp_get_thread_num() * padded);
        }
        return;
    }
    // Tasks are dealt to a fixed number of sums, which are added in order: the same bits for any number of threads.
    const int64_t count = c_.kernel_count(), step = round_up(count, 16);
    const int64_t each = padded + static_cast<int64_t>(positions_.size()) * kernels_.panel;
    float* const buffers = shared + partials_ * step;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (threads > 1)
    for (int64_t p = 0; p < partials_; ++p) {
        float* const sum = shared + p * step;
        std::fill(sum, sum + count, 0.0f);
        for (int64_t i = tasks * p / partials_; i < tasks * (p + 1) / partials_; ++i) {
            run_kernel(first, second, sum, task(i), buffers + omp_get_thread_num() * each);
        }
    }
    constexpr int64_t chunk = 1 << 13;
#pragma omp parallel for num_threads(threads) if (threads > 1 && count * partials_ > 1 << 17)
    for (int64_t i = 0; i < count; i += chunk) {
        const int64_t length = std::min(chunk, count - i);
        std::fill(result + i, result + i + length, 0.0f);
        for (int64_t p = 0; p < partials_; ++p) kernels_.add(shared + p * step + i, result + i, length);
    }
}

}  // namespace preceptor
