#include "convolution.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>

namespace preceptor {

namespace {

constexpr int64_t enough_windows = 192;     // of a task: then packing and calls cost little
constexpr int64_t kernel_windows = 1024;    // the same for the kernel's gradient, where they are summed over
// The same where a window's numbers fill whole lines of the cache: of so few they stay in the first one. The second where
// there are many sums to add to.
constexpr int64_t lines_windows = 256, many_lines_windows = 512;
constexpr int64_t few_sums = 1 << 17;
// The same where windows are single places: so many of a line of the cache each, twice, stay in the first cache.
constexpr int64_t place_windows = 256;
constexpr int64_t padded_target = 1 << 15;  // numbers (128 KiB) of a task's padded buffer, in the second cache
constexpr int64_t small_group = 8;          // channels out. Not by the length of a vector: sums must not hang on it
constexpr int64_t most_partials = 16;       // sums of the kernel's gradient that threads may work on at once
constexpr int64_t partial_target = 1 << 20; // numbers (4 MiB) of all these sums

}  // namespace

Convolution height_first(Convolution c) {
    if (c.in[0] == 1 && c.out[0] == 1 && c.size[0] == 1) {
        for (auto* each : {&c.in, &c.out, &c.size, &c.stride, &c.before, &c.dilation}) {
            std::swap((*each)[0], (*each)[1]);
        }
    }
    return c;
}

Convolution gradient_as_forward(const Convolution& c) {
    Convolution g = c;
    std::swap(g.channels_in, g.channels_out);
    g.in = c.out;
    g.out = c.in;
    g.stride = {1, 1, 1};
    for (size_t d = 0; d < 3; ++d) g.before[d] = (c.size[d] - 1) * c.dilation[d] - c.before[d];
    return g;
}

void pack_kernel_panel(const Convolution& c, const float* kernel, bool flipped, int64_t group, int64_t column,
                       float* panel) {
    const auto& k = kernels();
    const int64_t ins = c.group_in(), outs = c.group_out(), taps = c.taps();
    const int64_t columns = std::min<int64_t>(k.panel, outs - column);
    if (!flipped) return k.pack(kernel + group * outs + column, c.channels_out, 1, taps * ins, columns, panel);
    // The kernel as it lies: (taps, channels of our result, channels of our input, all groups).
    for (int64_t tap = 0; tap < taps; ++tap) {
        const float* from = kernel + ((taps - 1 - tap) * outs + column) * c.channels_in + group * ins;
        k.pack(from, 1, c.channels_in, ins, columns, panel + tap * ins * k.panel);
    }
}

bool has_small_groups(const Convolution& c) {
    return c.groups > 1 && c.group_out() <= small_group && c.group_in() <= 4;
}

bool is_spread(const Convolution& c) { return c.groups == c.channels_in && c.groups == c.channels_out; }

void spread_groups(const Convolution& c, const float* from, int64_t places, float* to) {
    const int64_t ins = c.group_in(), outs = c.group_out();
    for (const float* end = from + places * c.channels_in; from < end; from += c.channels_in) {
        for (int64_t in = 0; in < ins; ++in) {
            for (int64_t group = 0; group < c.groups; ++group, to += outs) {
                const float value = from[group * ins + in], four[] = {value, value, value, value};
                for (int64_t out = 0; out < outs; out += 4) std::memcpy(to + out, four, sizeof four);
            }
        }
    }
}

int64_t count_partials(const Convolution& c, int64_t tasks) {
    const int64_t fitting = partial_target / std::max<int64_t>(c.kernel_count(), 1);
    return std::clamp<int64_t>(fitting, 1, std::min(most_partials, tasks));
}

int64_t count_cuts(int64_t items, int64_t panels, int threads) {
    return threads == 1 ? 1 : std::clamp<int64_t>(divide_up(2 * threads, items), 1, panels);
}

void add_partials(const float* partials, int64_t step, int64_t partial_count, float* result, int64_t count,
                  int threads) {
    constexpr int64_t chunk = 1 << 13;
    if (count * partial_count <= 1 << 17) threads = 1;
    for_each_index(divide_up(count, chunk), threads, [&](int64_t index, int) {
        const int64_t i = index * chunk, length = std::min(chunk, count - i);
        for (int64_t p = 0; p < partial_count; ++p) kernels().add(partials + p * step + i, result + i, length);
    });
}

WindowedProduct::WindowedProduct(const Convolution& convolution, Role role)
    : WindowedProduct(height_first(role == Role::input ? gradient_as_forward(convolution) : convolution),
                      role == Role::input, role == Role::kernel, {}) {}

WindowedProduct::WindowedProduct(const Convolution& convolution, Phase phase)
    : WindowedProduct(convolution, true, false, std::move(phase)) {}

WindowedProduct::WindowedProduct(const Convolution& convolution, bool flipped, bool for_kernel, Phase phase)
    : kernels_(kernels()),
      c_(convolution),
      flipped_(flipped),
      for_kernel_(for_kernel),
      phase_(std::move(phase)),
      // Measured: spread places that windows pass by cost more than is gained.
      each_(phase_.taps.empty() && has_small_groups(c_) && c_.group_in() * c_.stride[0] * c_.stride[1] * c_.stride[2] <= 8),
      place_(each_ ? c_.group_in() * c_.channels_out : c_.channels_in) {
    if (c_.batch * c_.out_space() == 0) return;
    const auto padded_length = [&](size_t axis, int64_t outputs) {
        return (outputs - 1) * c_.stride[axis] + (c_.size[axis] - 1) * c_.dilation[axis] + 1;
    };
    // A task is several small images or some rows of a large one.
    padded_ = {padded_length(0, c_.out[0]), padded_length(1, c_.out[1]), padded_length(2, c_.out[2])};
    const int64_t line = padded_[1] * padded_[2] * place_, windows = c_.out[1] * c_.out[2];
    const int64_t image = padded_[0] * line, row = std::max<int64_t>(c_.stride[0] * line, 1);
    if (for_kernel_) {
        const bool single = c_.taps() == 1;
        const bool lines = !each_ && c_.group_in() >= 16;
        const int64_t enough = single                           ? place_windows
                               : !lines                         ? kernel_windows
                               : c_.kernel_count() <= few_sums ? lines_windows
                                                                : many_lines_windows;
        rows_ = std::clamp<int64_t>(enough / windows, 1, c_.out[0]);
        const int64_t fitting = 4 * padded_target / std::max<int64_t>(image, 1);
        const int64_t least = divide_up(enough / 4, c_.out_space());
        const int64_t most = single ? std::max(enough / c_.out_space(), least) : divide_up(enough, c_.out_space());
        if (rows_ == c_.out[0]) images_ = std::clamp(fitting, least, most);
    } else {
        const int64_t fitting = c_.out[0] - (std::max(image - padded_target, int64_t(0)) + row - 1) / row;
        rows_ = std::clamp(std::max(fitting, divide_up(enough_windows, windows)), int64_t(1), c_.out[0]);
        if (rows_ == c_.out[0] && image > 0) images_ = divide_up(enough_windows, c_.out_space());
    }
    rows_ = divide_up(c_.out[0], divide_up(c_.out[0], rows_));
    images_ = std::min(images_, c_.batch);
    padded_[0] = padded_length(0, rows_);
    padded_image_ = padded_[0] * line;
    row_tasks_ = divide_up(c_.out[0], rows_);
    image_tasks_ = divide_up(c_.batch, images_);
    panels_ = each_ ? divide_up(c_.channels_out, kernels_.panel)
                    : c_.groups * divide_up(c_.group_out(), kernels_.panel);
    if (for_kernel_) partials_ = count_partials(c_, image_tasks_ * row_tasks_);

    const auto offset = [&](int64_t i, int64_t j, int64_t k) {
        return ((i * padded_[1] + j) * padded_[2] + k) * place_;
    };
    for (int64_t image = 0; image < images_; ++image) {
        for (int64_t i = 0; i < rows_; ++i) {
            for (int64_t j = 0; j < c_.out[1]; ++j) {
                for (int64_t k = 0; k < c_.out[2]; ++k) {
                    const int64_t start = offset(i * c_.stride[0], j * c_.stride[1], k * c_.stride[2]);
                    windows_.push_back(image * padded_image_ + start);
                    if (phase_.taps.empty()) continue;
                    const auto &length = phase_.length, &step = phase_.step;
                    const int64_t line = image * length[0] + i * step[0];
                    const int64_t place = (line * length[1] + j * step[1]) * length[2] + k * step[2];
                    results_.push_back(place * c_.channels_out);
                }
            }
        }
    }
    for (int64_t i = 0; i < c_.size[0]; ++i) {
        for (int64_t j = 0; j < c_.size[1]; ++j) {
            for (int64_t k = 0; k < c_.size[2]; ++k) {
                const int64_t tap = offset(i * c_.dilation[0], j * c_.dilation[1], k * c_.dilation[2]);
                for (int64_t channel = 0; channel < c_.group_in(); ++channel) {
                    entries_.push_back(tap + channel * (each_ ? c_.channels_out : 1));
                }
            }
        }
    }
}

// What all threads share: the packed kernel, or the sums of its gradient but the first, which is the result itself.
int64_t WindowedProduct::shared_count() const {
    if (for_kernel_) return (partials_ - 1) * round_up(c_.kernel_count(), 16);
    return panels_ * c_.taps() * c_.group_in() * kernels_.panel;
}

// What each has of its own: padded images, and a packed panel of g.
int64_t WindowedProduct::own_count() const {
    const auto windows = static_cast<int64_t>(windows_.size());
    return round_up(images_ * padded_image_ + 3, 16) + (for_kernel_ ? windows * kernels_.panel : 0);
}

size_t WindowedProduct::scratch_bytes(int threads) const {
    if (c_.batch * c_.out_space() == 0) return 0;
    return static_cast<size_t>(shared_count() + own_count() * threads) * sizeof(float);
}

WindowedProduct::Task WindowedProduct::task(int64_t index) const {
    const int64_t image = index / row_tasks_ * images_, row = index % row_tasks_ * rows_;
    return {image, std::min(images_, c_.batch - image), row, std::min(rows_, c_.out[0] - row)};
}

// Where the first result of a task lies.
int64_t WindowedProduct::result_place(const Task& task) const {
    if (phase_.taps.empty()) return (task.image * c_.out[0] + task.row) * c_.out[1] * c_.out[2];
    const auto &length = phase_.length, &first = phase_.first;
    const int64_t line = task.image * length[0] + first[0] + task.row * phase_.step[0];
    return (line * length[1] + first[1]) * length[2] + first[2];
}

// The first channel out of a panel, and how many it has.
int64_t WindowedProduct::channel(int64_t panel) const {
    if (each_) return panel * kernels_.panel;
    const int64_t of_group = panels_ / c_.groups;
    return panel / of_group * c_.group_out() + panel % of_group * kernels_.panel;
}

int64_t WindowedProduct::columns(int64_t panel) const {
    const int64_t begin = channel(panel), end = each_ ? c_.channels_out : (begin / c_.group_out() + 1) * c_.group_out();
    return std::min<int64_t>(kernels_.panel, end - begin);
}

// Brings the images of a task into the buffer, zeros around them.
void WindowedProduct::fill_padded(const float* x, const Task& task, float* padded) const {
    const int64_t needed = (task.rows - 1) * c_.stride[0] + (c_.size[0] - 1) * c_.dilation[0] + 1;
    const int64_t line = padded_[2] * place_;
    const int64_t first = std::clamp<int64_t>(c_.before[2], 0, padded_[2]);
    const int64_t end = std::clamp(c_.before[2] + c_.in[2], first, padded_[2]);
    for (int64_t image = 0; image < task.images; ++image) {
        const float* from = x + (task.image + image) * c_.in_space() * c_.channels_in;
        float* to = padded + image * padded_image_;
        for (int64_t i = 0; i < needed; ++i) {
            const int64_t in_i = task.row * c_.stride[0] + i - c_.before[0];
            for (int64_t j = 0; j < padded_[1]; ++j, to += line) {
                const int64_t in_j = j - c_.before[1];
                if (in_i < 0 || in_i >= c_.in[0] || in_j < 0 || in_j >= c_.in[1]) {
                    std::fill(to, to + line, 0.0f);
                    continue;
                }
                const float* row = from + (in_i * c_.in[1] + in_j) * c_.in[2] * c_.channels_in;
                std::fill(to, to + first * place_, 0.0f);
                const float* const inside = row + (first - c_.before[2]) * c_.channels_in;
                if (each_ && !is_spread(c_)) {
                    spread_groups(c_, inside, end - first, to + first * place_);
                } else {
                    std::copy(inside, inside + (end - first) * place_, to + first * place_);
                }
                std::fill(to + end * place_, to + line, 0.0f);
            }
        }
    }
}

// Panels of the kernel, group by group.
void WindowedProduct::pack_kernel(const float* kernel, int threads, float* packed) const {
    const int64_t ins = c_.group_in(), outs = c_.group_out(), taps = c_.taps(), panel = kernels_.panel;
    const int64_t size = taps * ins * panel;
    if (c_.kernel_count() <= 1 << 17) threads = 1;
    for_each_index(panels_, threads, [&](int64_t i, int) {
        const int64_t begin = channel(i);
        float* to = packed + i * size;
        for (size_t tap = 0; tap < phase_.taps.size(); ++tap, to += ins * panel) {
            const float* const from = kernel + (phase_.taps[tap] * outs + begin % outs) * c_.channels_in + begin / outs * ins;
            kernels_.pack(from, 1, c_.channels_in, ins, columns(i), to);
        }
        if (!phase_.taps.empty()) return;
        if (!each_) return pack_kernel_panel(c_, kernel, flipped_, begin / outs, begin % outs, to);
        if (!flipped_) return kernels_.pack(kernel + begin, c_.channels_out, 1, taps * ins, columns(i), to);
        for (int64_t tap = taps - 1; tap >= 0; --tap) {
            for (int64_t in = 0; in < ins; ++in, to += panel) {
                for (int64_t j = 0; j < columns(i); ++j) {
                    const int64_t out = begin + j;
                    to[j] = kernel[(tap * outs + out % outs) * c_.channels_in + out / outs * ins + in];
                }
            }
        }
    });
}

void WindowedProduct::run_windows(const Arguments& given, const float* packed, const Task& task, Range part,
                                  float* padded) const {
    fill_padded(given.first, task, padded);
    const int64_t panel = kernels_.panel, depth = c_.taps() * c_.group_in();
    Strip strip{};
    strip.rows = task.images * task.rows * c_.out[1] * c_.out[2];
    strip.runs = 1;
    strip.length = depth;
    strip.row_offsets = windows_.data();
    strip.column_offsets = entries_.data();
    strip.b_step = panel;
    strip.c_step = c_.channels_out;
    strip.relu = given.ending.relu;
    strip.limit = given.ending.limit;
    strip.past_caches = given.past_caches;
    const auto multiply = each_ ? kernels_.multiply_each : kernels_.multiply;
    strip.c_offsets = results_.empty() ? nullptr : results_.data();
    const int64_t start = result_place(task) * c_.channels_out;
    for (int64_t index = part.begin; index < part.end; ++index) {
        const int64_t begin = channel(index);
        strip.columns = columns(index);
        strip.a = padded + (each_ ? begin : begin / c_.group_out() * c_.group_in());
        strip.b = packed + index * depth * panel;
        strip.c = given.result + start + begin;
        strip.bias = given.ending.bias ? given.ending.bias + begin : nullptr;
        strip.beside = given.ending.beside ? given.ending.beside + start + begin : nullptr;
        multiply(strip);
    }
    if (given.past_caches) _mm_sfence();
}

// What the windows of a task give to the kernel's gradient.
void WindowedProduct::run_kernel(const Arguments& given, float* sum, bool accumulate, const Task& task,
                                 Range part, float* scratch) const {
    float* const padded = scratch;
    float* const packed = scratch + round_up(images_ * padded_image_ + 3, 16);
    fill_padded(given.first, task, padded);
    const int64_t panel = kernels_.panel;
    Strip strip{};
    strip.rows = static_cast<int64_t>(entries_.size());
    strip.runs = 1;
    strip.length = task.images * task.rows * c_.out[1] * c_.out[2];
    strip.row_offsets = entries_.data();
    strip.column_offsets = windows_.data();
    strip.c_step = c_.channels_out;
    strip.accumulate = accumulate;
    const bool many_rows = strip.rows > 8 * 6;  // else packing costs more than it gains
    const auto multiply = each_ ? kernels_.multiply_each : kernels_.multiply;
    const float* g = given.second + (task.image * c_.out[0] + task.row) * c_.out[1] * c_.out[2] * c_.channels_out;
    for (int64_t index = part.begin; index < part.end; ++index) {
        const int64_t begin = channel(index);
        strip.columns = columns(index);
        strip.a = padded + (each_ ? begin : begin / c_.group_out() * c_.group_in());
        strip.b = g + begin;
        strip.b_step = c_.channels_out;
        if (many_rows) {
            kernels_.pack(strip.b, strip.b_step, 1, strip.length, strip.columns, packed);
            strip.b = packed;
            strip.b_step = panel;
        }
        strip.c = sum + begin;
        multiply(strip);
    }
}

void WindowedProduct::run(const float* first, const float* second, float* result, const Ending& ending, int threads,
                          char* scratch) const {
    if (c_.batch * c_.out_space() == 0) {
        if (for_kernel_) std::fill(result, result + c_.kernel_count(), 0.0f);
        return;
    }
    const int64_t work = c_.batch * c_.out_space() * c_.taps() * c_.group_in() * c_.channels_out;
    if (work < parallel_work) threads = 1;
    constexpr int64_t line = 16;
    const bool lines = kernels_.panel >= line && c_.channels_out % line == 0 && (each_ || c_.group_out() % line == 0) &&
                       reinterpret_cast<uintptr_t>(result) % (line * sizeof(float)) == 0;  // are written whole
    const bool past = lines && !for_kernel_ && c_.batch * c_.out_space() * c_.channels_out > past_caches;
    const Arguments given{first, second, result, ending, past};
    auto* const shared = reinterpret_cast<float*>(scratch);
    float* const own = shared + shared_count();
    const int64_t own_step = own_count(), tasks = image_tasks_ * row_tasks_;
    const int64_t items = for_kernel_ ? partials_ : tasks;
    const int64_t cuts = count_cuts(items, panels_, threads);
    if (!for_kernel_) pack_kernel(second, threads, shared);
    const int64_t count = c_.kernel_count(), sum_step = round_up(count, 16);
    for_each_index(items * cuts, threads, [&](int64_t i, int thread) {
        const int64_t item = i / cuts, cut = i % cuts;
        const Range part = Range::part(panels_, cut, cuts);
        float* const mine = own + thread * own_step;
        if (!for_kernel_) return run_windows(given, shared, task(item), part, mine);
        float* const sum = item == 0 ? result : shared + (item - 1) * sum_step;
        const Range dealt = Range::part(tasks, item, partials_);
        for (int64_t t = dealt.begin; t < dealt.end; ++t) run_kernel(given, sum, t > dealt.begin, task(t), part, mine);
    });
    if (for_kernel_) add_partials(shared, sum_step, partials_ - 1, result, count, threads);
}

}  // namespace preceptor
