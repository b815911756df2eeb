// "copy", "take", "scatter_add" and "gather_sum": what moves numbers without computing with them, sums of rows apart.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "instruction.h"
#include "kernels.h"
#include "threads.h"

namespace preceptor {

namespace {

constexpr int64_t parallel_bytes = 1 << 18;  // 256 KiB take some 15 us of one core

int parts_for(int64_t bytes, int threads) { return bytes < parallel_bytes ? 1 : threads; }

// ---- copy

struct Axis {
    int64_t length, from, to;  // strides in bytes
};

template <class Item>
void copy_line(const char* from, char* to, const Axis& axis) {
    for (int64_t i = 0; i < axis.length; ++i) {
        std::memcpy(to + i * axis.to, from + i * axis.from, sizeof(Item));
    }
}

template <class Item>
void fill_line(const char* from, char* to, int64_t length) {
    Item item;
    std::memcpy(&item, from, sizeof item);
    for (int64_t i = 0; i < length; ++i) std::memcpy(to + i * int64_t(sizeof item), &item, sizeof item);
}

// Words: item bytes, axes, shape, source ref or -1 (zeros), its strides in bytes, destination ref, its strides.
class Copy final : public Instruction {
  public:
    explicit Copy(Words& words) {
        item_ = words.next();
        auto shape = std::vector<int64_t>(size_t(words.next()));
        for (auto& length : shape) length = words.next();
        for (const int64_t length : shape) axes_.push_back({length, 0, 0});
        from_ = words.ref();
        for (auto& axis : axes_) axis.from = words.next();
        to_ = words.ref();
        for (auto& axis : axes_) axis.to = words.next();
        words.finish();
        if (item_ < 1) throw std::invalid_argument("copy: an item has at least one byte");
        for (const auto& axis : axes_) {
            if (axis.length < 0) throw std::invalid_argument("copy: a length is negative");
            count_ *= axis.length;
        }
        if (!from_) {
            for (auto& axis : axes_) axis.from = 0;
        }
        simplify();
    }

    void run(const Context& context) const override {
        if (count_ == 0) return;
        static constexpr char zeros[64] = {};
        if (item_ > int64_t(sizeof zeros) && !from_) throw std::invalid_argument("copy: items of zeros are too large");
        const char* from = from_ ? context.at<char>(from_) : zeros;
        char* to = context.at<char>(to_);
        // The longest of the outer axes is dealt to the threads.
        size_t dealt = 0;
        for (size_t i = 1; i + inner_ < axes_.size(); ++i) {
            if (axes_[i].length > axes_[dealt].length) dealt = i;
        }
        const int parts = parts_for(count_ * item_, context.threads);
        on_threads(parts, [&](int part) {
            const auto range = Range::part(axes_[dealt].length, part, parts);
            if (range.begin == range.end) return;
            auto axes = axes_;
            axes[dealt].length = range.end - range.begin;
            copy(axes, 0, from + range.begin * axes[dealt].from, to + range.begin * axes[dealt].to);
        });
    }

  private:
    // Drops axes of length 1, orders the others by the destination and joins those that lie one behind the other.
    void simplify() {
        axes_.erase(std::remove_if(axes_.begin(), axes_.end(), [](const Axis& axis) { return axis.length == 1; }),
                    axes_.end());
        std::stable_sort(axes_.begin(), axes_.end(),
                         [](const Axis& a, const Axis& b) { return std::abs(a.to) > std::abs(b.to); });
        for (size_t i = axes_.size(); i-- > 1;) {
            const Axis inner = axes_[i];
            Axis& outer = axes_[i - 1];
            if (outer.to != inner.to * inner.length || outer.from != inner.from * inner.length) continue;
            outer = {outer.length * inner.length, inner.from, inner.to};
            axes_.erase(axes_.begin() + std::ptrdiff_t(i));
        }
        if (axes_.empty()) axes_.push_back({1, item_, item_});
        // A source that runs along another axis than the destination: the two axes are copied together.
        const bool whole = std::all_of(axes_.begin(), axes_.end(), [](const Axis& axis) {
            return axis.from % 4 == 0 && axis.to % 4 == 0;
        });
        if (item_ == 4 && whole && axes_.size() > 1 && axes_.back().to == 4 && std::abs(axes_.back().from) > 4) {
            for (size_t i = 0; i + 1 < axes_.size(); ++i) {
                if (axes_[i].from != 4 || axes_[i].length < 4) continue;
                std::rotate(axes_.begin() + std::ptrdiff_t(i), axes_.begin() + std::ptrdiff_t(i) + 1, axes_.end() - 1);
                inner_ = 2;
                return;
            }
        }
    }

