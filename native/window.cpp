// "window": role (0 sum, 1 spread, 2 max, 3 max_spread, 4 max_mean), axes, then for each axis: input lengths, windows,
// sizes, strides, padding before, dilations; refs: sum, max: x, out; spread: g, out; max_spread: g, x, largest, out;
// max_mean: h, x, largest, out. Semantics: ops/pooling.py. All loops are over rows along the last axis, or along the last
// axes together where no window reaches over them (channels): for each place within a window one vectorised pass.
#include <algorithm>
#include <limits>

#include "instruction.h"
#include "kernels.h"
#include "threads.h"

namespace preceptor {

namespace {

constexpr int64_t parallel_work = 1 << 16;  // numbers taken in: some 15 us of one core

struct WindowAxis {
    int64_t length, count, size, stride, before, dilation;

    bool is_plain() const { return size == 1 && stride == 1 && before == 0 && count == length; }
};

enum class WindowRole : int { sum = 0, spread = 1, max = 2, max_spread = 3, max_mean = 4 };

class Window final : public Instruction {
  public:
    explicit Window(Words& words) {
        const int64_t role = words.next();
        if (role < 0 || role > 4) throw std::invalid_argument("window: unknown role");
        role_ = static_cast<WindowRole>(role);
        axes_.resize(size_t(words.next()));
        for (const auto member : {&WindowAxis::length, &WindowAxis::count, &WindowAxis::size, &WindowAxis::stride,
                                  &WindowAxis::before, &WindowAxis::dilation}) {
            for (auto& axis : axes_) axis.*member = words.next();
        }
        for (const auto& axis : axes_) {
            if (axis.length < 0 || axis.count < 0 || axis.size < 1 || axis.stride < 1 || axis.dilation < 1) {
                throw std::invalid_argument("window: lengths are at least 0, sizes, strides and dilations at least 1");
            }
            inputs_ *= axis.length;
            windows_ *= axis.count;
            taps_ *= axis.size;
        }
        const bool has_x = role_ == WindowRole::max_spread || role_ == WindowRole::max_mean;
        first_ = words.ref();
        if (has_x) {
            x_ = words.ref();
            largest_ = words.ref();
        }
        out_ = words.ref();
        words.finish();
        simplify();
    }

    size_t scratch_bytes(int threads) const override {
        if (role_ == WindowRole::max_spread) return size_t(windows_) * sizeof(float);
        return role_ == WindowRole::max_mean ? size_t(threads) * row_bytes() : 0;
    }

    void run(const Context& context) const override {
        const auto* first = context.at<float>(first_);
        auto* out = context.at<float>(out_);
        const Kernels& k = kernels();
        switch (role_) {
            case WindowRole::sum:
                return for_windows(context, [&](int, int64_t row) {
                    float* to = out + row * last_.count;
                    std::fill(to, to + last_.count, 0.0f);
                    for_taps(row, [&](int64_t from, int64_t begin, int64_t count) {
                        k.add(first + from, to + begin, count);
                    });
                });
            case WindowRole::max:
                return for_windows(context, [&](int, int64_t row) {
                    float* to = out + row * last_.count;
                    std::fill(to, to + last_.count, -std::numeric_limits<float>::infinity());
                    for_taps(row, [&](int64_t from, int64_t begin, int64_t count) {
                        k.maximum(first + from, to + begin, count);
                    });
                });
            case WindowRole::spread:
                return for_inputs(context, [&](int64_t row) {
                    float* to = out + row * last_.length;
                    std::fill(to, to + last_.length, 0.0f);
                    for_covering(row, [&](int64_t window, int64_t begin, int64_t count) {
                        k.add(first + window, to + begin, count);
                    });
                });
            case WindowRole::max_spread: return max_spread(context, first, out);
            case WindowRole::max_mean: return max_mean(context, first, out);
        }
    }

  private:
    size_t row_bytes() const { return (size_t(last_.count) * sizeof(float) + 63) / 64 * 64; }

    // Joins the last axes that no window reaches over. Along a last axis that windows reach over in steps of more than
    // one, rows would not be contiguous: then an axis of length 1 becomes the last.
    void simplify() {
        WindowAxis last{1, 1, 1, 1, 0, 1};
        if (!axes_.empty() && !axes_.back().is_plain() && axes_.back().stride == 1) {
            last = axes_.back();
            axes_.pop_back();
        } else {
            while (!axes_.empty() && axes_.back().is_plain()) {
                last.length *= axes_.back().length;
                axes_.pop_back();
            }
            last.count = last.length;
        }
        last_ = last;
        for (size_t i = axes_.size(); i-- > 1;) {  // others that none reaches over
            if (!axes_[i].is_plain() || !axes_[i - 1].is_plain()) continue;
            axes_[i - 1].length *= axes_[i].length;
            axes_[i - 1].count = axes_[i - 1].length;
            axes_.erase(axes_.begin() + std::ptrdiff_t(i));
        }
        for (const auto& axis : axes_) {
            input_rows_ *= axis.length;
            window_rows_ *= axis.count;
        }
    }

    template <class Function>
    void for_rows(const Context& context, int64_t rows, Function&& function) const {
        const int parts = (inputs_ + windows_) * taps_ < parallel_work ? 1 : context.threads;
        on_threads(parts, [&](int part) {
            const auto range = Range::part(rows, part, parts);
            for (int64_t row = range.begin; row < range.end; ++row) function(part, row);
        });
    }

