// "window": role (0 sum, 1 spread, 2 max, 3 max_spread, 4 max_mean), axes, then for each axis: input lengths, windows,
// sizes, strides, padding before, dilations; refs: sum, max: x, out; spread: g, out; max_spread: g, x, largest, out;
// max_mean: h, x, largest, out. Semantics: ops/pooling.py.
#include <algorithm>

#include "instruction.h"
#include "kernels.h"
#include "threads.h"

namespace preceptor {

namespace {

constexpr int64_t parallel_work = 1 << 16;  // numbers taken in: some 10 us of one core

struct WindowAxis {
    int64_t length, count, size, stride, before, dilation;

    bool is_plain() const { return size == 1 && stride == 1 && before == 0 && count == length; }
};

enum class WindowRole : int { sum = 0, spread = 1, max = 2, max_spread = 3, max_mean = 4 };

// One way to go through an axis: from results (windows, or inputs for the adjoints) to the sources that each takes in.
struct Way {
    int64_t results, sources;
    int64_t stride, step;            // place of a result: index * stride; of a source: index * step
    std::vector<int64_t> shifts;     // a result at place p takes in the sources at the places p + shift
    int64_t inner_begin, inner_end;  // results that take in a source for every shift

    // Windows are apart by the stride of the axis, inputs by one; the adjoint turns the shifts round.
    Way(const WindowAxis& axis, bool adjoint)
        : results(adjoint ? axis.length : axis.count),
          sources(adjoint ? axis.count : axis.length),
          stride(adjoint ? 1 : axis.stride),
          step(adjoint ? axis.stride : 1) {
        for (int64_t tap = 0; tap < axis.size; ++tap) {
            const int64_t shift = tap * axis.dilation - axis.before;
            shifts.push_back(adjoint ? -shift : shift);
        }
        const auto [low, high] = std::minmax_element(shifts.begin(), shifts.end());
        inner_begin = std::clamp<int64_t>(-*low, 0, results);
        inner_end = std::clamp<int64_t>(sources - *high, inner_begin, results);
    }

    // The source for a result and a shift, or -1.
    int64_t source(int64_t result, int64_t shift) const {
        const int64_t place = result * stride + shift;
        if (place < 0 || place % step != 0) return -1;
        return place / step < sources ? place / step : -1;
    }
};

// Goes through all results. What is contiguous is vectorised: the last axes together where no window reaches over them
// (channels), or the last axis where windows are one apart. The axis before, a line, is gone through with as little
// work for each place as can be; lines are dealt to threads.
class Ways {
  public:
    Ways(const std::vector<WindowAxis>& axes, bool adjoint)
        : last_(axes.back(), adjoint), line_(axes[axes.size() - 2], adjoint) {
        for (size_t i = 0; i + 2 < axes.size(); ++i) outer_.emplace_back(axes[i], adjoint);
        for (const Way& way : outer_) lines_ *= way.results;
    }

    int64_t lines() const { return line_.results * last_.results > 0 ? lines_ : 0; }

    // Calls function(first result, offsets of its sources, how many offsets, how many results side by side).
    template <class Function>
    void run(int64_t begin, int64_t end, Function&& function) const {
        std::vector<int64_t> rows, places, offsets;
        for (int64_t line = begin; line < end; ++line) {
            rows.clear();
            collect(outer_.size(), line, 0, 1, rows);
            for (int64_t at = 0; at < line_.results; ++at) {
                places.clear();
                for (const int64_t row : rows) {
                    for (const int64_t shift : line_.shifts) {
                        const int64_t source = line_.source(at, shift);
                        if (source >= 0) places.push_back((row * line_.sources + source) * last_.sources);
                    }
                }
                const int64_t first = (line * line_.results + at) * last_.results;
                const auto side_by_side = [&](int64_t from, int64_t to) {
                    if (from == to) return;
                    offsets.clear();
                    for (const int64_t place : places) {
                        for (const int64_t shift : last_.shifts) {
                            if (from + shift < 0 || to + shift > last_.sources) continue;
                            offsets.push_back(place + from + shift);
                        }
                    }
                    function(first + from, offsets.data(), static_cast<int64_t>(offsets.size()), to - from);
                };
                for (int64_t i = 0; i < last_.inner_begin; ++i) side_by_side(i, i + 1);
                side_by_side(last_.inner_begin, last_.inner_end);
                for (int64_t i = last_.inner_end; i < last_.results; ++i) side_by_side(i, i + 1);
            }
        }
    }

  private:
    // Source lines of a line, the first axis first.
    void collect(size_t ways, int64_t line, int64_t row, int64_t step, std::vector<int64_t>& rows) const {
        if (ways == 0) {
            rows.push_back(row);
            return;
        }
        const Way& way = outer_[ways - 1];
        for (const int64_t shift : way.shifts) {
            const int64_t source = way.source(line % way.results, shift);
            if (source >= 0) collect(ways - 1, line / way.results, row + source * step, step * way.sources, rows);
        }
    }

    Way last_, line_;
    std::vector<Way> outer_;
    int64_t lines_ = 1;
};

class Window final : public Instruction {
  public:
    static Made make(Words& words) {
        const int64_t role = words.next();
        if (role < 0 || role > 4) throw std::invalid_argument("window: unknown role");
        std::vector<WindowAxis> axes(size_t(words.next()));
        for (const auto member : {&WindowAxis::length, &WindowAxis::count, &WindowAxis::size, &WindowAxis::stride,
                                  &WindowAxis::before, &WindowAxis::dilation}) {
            for (auto& axis : axes) axis.*member = words.next();
        }
        for (const auto& axis : axes) {
            if (axis.length < 0 || axis.count < 0 || axis.size < 1 || axis.stride < 1 || axis.dilation < 1) {
                throw std::invalid_argument("window: lengths are at least 0, sizes, strides and dilations at least 1");
            }
        }
        auto made = std::make_unique<Window>(static_cast<WindowRole>(role), simplify(std::move(axes)));
        made->first_ = words.ref();
        if (made->role_ == WindowRole::max_spread || made->role_ == WindowRole::max_mean) {
            made->x_ = words.ref();
            made->largest_ = words.ref();
        }
        made->out_ = words.ref();
        words.finish();
        return made;
    }