    void copy(const std::vector<Axis>& axes, size_t at, const char* from, char* to) const {
        const Axis& axis = axes[at];
        if (at + inner_ < axes.size()) {
            for (int64_t i = 0; i < axis.length; ++i) copy(axes, at + 1, from + i * axis.from, to + i * axis.to);
        } else if (inner_ == 2) {
            const Axis& other = axes[at + 1];
            kernels().transpose(reinterpret_cast<const float*>(from), other.from / 4, reinterpret_cast<float*>(to),
                                axis.to / 4, axis.length, other.length);
        } else if (axis.to == item_ && axis.from == item_) {
            std::memcpy(to, from, size_t(axis.length * item_));
        } else if (axis.to == item_ && axis.from == 0 && !from_) {
            std::memset(to, 0, size_t(axis.length * item_));
        } else {
            line(from, to, axis);
        }
    }

    void line(const char* from, char* to, const Axis& axis) const {
        const bool fill = axis.to == item_ && axis.from == 0;
        switch (item_) {
            case 1: return fill ? fill_line<uint8_t>(from, to, axis.length) : copy_line<uint8_t>(from, to, axis);
            case 2: return fill ? fill_line<uint16_t>(from, to, axis.length) : copy_line<uint16_t>(from, to, axis);
            case 4: return fill ? fill_line<uint32_t>(from, to, axis.length) : copy_line<uint32_t>(from, to, axis);
            case 8: return fill ? fill_line<uint64_t>(from, to, axis.length) : copy_line<uint64_t>(from, to, axis);
            default:
                for (int64_t i = 0; i < axis.length; ++i) {
                    std::memcpy(to + i * axis.to, from + i * axis.from, size_t(item_));
                }
        }
    }

    int64_t item_, count_ = 1;
    std::vector<Axis> axes_;
    size_t inner_ = 1;  // axes that one call of a loop copies
    Ref from_, to_;
};

// ---- indices

// Positions along an axis, of any integer type; negative ones count from the end.
class Indices {
  public:
    Indices(Ref ref, int64_t type, int64_t count, int64_t length, const char* who)
        : ref_(ref), type_(int(type)), count_(count), length_(length), who_(who) {
        if (type < 0 || type > 6) throw std::invalid_argument(std::string(who) + ": unknown type of the index");
    }

    size_t bytes() const { return (size_t(count_) * sizeof(int64_t) + 63) / 64 * 64; }

    // All positions, from 0 on, in scratch memory; std::out_of_range (IndexError) where one is outside.
    const int64_t* read(const Context& context) const {
        auto* to = reinterpret_cast<int64_t*>(context.scratch);
        switch (type_) {
            case 0: read_as<uint8_t>(context, to); break;
            case 1: read_as<int8_t>(context, to); break;
            case 2: read_as<int16_t>(context, to); break;
            case 3: read_as<int32_t>(context, to); break;
            case 4: read_as<int64_t>(context, to); break;
            case 5: read_as<uint16_t>(context, to); break;
            default: read_as<uint32_t>(context, to); break;
        }
        return to;
    }

  private:
    template <class Integer>
    void read_as(const Context& context, int64_t* to) const {
        const auto* from = context.at<Integer>(ref_);
        for (int64_t i = 0; i < count_; ++i) {
            const auto index = int64_t(from[i]);
            to[i] = index < 0 ? index + length_ : index;
            if (uint64_t(to[i]) >= uint64_t(length_)) {
                throw std::out_of_range(std::string(who_) + ": index " + std::to_string(index) +
                                        " is outside an axis of length " + std::to_string(length_));
            }
        }
    }

    Ref ref_;
    int type_;
    int64_t count_, length_;
    const char* who_;
};

void check_lengths(const char* who, std::initializer_list<int64_t> lengths) {
    if (std::min(lengths) < 0) throw std::invalid_argument(std::string(who) + ": a length is negative");
}

// ---- take

// Words: outer, length, inner bytes, count, x ref, index ref, index type, destination ref.
class Take final : public Instruction {
  public:
    Take(int64_t outer, int64_t length, int64_t inner, int64_t count, Ref x, Indices indices, Ref to)
        : outer_(outer), length_(length), inner_(inner), count_(count), x_(x), to_(to), indices_(indices) {}

    size_t scratch_bytes(int) const override { return indices_.bytes(); }

    void run(const Context& context) const override {
        const int64_t* indices = indices_.read(context);
        switch (inner_) {
            case 4: return take(context, indices, std::integral_constant<int64_t, 4>());
            case 8: return take(context, indices, std::integral_constant<int64_t, 8>());
            default: return take(context, indices, inner_);
        }
    }