    template <class Function>
    void for_windows(const Context& context, Function&& function) const {
        if (last_.count > 0) for_rows(context, window_rows_, function);
    }

    template <class Function>
    void for_inputs(const Context& context, Function&& function) const {
        if (last_.length > 0) for_rows(context, input_rows_, [&](int, int64_t row) { function(row); });
    }

    // For each place within the windows of a row: function(first number of the input, first window, how many).
    template <class Function>
    void for_taps(int64_t row, Function&& function) const {
        taps(axes_.size(), row, 0, 1, [&](int64_t input_row) {
            for (int64_t tap = 0; tap < last_.size; ++tap) {
                const int64_t shift = tap * last_.dilation - last_.before;
                const int64_t begin = std::max<int64_t>(0, -shift), end = std::min(last_.count, last_.length - shift);
                if (begin < end) function(input_row * last_.length + begin + shift, begin, end - begin);
            }
        });
    }

    // Rows of the input that stand in the windows of a row, from the last axis of those to the first.
    template <class Function>
    void taps(size_t axes, int64_t row, int64_t input_row, int64_t step, Function&& function) const {
        if (axes == 0) return function(input_row);
        const WindowAxis& axis = axes_[axes - 1];
        const int64_t start = row % axis.count * axis.stride - axis.before;
        for (int64_t tap = 0; tap < axis.size; ++tap) {
            const int64_t at = start + tap * axis.dilation;
            if (at >= 0 && at < axis.length) {
                taps(axes - 1, row / axis.count, input_row + at * step, step * axis.length, function);
            }
        }
    }

    // For each place within a window: function(first window, first number of the input's row, how many).
    template <class Function>
    void for_covering(int64_t row, Function&& function) const {
        covering(axes_.size(), row, 0, 1, [&](int64_t window_row) {
            for (int64_t tap = 0; tap < last_.size; ++tap) {
                const int64_t shift = tap * last_.dilation - last_.before;
                const int64_t begin = std::max<int64_t>(0, shift), end = std::min(last_.length, last_.count + shift);
                if (begin < end) function(window_row * last_.count + begin - shift, begin, end - begin);
            }
        });
    }

    // Rows of windows in which a row of the input stands.
    template <class Function>
    void covering(size_t axes, int64_t row, int64_t window_row, int64_t step, Function&& function) const {
        if (axes == 0) return function(window_row);
        const WindowAxis& axis = axes_[axes - 1];
        const int64_t place = row % axis.length + axis.before;
        for (int64_t tap = 0; tap < axis.size; ++tap) {
            const int64_t start = place - tap * axis.dilation;
            if (start >= 0 && start % axis.stride == 0 && start / axis.stride < axis.count) {
                covering(axes - 1, row / axis.length, window_row + start / axis.stride * step, step * axis.count, function);
            }
        }
    }

    // First what each winner of a window receives, then for each number of the input the sum over its windows.
    void max_spread(const Context& context, const float* g, float* out) const {
        const Kernels& k = kernels();
        const auto *x = context.at<float>(x_), *largest = context.at<float>(largest_);
        auto* share = reinterpret_cast<float*>(context.scratch);
        for_windows(context, [&](int, int64_t row) {
            const int64_t at = row * last_.count;
            std::fill(share + at, share + at + last_.count, 0.0f);
            for_taps(row, [&](int64_t from, int64_t begin, int64_t count) {
                k.count_equal(x + from, largest + at + begin, share + at + begin, count);
            });
            k.divide(g + at, share + at, share + at, last_.count);
        });
        for_inputs(context, [&](int64_t row) {
            const int64_t at = row * last_.length;
            std::fill(out + at, out + at + last_.length, 0.0f);
            for_covering(row, [&](int64_t window, int64_t begin, int64_t count) {
                k.add_where_equal(x + at + begin, largest + window, share + window, out + at + begin, count);
            });
        });
    }

    void max_mean(const Context& context, const float* h, float* out) const {
        const Kernels& k = kernels();
        const auto *x = context.at<float>(x_), *largest = context.at<float>(largest_);
        for_windows(context, [&](int part, int64_t row) {
            const int64_t at = row * last_.count;
            auto* winners = reinterpret_cast<float*>(context.scratch + size_t(part) * row_bytes());
            std::fill(winners, winners + last_.count, 0.0f);
            std::fill(out + at, out + at + last_.count, 0.0f);
            for_taps(row, [&](int64_t from, int64_t begin, int64_t count) {
                k.count_equal(x + from, largest + at + begin, winners + begin, count);
                k.add_where_equal(x + from, largest + at + begin, h + from, out + at + begin, count);
            });
            k.divide(out + at, winners, out + at, last_.count);
        });
    }

    WindowRole role_;
    std::vector<WindowAxis> axes_;  // without the last
    WindowAxis last_;
    int64_t inputs_ = 1, windows_ = 1, taps_ = 1, input_rows_ = 1, window_rows_ = 1;
    Ref first_, x_, largest_, out_;
};

}  // namespace

Made make_window(Words& words) { return std::make_unique<Window>(words); }

}  // namespace preceptor