    Window(WindowRole role, const std::vector<WindowAxis>& axes)
        : role_(role), ways_(axes, false), adjoint_(axes, true), images_(axes[0].is_plain() ? axes[0].length : 1) {
        for (const auto& axis : axes) {
            windows_ *= axis.count;
            work_ *= axis.count * axis.size;
        }
    }

    size_t scratch_bytes(int) const override {
        return role_ == WindowRole::max_spread ? size_t(windows_) * sizeof(float) : 0;
    }

    void run(const Context& context) const override {
        const Kernels& k = kernels();
        const auto* first = context.at<float>(first_);
        auto* out = context.at<float>(out_);
        const auto *x = x_ ? context.at<float>(x_) : nullptr, *largest = x_ ? context.at<float>(largest_) : nullptr;
        const auto sum = [&](int64_t at, const int64_t* offsets, int64_t count, int64_t n) {
            k.sum_rows(first, offsets, count, out + at, n);
        };
        switch (role_) {
            case WindowRole::sum: return on_lines(context, ways_, sum);
            case WindowRole::spread: return on_lines(context, adjoint_, sum);
            case WindowRole::max:
                return on_lines(context, ways_, [&](int64_t at, const int64_t* offsets, int64_t count, int64_t n) {
                    k.max_rows(first, offsets, count, out + at, n);
                });
            case WindowRole::max_mean:
                return on_lines(context, ways_, [&](int64_t at, const int64_t* offsets, int64_t count, int64_t n) {
                    k.mean_of_winners(first, x, offsets, count, largest + at, out + at, n);
                });
            case WindowRole::max_spread: break;
        }
        // First what each winner of a window receives, then for each input the sum over its windows: image by image, so
        // that the second pass finds in the cache what the first has read.
        auto* share = reinterpret_cast<float*>(context.scratch);
        const int64_t lines = ways_.lines() / std::max<int64_t>(images_, 1);
        const int64_t adjoint_lines = adjoint_.lines() / std::max<int64_t>(images_, 1);
        const auto share_lines = [&](int64_t begin, int64_t end) {
            ways_.run(begin, end, [&](int64_t at, const int64_t* offsets, int64_t count, int64_t n) {
                k.share_of_winners(first + at, x, offsets, count, largest + at, share + at, n);
            });
        };
        const auto spread_lines = [&](int64_t begin, int64_t end) {
            adjoint_.run(begin, end, [&](int64_t at, const int64_t* offsets, int64_t count, int64_t n) {
                k.sum_of_shares(x + at, largest, share, offsets, count, out + at, n);
            });
        };
        const int parts = parts_for(context);
        if (images_ >= parts) {
            on_threads(parts, [&](int part) {
                const auto range = Range::part(images_, part, parts);
                for (int64_t image = range.begin; image < range.end; ++image) {
                    share_lines(image * lines, (image + 1) * lines);
                    spread_lines(image * adjoint_lines, (image + 1) * adjoint_lines);
                }
            });
            return;
        }
        on_threads(parts, [&](int part) {
            const auto range = Range::part(ways_.lines(), part, parts);
            share_lines(range.begin, range.end);
        });
        on_threads(parts, [&](int part) {
            const auto range = Range::part(adjoint_.lines(), part, parts);
            spread_lines(range.begin, range.end);
        });
    }

  private:
    // At the end one axis that is vectorised, before it at least one more.
    static std::vector<WindowAxis> simplify(std::vector<WindowAxis> axes) {
        WindowAxis last{1, 1, 1, 1, 0, 1};
        const WindowAxis single = last;
        if (!axes.empty() && !axes.back().is_plain() && axes.back().stride == 1) {
            last = axes.back();
            axes.pop_back();
        } else {
            while (axes.size() > 1 && axes.back().is_plain()) {
                last.length *= axes.back().length;
                axes.pop_back();
            }
            last.count = last.length;
        }
        for (size_t i = axes.size(); i-- > 1 && axes.size() > 2;) {  // neighbours that no window reaches over
            if (!axes[i].is_plain() || !axes[i - 1].is_plain()) continue;
            axes[i - 1].length *= axes[i].length;
            axes[i - 1].count = axes[i - 1].length;
            axes.erase(axes.begin() + std::ptrdiff_t(i));
        }
        if (axes.size() < 2) axes.push_back(single);  // the places of an axis before the line are dealt to threads
        axes.push_back(last);
        return axes;
    }

    int parts_for(const Context& context) const { return work_ < parallel_work ? 1 : context.threads; }

    template <class Function>
    void on_lines(const Context& context, const Ways& ways, Function&& function) const {
        const int parts = parts_for(context);
        on_threads(parts, [&](int part) {
            const auto range = Range::part(ways.lines(), part, parts);
            ways.run(range.begin, range.end, function);
        });
    }

    WindowRole role_;
    Ways ways_, adjoint_;
    int64_t images_;  // along a first axis that no window reaches over
    int64_t windows_ = 1, work_ = 1;
    Ref first_, x_, largest_, out_;
};

}  // namespace

Made make_window(Words& words) { return Window::make(words); }

}  // namespace preceptor