  private:
    template <class Bytes>  // a constant lets the compiler turn each copy into one move
    void take(const Context& context, const int64_t* indices, Bytes inner) const {
        const char* x = context.at<char>(x_);
        char* to = context.at<char>(to_);
        const int64_t rows = outer_ * count_;
        const int parts = parts_for(rows * inner, context.threads);
        on_threads(parts, [&](int part) {
            const auto range = Range::part(rows, part, parts);
            for (int64_t row = range.begin; row < range.end;) {
                const int64_t outer = row / count_;
                const char* from = x + outer * length_ * inner;
                for (const int64_t end = std::min(range.end, (outer + 1) * count_); row < end; ++row) {
                    std::memcpy(to + row * inner, from + indices[row - outer * count_] * inner, size_t(int64_t(inner)));
                }
            }
        });
    }

    int64_t outer_, length_, inner_, count_;
    Ref x_, to_;
    Indices indices_;
};

// ---- scatter_add

// Words: outer, length, inner numbers, count, x ref, index ref, index type, destination ref. Each thread has rows of
// the destination of its own and takes what comes to them in order: the same bits for any number of threads.
class ScatterAdd final : public Instruction {
  public:
    ScatterAdd(int64_t outer, int64_t length, int64_t inner, int64_t count, Ref x, Indices indices, Ref to)
        : outer_(outer), length_(length), inner_(inner), count_(count), x_(x), to_(to), indices_(indices) {}

    size_t scratch_bytes(int) const override { return indices_.bytes(); }

    void run(const Context& context) const override {
        const int64_t* indices = indices_.read(context);
        const auto* x = context.at<float>(x_);
        auto* to = context.at<float>(to_);
        const Kernels& rows = kernels();
        const int parts = parts_for(outer_ * (length_ + count_) * inner_ * 4, context.threads);
        on_threads(parts, [&](int part) {
            const auto range = Range::part(outer_ * length_, part, parts);
            std::fill(to + range.begin * inner_, to + range.end * inner_, 0.0f);
            if (range.begin == range.end) return;
            for (int64_t outer = range.begin / length_; outer <= (range.end - 1) / length_; ++outer) {
                for (int64_t c = 0; c < count_; ++c) {
                    const int64_t row = outer * length_ + indices[c];
                    if (row < range.begin || row >= range.end) continue;
                    const float* from = x + (outer * count_ + c) * inner_;
                    if (inner_ == 1) {
                        to[row] += *from;
                    } else {
                        rows.add(from, to + row * inner_, inner_);
                    }
                }
            }
        });
    }

  private:
    int64_t outer_, length_, inner_, count_;
    Ref x_, to_;
    Indices indices_;
};

// ---- gather_sum

// Words: rows, picks, length, inner numbers, x ref, index ref, index type, weights ref, destination ref. Each row of the
// destination is summed by one thread, in the order of the picks.
class GatherSum final : public Instruction {
  public:
    explicit GatherSum(Words& words) {
        rows_ = words.next(), picks_ = words.next();
        length_ = words.next(), inner_ = words.next();
        check_lengths("gather_sum", {rows_, picks_, length_, inner_});
        x_ = words.ref();
        const Ref index = words.ref();
        indices_.emplace(index, words.next(), rows_ * picks_, length_, "gather_sum");
        weights_ = words.ref(), to_ = words.ref();
        words.finish();
    }

    size_t scratch_bytes(int) const override { return indices_->bytes(); }

    void run(const Context& context) const override {
        const int64_t* indices = indices_->read(context);
        const auto *x = context.at<float>(x_), *weights = context.at<float>(weights_);
        auto* to = context.at<float>(to_);
        const Kernels& loops = kernels();
        const int parts = parts_for(rows_ * picks_ * inner_ * 4, context.threads);
        on_threads(parts, [&](int part) {
            const auto range = Range::part(rows_, part, parts);
            std::vector<const float*> from(static_cast<size_t>(picks_));
            for (int64_t row = range.begin; row < range.end; ++row) {
                for (int64_t i = 0; i < picks_; ++i) from[size_t(i)] = x + indices[row * picks_ + i] * inner_;
                loops.mix_rows(from.data(), weights + row * picks_, picks_, to + row * inner_, inner_);
            }
        });
    }

  private:
    int64_t rows_, picks_, length_, inner_;
    Ref x_, weights_, to_;
    std::optional<Indices> indices_;
};

template <class Indexed>
Made make_indexed(Words& words, const char* who) {
    const int64_t outer = words.next(), length = words.next(), inner = words.next(), count = words.next();
    check_lengths(who, {outer, length, inner, count});
    const Ref x = words.ref(), index = words.ref();
    const int64_t type = words.next();
    const Ref to = words.ref();
    words.finish();
    return std::make_unique<Indexed>(outer, length, inner, count, x, Indices(index, type, count, length, who), to);
}

}  // namespace

Made make_copy(Words& words) { return std::make_unique<Copy>(words); }
Made make_take(Words& words) { return make_indexed<Take>(words, "take"); }
Made make_scatter_add(Words& words) { return make_indexed<ScatterAdd>(words, "scatter_add"); }
Made make_gather_sum(Words& words) { return std::make_unique<GatherSum>(words); }

}  // namespace preceptor
