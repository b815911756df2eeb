// The kernels of tile programs. Included once for each instruction set, by a source compiled for it, where TILE_KERNELS
// names their table and PRECEPTOR_LANES is the length of a vector. Everything is local to that source and no template of the standard library is instantiated: what
// the linker may take from another source would have been compiled for another processor.
#include <immintrin.h>

#include <cmath>

#include "tile_step.h"
#include "vector_math.h"

namespace preceptor {

namespace {

constexpr int lanes = PRECEPTOR_LANES;
#include "vector.inl"

template <class T>
inline T* at(const Frame& frame, int32_t slot) {
    return reinterpret_cast<T*>(frame.slots[slot]);
}

template <int... I>
struct Indices {};

template <int N, int... I>
struct Count : Count<N - 1, N - 1, I...> {};

template <int... I>
struct Count<0, I...> {
    using Indices = preceptor::Indices<I...>;
};

// Operations on each number by itself.

inline float truth(bool x) { return x ? 1.0f : 0.0f; }
inline int32_t wrapped(uint32_t x) { return int32_t(x); }  // integers overflow as in NumPy

inline float add(float a, float b) { return a + b; }
inline float subtract(float a, float b) { return a - b; }
inline float multiply(float a, float b) { return a * b; }
inline float divide(float a, float b) { return a / b; }
inline float maximum(float a, float b) { return choose((a > b) | (a != a), a, b); }  // NaN of either side
inline float minimum(float a, float b) { return choose((a < b) | (a != a), a, b); }
inline float negative(float a) { return -a; }
inline float square_root(float a) { return __builtin_sqrtf(a); }
inline float sign(float a) { return a > 0.0f ? 1.0f : a < 0.0f ? -1.0f : a == 0.0f ? 0.0f : a; }
inline float threshold(float a) { return a != a ? a : truth(a >= 0.0f); }
inline float equal(float a, float b) { return truth(a == b); }
inline float less(float a, float b) { return truth(a < b); }
inline float less_equal(float a, float b) { return truth(a <= b); }
inline float logical_not(float a) { return truth(a == 0.0f); }
inline float logical_and(float a, float b) { return truth((a != 0.0f) & (b != 0.0f)); }
inline float logical_or(float a, float b) { return truth((a != 0.0f) | (b != 0.0f)); }
inline float where(float a, float b, float c) { return a != 0.0f ? b : c; }
inline float multiply_add(float a, float b, float c) { return a * b + c; }
inline float relu(float a) { return a <= 0.0f ? 0.0f : a; }  // NaN goes on
inline float relu_mask(float a, float b) { return a <= 0.0f ? 0.0f : b; }
inline float clip(float a, float limit) { return a <= 0.0f ? 0.0f : a >= limit ? limit : a; }
inline float clip_mask(float a, float b, float limit) { return a <= 0.0f ? 0.0f : a >= limit ? 0.0f : b; }
inline float square(float a) { return a * a; }
inline float copy(float a) { return a; }

inline uint16_t to_bf16(float a) {  // to the nearest, ties to even
    const uint32_t bits = uint32_t(bits_of(a));
    const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
    return uint16_t((a == a ? rounded : bits | 0x400000) >> 16);
}
inline float from_bf16(uint16_t a) { return float_of(wrapped(uint32_t(a) << 16)); }
inline float round_bf16(float a) { return from_bf16(to_bf16(a)); }

inline int32_t add_i(int32_t a, int32_t b) { return wrapped(uint32_t(a) + uint32_t(b)); }
inline int32_t subtract_i(int32_t a, int32_t b) { return wrapped(uint32_t(a) - uint32_t(b)); }
inline int32_t multiply_i(int32_t a, int32_t b) { return wrapped(uint32_t(a) * uint32_t(b)); }
inline int32_t negative_i(int32_t a) { return wrapped(0u - uint32_t(a)); }
inline int32_t maximum_i(int32_t a, int32_t b) { return a > b ? a : b; }
inline int32_t abs_i(int32_t a) { return a < 0 ? negative_i(a) : a; }
inline int32_t sign_i(int32_t a) { return (a > 0) - (a < 0); }
inline float equal_i(int32_t a, int32_t b) { return truth(a == b); }
inline float less_i(int32_t a, int32_t b) { return truth(a < b); }
inline float less_equal_i(int32_t a, int32_t b) { return truth(a <= b); }
inline float less_u(int32_t a, int32_t b) { return truth(uint32_t(a) < uint32_t(b)); }
inline int32_t where_i(float a, int32_t b, int32_t c) { return a != 0.0f ? b : c; }
inline float int_to_float(int32_t a) { return float(a); }
inline float uint_to_float(int32_t a) { return float(uint32_t(a)); }
inline int32_t float_to_int(float a) { return int32_t(a); }
inline float int_to_bool(int32_t a) { return truth(a != 0); }
inline float float_to_bool(float a) { return truth(a != 0.0f); }

// Several at once: what optimisers and normalisations are made of.
inline float scaled_sum(float a, float b, float c, float e) { return a * b + c * e; }
inline float scaled_sum_square(float a, float b, float c, float e) { return a * b + c * c * e; }
inline float scaled_root(float a, float b, float c) { return square_root(a) * b + c; }
inline float scaled_ratio(float a, float b, float c) { return a * b / c; }
inline float added_ratio(float a, float b, float c, float e) { return a / b * c + e; }
inline float added_scaled_ratio(float a, float b, float c, float e, float f) { return a * b / c * e + f; }
inline float sum_of_products(float a, float b, float c, float e, float f) { return a * b + (c * e + f); }
inline float relu_of_sum(float a, float b, float c) { return relu(a * b + c); }
inline float normalised(float a, float b, float c, float e) { return (a - b) * c + e; }
inline float relu_of_normalised(float a, float b, float c, float e) { return relu(normalised(a, b, c, e)); }
inline float clip_of_normalised(float a, float b, float c, float e, float limit) {
    return clip(normalised(a, b, c, e), limit);
}
inline float clip_mask_of_normalised(float a, float b, float c, float e, float g, float limit) {
    return clip_mask(normalised(a, b, c, e), g, limit);
}
inline float normalised_and_product(float a, float b, float c, float e, float f, float g) {
    return (a - b) * c + (e * f + g);
}
inline float normalised_and_masked_product(float a, float b, float c, float x, float mean, float scale, float shift,
                                           float e, float limit, float f, float g) {
    return normalised_and_product(a, b, c, clip_mask_of_normalised(x, mean, scale, shift, e, limit), f, g);
}

// Kernels that apply them.

// The bits of `Single` say which operands are one number for all. A destination may lie exactly where an operand does.

// An operand: many numbers, or a few rows that are repeated.
template <class T, bool Single>
struct Source {
    const T* start;
    int64_t mask;  // none of the bits of an offset where rows are repeated

    Source(const Frame& frame, int32_t operand)
        : start(at<const T>(frame, operand < 0 ? repeated_slot(operand) : operand)), mask(operand < 0 ? 0 : -1) {}
    const T* from(int64_t offset) const { return start + (offset & mask); }
};

// An operand that is one number for all.
template <class T>
struct Source<T, true> {
    T number;

    struct Same {
        T number;
        T operator[](int64_t) const { return number; }
    };

    Source(const Frame& frame, int32_t operand) : number(*at<const T>(frame, operand)) {}
    Same from(int64_t) const { return {number}; }
};

template <auto function, class R, class... Parts>
inline void over_numbers(R* out, int64_t n, Parts... parts) {
    #pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = function(parts[i]...);
}

template <auto function, class R, class... Sources>
inline void over_blocks(R* out, int64_t n, int64_t block, Sources... sources) {
    for (int64_t begin = 0; begin < n; begin += block) {
        over_numbers<function>(out + begin, n - begin < block ? n - begin : block, sources.from(begin)...);
    }
}

template <auto function, unsigned Single, bool Repeated, class R, class... A, int... I>
inline void apply(const Frame& frame, const Step& step, R (*)(A...), Indices<I...>) {
    const int64_t n = frame.counts[step.count];
    R* const d = at<R>(frame, step.destination);
    if constexpr (Repeated) {
        over_blocks<function>(d, n, frame.counts[PERIOD], Source<A, bool(Single >> I & 1)>(frame, step.operands[I])...);
    } else {
        over_numbers<function>(d, n, Source<A, bool(Single >> I & 1)>(frame, step.operands[I]).from(0)...);
    }
}

template <auto function, unsigned Single, bool Repeated, class R, class... A>
inline void apply(const Frame& frame, const Step& step, R (*typed)(A...)) {
    apply<function, Single, Repeated>(frame, step, typed, typename Count<sizeof...(A)>::Indices{});
}

// `Repeated`: some operands may be a few rows that are repeated.
template <auto function, unsigned Single, bool Repeated>
void elementwise(const Frame& frame, const Step& step) {
    apply<function, Single, Repeated>(frame, step, function);
}

// The same for costly functions: group by group, the last one filled up, so that none goes number by number.
template <auto function, unsigned Single>
void costly(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const a = at<const float>(frame, step.operands[0]);
    const int64_t n = frame.counts[step.count];
    const float a0 = *a;
    float copied[GROUP], result[GROUP];
    for (int64_t i = 0; i < n; i += GROUP) {
        const int64_t present = n - i < GROUP ? n - i : GROUP;
        const float* from = a + i;
        float* to = d + i;
        if (present < GROUP) {
            for (int64_t j = 0; j < GROUP; ++j) copied[j] = !(Single & 1) && j < present ? from[j] : 1.0f;
            from = copied;
            to = result;
        }
        #pragma omp simd
        for (int64_t j = 0; j < GROUP; ++j) to[j] = function(Single & 1 ? a0 : from[j]);
        if (present < GROUP) {
            for (int64_t j = 0; j < present; ++j) d[i + j] = result[j];
        }
    }
}

template <int Quarters, unsigned Single>
void angle(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const a = at<const float>(frame, step.operands[0]);
    const int64_t n = frame.counts[step.count];
    float padded[GROUP], kept[GROUP], rest[GROUP];  // kept: the operand may be overwritten by its own sine
    for (int64_t i = 0; i < n; i += GROUP) {
        const int64_t present = n - i < GROUP ? n - i : GROUP;
        const bool whole = !(Single & 1) && present == GROUP;  // then read and written in vectors, where it lies
        if (!whole) {
            for (int64_t j = 0; j < GROUP; ++j) padded[j] = Single & 1 ? *a : j < present ? a[i + j] : 0.0f;
        }
        const float* const from = whole ? a + i : padded;
        float* const result = present == GROUP ? d + i : rest;
        int32_t beyond = 0;
        #pragma omp simd reduction(| : beyond)
        for (int64_t j = 0; j < GROUP; ++j) {
            const float x = from[j];
            kept[j] = x;
            result[j] = sine_of_small(x, Quarters);
            beyond |= bits_of(absolute(x)) > bits_of(SMALL_ANGLE);  // as whole numbers: they have no NaN
        }
        if (beyond) {
            for (int64_t j = 0; j < GROUP; ++j) {
                const bool small = bits_of(absolute(kept[j])) <= bits_of(SMALL_ANGLE);
                result[j] = choose(small, result[j], sine_from(kept[j], Quarters));
            }
            for (int64_t j = 0; j < GROUP; ++j) {
                if (absolute(kept[j]) > LARGEST_ANGLE) result[j] = Quarters ? ::cosf(kept[j]) : ::sinf(kept[j]);
            }
        }
        if (present < GROUP) {
            for (int64_t j = 0; j < present; ++j) d[i + j] = rest[j];
        }
    }
}

// By repeated squaring: the very products that the other engines compute.
template <unsigned Single>
void integer_power(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const a = at<const float>(frame, step.operands[0]);
    const int64_t n = frame.counts[step.count];
    const int64_t exponent = step.immediate < 0 ? -int64_t(step.immediate) : step.immediate;
    for (int64_t i = 0; i < n; i += GROUP) {
        const int64_t present = n - i < GROUP ? n - i : GROUP;
        float factor[GROUP], out[GROUP];
        for (int64_t j = 0; j < GROUP; ++j) {
            factor[j] = Single & 1 ? *a : j < present ? a[i + j] : 1.0f;
            out[j] = 1.0f;
        }
        for (int64_t bit = exponent; bit; bit >>= 1) {
            if (bit & 1) {
                #pragma omp simd
                for (int64_t j = 0; j < GROUP; ++j) out[j] *= factor[j];
            }
            #pragma omp simd
            for (int64_t j = 0; j < GROUP; ++j) factor[j] *= factor[j];
        }
        for (int64_t j = 0; j < present; ++j) d[i + j] = step.immediate < 0 ? 1.0f / out[j] : out[j];
    }
}

void fill(const Frame& frame, const Step& step) {
    int32_t* const d = at<int32_t>(frame, step.destination);
    const int32_t value = *at<const int32_t>(frame, step.operands[0]);
    const int64_t n = frame.counts[step.count];
    #pragma omp simd
    for (int64_t i = 0; i < n; ++i) d[i] = value;
}

void column_index(const Frame& frame, const Step& step) {
    int32_t* d = at<int32_t>(frame, step.destination);
    for (int64_t r = 0; r < frame.rows; ++r, d += frame.columns) {
        #pragma omp simd
        for (int64_t c = 0; c < frame.columns; ++c) d[c] = int32_t(frame.column + c);
    }
}

// Rows.

constexpr int64_t PARTS = 16;  // accumulators of a row, folded pairwise: several vectors hide the latency of additions

// As maximum; where single numbers are compared a choice is quicker than bits.
inline float larger(float a, float b) { return a != a ? a : a > b ? a : b; }

template <auto combine>
inline float fold_parts(float* parts) {
    for (int64_t width = PARTS / 2; width; width /= 2) {
        for (int64_t j = 0; j < width; ++j) parts[j] = combine(parts[j], parts[j + width]);
    }
    return parts[0];
}

template <auto combine>
void reduce_rows(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* a = at<const float>(frame, step.operands[0]);
    const int64_t columns = frame.columns;
    int64_t r = 0;
    if (columns < PARTS) {  // short rows side by side
        for (; r + PARTS <= frame.rows; r += PARTS, a += PARTS * columns) {
            float parts[PARTS];
            for (int64_t j = 0; j < PARTS; ++j) parts[j] = a[j * columns];
            for (int64_t c = 1; c < columns; ++c) {
                for (int64_t j = 0; j < PARTS; ++j) parts[j] = combine(parts[j], a[j * columns + c]);
            }
            for (int64_t j = 0; j < PARTS; ++j) d[r + j] = parts[j];
        }
        for (; r < frame.rows; ++r, a += columns) {
            float value = a[0];
            for (int64_t c = 1; c < columns; ++c) value = combine(value, a[c]);
            d[r] = value;
        }
        return;
    }
    for (; r < frame.rows; ++r, a += columns) {
        float parts[PARTS];
        for (int64_t j = 0; j < PARTS; ++j) parts[j] = a[j];
        int64_t c = PARTS;
        for (; c + PARTS <= columns; c += PARTS) {
            #pragma omp simd
            for (int64_t j = 0; j < PARTS; ++j) parts[j] = combine(parts[j], a[c + j]);
        }
        for (int64_t j = 0; c + j < columns; ++j) parts[j] = combine(parts[j], a[c + j]);
        d[r] = fold_parts<combine>(parts);
    }
}

void row_argmax(const Frame& frame, const Step& step) {
    int32_t* const d = at<int32_t>(frame, step.destination);
    const float* a = at<const float>(frame, step.operands[0]);
    for (int64_t r = 0; r < frame.rows; ++r, a += frame.columns) {
        int64_t best = 0;
        for (int64_t c = 1; c < frame.columns; ++c) {
            if (a[c] > a[best] || (a[c] != a[c] && a[best] == a[best])) best = c;  // NaN is the largest
        }
        d[r] = int32_t(best);
    }
}

// A number for each row to all of its columns. Whole groups are written: what runs over into the next row is
// overwritten by that row, and a slot has room for one group more than it holds.
void expand(const Frame& frame, const Step& step) {
    int32_t* d = at<int32_t>(frame, step.destination);
    const int32_t* const a = at<const int32_t>(frame, step.operands[0]);
    const int64_t columns = frame.columns;
    for (int64_t r = 0; r < frame.rows; ++r, d += columns) {
        const int32_t value = a[r];
        for (int64_t c = 0; c < columns; c += GROUP) {
            #pragma omp simd
            for (int64_t j = 0; j < GROUP; ++j) d[c + j] = value;
        }
    }
}

// The first numbers again and again: what is there is doubled.
void repeat_to(const Frame& frame, const Step& step, int64_t unit, int64_t total) {
    char* const d = at<char>(frame, step.destination);
    unit *= int64_t(sizeof(float)), total *= int64_t(sizeof(float));
    __builtin_memcpy(d, at<char>(frame, step.operands[0]), size_t(unit));
    for (int64_t done = unit; done < total; done *= 2) {
        __builtin_memcpy(d + done, d, size_t(done < total - done ? done : total - done));
    }
}

void repeat_row(const Frame& frame, const Step& step) { repeat_to(frame, step, frame.columns, frame.counts[PERIOD]); }

void repeat_period(const Frame& frame, const Step& step) {
    repeat_to(frame, step, frame.counts[PERIOD], frame.counts[FULL]);
}

// Windows.

struct Windows {
    int64_t bands, across, height, width, channels, line;  // a line: one row of the image, in numbers

    explicit Windows(const Frame& frame)
        : bands(frame.rows / (int64_t(frame.window_height) * frame.image_width)),
          across(frame.image_width / frame.window_width),
          height(frame.window_height),
          width(frame.window_width),
          channels(frame.columns),
          line(frame.columns * frame.image_width) {}
};

// function(first number of the window in the tile, its number among the windows)
template <class Function>
inline void for_each_window(const Windows& w, Function&& function) {
    for (int64_t band = 0; band < w.bands; ++band) {
        for (int64_t x = 0; x < w.across; ++x) {
            function(band * w.height * w.line + x * w.width * w.channels, (band * w.across + x) * w.channels);
        }
    }
}

// What windows are taken of: numbers as they lie, or normalised on the way, with a mean, a scale and a shift for each
// channel. The first of their operands is number `first` of the step.
struct AsTheyLie {
    static constexpr int operands = 1;
    const float* x;

    AsTheyLie(const Frame& frame, const Step& step, int first) : x(at<const float>(frame, step.operands[first])) {}
    float of(int64_t place, int64_t channel) const { return x[place + channel]; }
};
struct Normalised {
    static constexpr int operands = 4;
    const float *x, *mean, *scale, *shift;

    Normalised(const Frame& frame, const Step& step, int first)
        : x(at<const float>(frame, step.operands[first])),
          mean(at<const float>(frame, repeated_slot(step.operands[first + 1]))),
          scale(at<const float>(frame, repeated_slot(step.operands[first + 2]))),
          shift(at<const float>(frame, repeated_slot(step.operands[first + 3]))) {}
    float of(int64_t place, int64_t channel) const {
        return normalised(x[place + channel], mean[channel], scale[channel], shift[channel]);
    }
};

template <auto combine, class Values>
void pool(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const Values a(frame, step, 0);
    const Windows w(frame);
    const int64_t channels = w.channels, line = w.line;
    if (w.height == 2 && w.width == 2) {
        for_each_window(w, [=](int64_t full, int64_t pooled) {
            float* const out = d + pooled;
            #pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
                out[c] = combine(combine(a.of(full, c), a.of(full + channels, c)),
                                 combine(a.of(full + line, c), a.of(full + line + channels, c)));
            }
        });
        return;
    }
    for_each_window(w, [=](int64_t full, int64_t pooled) {
        float* const out = d + pooled;
        for (int64_t y = 0; y < w.height; ++y) {
            for (int64_t x = 0; x < w.width; ++x) {
                const int64_t place = full + y * line + x * channels;
                if (x == 0 && y == 0) {
                    #pragma omp simd
                    for (int64_t c = 0; c < channels; ++c) out[c] = a.of(place, c);
                } else {
                    #pragma omp simd
                    for (int64_t c = 0; c < channels; ++c) out[c] = combine(out[c], a.of(place, c));
                }
            }
        }
    });
}

// Of h, where x is largest.
template <class Values>
void pool_max_mean(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const h = at<const float>(frame, step.operands[0]);
    const Values x(frame, step, 1);
    const float* const largest = at<const float>(frame, step.operands[1 + Values::operands]);
    const Windows w(frame);
    const int64_t channels = w.channels, line = w.line;
    if (w.height == 2 && w.width == 2) {
        for_each_window(w, [=](int64_t full, int64_t pooled) {
            const float* const of = h + full;
            float* const out = d + pooled;
            #pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
                const float top = largest[pooled + c];
                const float e0 = truth(x.of(full, c) == top), e1 = truth(x.of(full + channels, c) == top);
                const float e2 = truth(x.of(full + line, c) == top);
                const float e3 = truth(x.of(full + line + channels, c) == top);
                const float sum = (where(e0, of[c], 0) + where(e1, of[c + channels], 0)) +
                                  (where(e2, of[c + line], 0) + where(e3, of[c + line + channels], 0));
                out[c] = sum / ((e0 + e1) + (e2 + e3));
            }
        });
        return;
    }
    for_each_window(w, [=](int64_t full, int64_t pooled) {
        for (int64_t c = 0; c < channels; ++c) {
            float count = 0.0f, sum = 0.0f;
            for (int64_t i = 0; i < w.height * w.width; ++i) {
                const int64_t place = full + i / w.width * line + i % w.width * channels;
                const float wins = truth(x.of(place, c) == largest[pooled + c]);
                count += wins;
                sum += where(wins, h[place + c], 0);
            }
            d[pooled + c] = sum / count;
        }
    });
}

void pool_spread(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const g = at<const float>(frame, step.operands[0]);
    const Windows w(frame);
    for_each_window(w, [=](int64_t full, int64_t pooled) {
        for (int64_t y = 0; y < w.height; ++y) {
            for (int64_t x = 0; x < w.width; ++x) {
                float* const out = d + full + y * w.line + x * w.channels;
                #pragma omp simd
                for (int64_t c = 0; c < w.channels; ++c) out[c] = g[pooled + c];
            }
        }
    });
}

template <class Values>
void pool_max_spread(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const g = at<const float>(frame, step.operands[0]);
    const Values x(frame, step, 1);
    const float* const largest = at<const float>(frame, step.operands[1 + Values::operands]);
    const Windows w(frame);
    const int64_t channels = w.channels, line = w.line;
    if (w.height == 2 && w.width == 2) {
        for_each_window(w, [=](int64_t full, int64_t pooled) {
            float* const out = d + full;
            #pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
                const float top = largest[pooled + c];
                const float e0 = truth(x.of(full, c) == top), e1 = truth(x.of(full + channels, c) == top);
                const float e2 = truth(x.of(full + line, c) == top);
                const float e3 = truth(x.of(full + line + channels, c) == top);
                const float share = g[pooled + c] / ((e0 + e1) + (e2 + e3));
                out[c] = e0 != 0.0f ? share : 0.0f;
                out[c + channels] = e1 != 0.0f ? share : 0.0f;
                out[c + line] = e2 != 0.0f ? share : 0.0f;
                out[c + line + channels] = e3 != 0.0f ? share : 0.0f;
            }
        });
        return;
    }
    for_each_window(w, [=](int64_t full, int64_t pooled) {
        for (int64_t c = 0; c < channels; ++c) {
            const float top = largest[pooled + c];
            float count = 0.0f;
            for (int64_t i = 0; i < w.height * w.width; ++i) {
                count += truth(x.of(full + i / w.width * line + i % w.width * channels, c) == top);
            }
            const float share = g[pooled + c] / count;
            for (int64_t i = 0; i < w.height * w.width; ++i) {
                const int64_t place = full + i / w.width * line + i % w.width * channels;
                d[place + c] = x.of(place, c) == top ? share : 0.0f;
            }
        }
    });
}

// --- Memory -----------------------------------------------------------------------------------------------------------
// How each type lies in memory and what it is in registers.

struct Word32 {
    using Stored = int32_t;
    using Value = int32_t;
    static Value read(Stored x) { return x; }
    static Stored write(Value x) { return x; }
};
struct Boolean {
    using Stored = uint8_t;
    using Value = float;
    static Value read(Stored x) { return truth(x != 0); }
    static Stored write(Value x) { return x != 0.0f; }
};
struct Bf16 {
    using Stored = uint16_t;
    using Value = float;
    static Value read(Stored x) { return from_bf16(x); }
    static Stored write(Value x) { return to_bf16(x); }
};
template <class T>
struct Integer {
    using Stored = T;
    using Value = int32_t;
    static Value read(Stored x) { return x; }
    static Stored write(Value x) { return Stored(x); }
};

// Walks over the rows of a tile that lie apart: one division at the start, then counting.
class RowWalk {
  public:
    RowWalk(const RowAddress& address, int64_t row)
        : address_(address), block_(row / address.div % address.mod), within_(row % address.div) {}
    int64_t offset() const { return block_ * address_.stride; }
    void next() {
        if (++within_ < address_.div) return;
        within_ = 0;
        if (++block_ == address_.mod) block_ = 0;
    }

  private:
    const RowAddress& address_;
    int64_t block_, within_;
};

template <class Type>
void load(const Frame& frame, const Step& step) {
    const auto* const a = at<const typename Type::Stored>(frame, step.operands[0]);
    auto* const d = at<typename Type::Value>(frame, step.destination);
    const int64_t n = frame.counts[step.count];
    #pragma omp simd
    for (int64_t i = 0; i < n; ++i) d[i] = Type::read(a[i]);
}

template <class Type>
void store(const Frame& frame, const Step& step) {
    const auto* const a = at<const typename Type::Value>(frame, step.operands[0]);
    auto* const d = at<typename Type::Stored>(frame, step.destination);
    const int64_t n = frame.counts[step.count];
    #pragma omp simd
    for (int64_t i = 0; i < n; ++i) d[i] = Type::write(a[i]);
}

template <class Type>
void load_rows(const Frame& frame, const Step& step) {
    const char* const start = at<const char>(frame, step.operands[0]);
    auto* d = at<typename Type::Value>(frame, step.destination);
    RowWalk walk(*step.address, frame.row);
    for (int64_t r = 0; r < frame.rows; ++r, walk.next(), d += frame.columns) {
        const auto* const a = reinterpret_cast<const typename Type::Stored*>(start + walk.offset());
        #pragma omp simd
        for (int64_t c = 0; c < frame.columns; ++c) d[c] = Type::read(a[c]);
    }
}

template <class Type>
void store_rows(const Frame& frame, const Step& step) {
    char* const start = at<char>(frame, step.destination);
    const auto* a = at<const typename Type::Value>(frame, step.operands[0]);
    RowWalk walk(*step.address, frame.row);
    for (int64_t r = 0; r < frame.rows; ++r, walk.next(), a += frame.columns) {
        auto* const d = reinterpret_cast<typename Type::Stored*>(start + walk.offset());
        #pragma omp simd
        for (int64_t c = 0; c < frame.columns; ++c) d[c] = Type::write(a[c]);
    }
}

template <class Type>
void load_numbers(const Frame& frame, const Step& step) {
    const char* const start = at<const char>(frame, step.operands[0]);
    auto* const d = at<typename Type::Value>(frame, step.destination);
    RowWalk walk(*step.address, frame.row);
    for (int64_t r = 0; r < frame.rows; ++r, walk.next()) {
        d[r] = Type::read(*reinterpret_cast<const typename Type::Stored*>(start + walk.offset()));
    }
}

template <class Type>
void store_numbers(const Frame& frame, const Step& step) {
    char* const start = at<char>(frame, step.destination);
    const auto* const a = at<const typename Type::Value>(frame, step.operands[0]);
    RowWalk walk(*step.address, frame.row);
    for (int64_t r = 0; r < frame.rows; ++r, walk.next()) {
        *reinterpret_cast<typename Type::Stored*>(start + walk.offset()) = Type::write(a[r]);
    }
}

void locate(const Frame& frame, const Step& step) {
    frame.slots[step.destination] = frame.slots[step.operands[0]] + RowWalk(*step.address, frame.row).offset();
}

// Reductions.

template <auto combine>
void accumulate(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const a = at<const float>(frame, step.operands[0]);
    const int64_t n = frame.counts[step.count];
    if (frame.first) {
        #pragma omp simd
        for (int64_t i = 0; i < n; ++i) d[i] = a[i];
    } else {
        #pragma omp simd
        for (int64_t i = 0; i < n; ++i) d[i] = combine(d[i], a[i]);
    }
}

// Sums of squares and of products.
template <bool Square>
void accumulate_product(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const a = at<const float>(frame, step.operands[0]);
    const float* const b = Square ? a : at<const float>(frame, step.operands[1]);
    const int64_t n = frame.counts[step.count];
    if (frame.first) {
        #pragma omp simd
        for (int64_t i = 0; i < n; ++i) d[i] = a[i] * b[i];
    } else {
        #pragma omp simd
        for (int64_t i = 0; i < n; ++i) d[i] += a[i] * b[i];
    }
}

// Sums over the rows of a tile, whose columns are whole groups: they stay in registers from row to row.

// What is summed: one term, or two that share a factor.
struct Terms {
    Vector first, second;
};
struct Numbers {
    static constexpr int operands = 1, sums = 1;
    static Terms of(Vector a, Vector, Vector) { return {a, a}; }
};
struct Squares {
    static constexpr int operands = 1, sums = 1;
    static Terms of(Vector a, Vector, Vector) { return {a * a, a}; }
};
struct SquaredDifferences {
    static constexpr int operands = 2, sums = 1;
    static Terms of(Vector a, Vector b, Vector) { return {(a - b) * (a - b), a}; }
};
struct Products {
    static constexpr int operands = 2, sums = 1;
    static Terms of(Vector a, Vector b, Vector) { return {a * b, a}; }
};
struct NumbersAndSquares {
    static constexpr int operands = 1, sums = 2;
    static Terms of(Vector a, Vector, Vector) { return {a, a * a}; }
};
struct NumbersAndSquaredDifferences {
    static constexpr int operands = 2, sums = 2;
    static Terms of(Vector a, Vector b, Vector) { return {a, (a - b) * (a - b)}; }
};
struct NumbersAndProducts {
    static constexpr int operands = 2, sums = 2;
    static Terms of(Vector a, Vector b, Vector) { return {a, a * b}; }
};
struct NumbersAndProductsOfDifferences {
    static constexpr int operands = 3, sums = 2;
    static Terms of(Vector a, Vector b, Vector c) { return {a, a * (b - c)}; }
};

// After the operands stands where the second sum goes, if there is one.
template <class What>
void sum_over_rows(const Frame& frame, const Step& step) {
    constexpr int count = GROUP / lanes;
    const int64_t columns = frame.columns;
    const float* from[3];
    int64_t next[3];  // from row to row; an operand may be one row for all
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
        const int32_t operand = step.operands[k < What::operands ? k : 0];
        from[k] = at<const float>(frame, operand < 0 ? repeated_slot(operand) : operand);
        next[k] = operand < 0 ? 0 : columns;
    }
    float* const to[2] = {at<float>(frame, step.destination),
                          What::sums > 1 ? at<float>(frame, step.operands[What::operands]) : nullptr};
    for (int64_t c = 0; c < columns; c += GROUP) {
        Vector sums[2][count] = {};
        const float *x = from[0] + c, *y = from[1] + c, *z = from[2] + c;
        for (int64_t r = 0; r < frame.rows; ++r, x += next[0], y += next[1], z += next[2]) {
#pragma GCC unroll 4
            for (int i = 0; i < count; ++i) {
                const int64_t place = i * lanes;
                const Terms terms = What::of(load(x + place), load(y + place), load(z + place));
                sums[0][i] += terms.first;
                sums[1][i] += terms.second;
            }
        }
#pragma GCC unroll 2
        for (int k = 0; k < What::sums; ++k) {
#pragma GCC unroll 4
            for (int i = 0; i < count; ++i) {
                float* const place = to[k] + c + i * lanes;
                store(frame.first ? sums[k][i] : load(place) + sums[k][i], place);
            }
        }
    }
}

// Of what a limited rectifier behind a normalisation lets through of g, and of its products with differences. Operands: x,
// mean, scale, shift, g, limit; then as NumbersAndProductsOfDifferences has them from its second on.
void sum_masked_over_rows(const Frame& frame, const Step& step) {
    constexpr int count = GROUP / lanes;
    const int64_t columns = frame.columns;
    const auto row = [&](int k) { return at<const float>(frame, repeated_slot(step.operands[k])); };
    const float *const mean = row(1), *const scale = row(2), *const shift = row(3);
    const Vector limit = Vector{} + *at<const float>(frame, step.operands[5]);
    const float* from[4];
    int64_t next[4];
    constexpr int places[4] = {0, 4, 6, 7};
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
        const int32_t operand = step.operands[places[k]];
        from[k] = at<const float>(frame, operand < 0 ? repeated_slot(operand) : operand);
        next[k] = operand < 0 ? 0 : columns;
    }
    float* const to[2] = {at<float>(frame, step.destination), at<float>(frame, step.operands[8])};
    for (int64_t c = 0; c < columns; c += GROUP) {
        Vector sums[2][count] = {};
        const float *x = from[0] + c, *g = from[1] + c, *y = from[2] + c, *z = from[3] + c;
        for (int64_t r = 0; r < frame.rows; ++r, x += next[0], g += next[1], y += next[2], z += next[3]) {
#pragma GCC unroll 4
            for (int i = 0; i < count; ++i) {
                const int64_t place = i * lanes, at_column = c + place;
                const Vector value =
                    (load(x + place) - load(mean + at_column)) * load(scale + at_column) + load(shift + at_column);
                const Vector kept = (value <= 0) | (value >= limit) ? Vector{} : load(g + place);
                sums[0][i] += kept;
                sums[1][i] += kept * (load(y + place) - load(z + place));
            }
        }
#pragma GCC unroll 2
        for (int k = 0; k < 2; ++k) {
#pragma GCC unroll 4
            for (int i = 0; i < count; ++i) {
                float* const place = to[k] + c + i * lanes;
                store(frame.first ? sums[k][i] : load(place) + sums[k][i], place);
            }
        }
    }
}

// To memory that is not read soon.
void stream(const Frame& frame, const Step& step) {
    float* const d = at<float>(frame, step.destination);
    const float* const a = at<const float>(frame, step.operands[0]);
    const int64_t n = frame.counts[step.count];
    int64_t i = 0;
    if (reinterpret_cast<uintptr_t>(d) % sizeof(Vector) == 0) {
        for (; i + lanes <= n; i += lanes) store_past(load(a + i), d + i);
    }
    for (; i < n; ++i) d[i] = a[i];
}

template <auto combine>
void fold(float* values, int64_t count, int64_t width) {
    while (count > 1) {
        const int64_t half = (count + 1) / 2, moved = (count - half) * width;
        float* const other = values + half * width;
        #pragma omp simd
        for (int64_t i = 0; i < moved; ++i) values[i] = combine(values[i], other[i]);
        count = half;
    }
}

// The table.

template <class R, class... A>
constexpr int operands_of(R (*)(A...)) {
    return sizeof...(A);
}

template <auto function, unsigned Single = 0>
void put(Kernels& kernels, Operation operation) {
    if constexpr (Single < 1u << operands_of(function)) {
        StepFunction* const row = kernels.operation[static_cast<int>(operation)];
        row[Single] = elementwise<function, Single, false>;
        if constexpr (Single + 1 < 1u << operands_of(function))
            row[Single + REPEATED] = elementwise<function, Single, true>;
        put<function, Single + 1>(kernels, operation);
    }
}

struct Variants {
    StepFunction plain, repeated;
};

template <auto function, unsigned Single>
constexpr Variants variants() {
    return {elementwise<function, Single, false>, elementwise<function, Single, true>};
}

void fuse(Kernels& k, StepFunction outer, int operand, StepFunction inner, StepFunction fused, bool cheap = false,
          unsigned repeated = 0) {
    if (k.fusion_count == MOST_FUSIONS) __builtin_trap();  // at the first use of this table: seen by whoever adds one
    k.fusions[k.fusion_count++] = {outer, operand, inner, fused, cheap, repeated};
}

void fuse(Kernels& k, Variants outer, int operand, Variants inner, Variants fused, bool cheap = false) {
    fuse(k, outer.plain, operand, inner.plain, fused.plain, cheap);
    fuse(k, outer.plain, operand, inner.repeated, fused.repeated, cheap);
    fuse(k, outer.repeated, operand, inner.plain, fused.repeated, cheap);
    fuse(k, outer.repeated, operand, inner.repeated, fused.repeated, cheap);
}

template <auto function>
void put_costly(Kernels& kernels, Operation operation) {
    StepFunction* const row = kernels.operation[static_cast<int>(operation)];
    row[0] = costly<function, 0>;
    row[1] = costly<function, 1>;
}

template <class Type>
void put_memory(Kernels& kernels, int type) {
    kernels.load[type] = load<Type>;
    kernels.store[type] = store<Type>;
    kernels.load_rows[type] = load_rows<Type>;
    kernels.store_rows[type] = store_rows<Type>;
    kernels.load_numbers[type] = load_numbers<Type>;
    kernels.store_numbers[type] = store_numbers<Type>;
}

Kernels make_kernels() {
    using O = Operation;
    Kernels k{};
    put<add>(k, O::add), put<subtract>(k, O::subtract), put<multiply>(k, O::multiply), put<divide>(k, O::divide);
    put<maximum>(k, O::maximum), put<minimum>(k, O::minimum), put<negative>(k, O::negative);
    put<square_root>(k, O::sqrt), put<preceptor::absolute>(k, O::abs), put<sign>(k, O::sign);
    put<threshold>(k, O::threshold), put<equal>(k, O::equal), put<less>(k, O::less), put<less_equal>(k, O::less_equal);
    put<logical_not>(k, O::logical_not), put<logical_and>(k, O::logical_and), put<logical_or>(k, O::logical_or);
    put<where>(k, O::where), put<multiply_add>(k, O::multiply_add);
    put<relu>(k, O::relu), put<relu_mask>(k, O::relu_mask), put<clip>(k, O::clip), put<clip_mask>(k, O::clip_mask);
    put<square>(k, O::square), put<copy>(k, O::copy);
    put<round_bf16>(k, O::round_bf16), put<multiply>(k, O::scale), put<add>(k, O::shift);
    put<add_i>(k, O::add_i), put<subtract_i>(k, O::subtract_i), put<multiply_i>(k, O::multiply_i);
    put<negative_i>(k, O::negative_i), put<maximum_i>(k, O::maximum_i), put<abs_i>(k, O::abs_i);
    put<sign_i>(k, O::sign_i), put<equal_i>(k, O::equal_i), put<less_i>(k, O::less_i);
    put<less_equal_i>(k, O::less_equal_i), put<where_i>(k, O::where_i), put<less_u>(k, O::less_u);
    put<int_to_float>(k, O::int_to_float), put<uint_to_float>(k, O::uint_to_float);
    put<float_to_int>(k, O::float_to_int), put<int_to_bool>(k, O::int_to_bool);
    put<float_to_bool>(k, O::float_to_bool);

    put_costly<exponential>(k, O::exp), put_costly<logarithm>(k, O::log);
    put_costly<logarithm_of_one_plus>(k, O::log1p), put_costly<exponential_minus_one>(k, O::expm1);
    put_costly<hyperbolic_tangent>(k, O::tanh), put_costly<sigmoid>(k, O::sigmoid);
    put_costly<softplus>(k, O::softplus), put_costly<error_function>(k, O::erf);
    const auto put_two = [&k](O operation, StepFunction many, StepFunction single) {
        k.operation[static_cast<int>(operation)][0] = many;
        k.operation[static_cast<int>(operation)][1] = single;
    };
    put_two(O::sin, angle<0, 0>, angle<0, 1>);
    put_two(O::cos, angle<1, 0>, angle<1, 1>);
    put_two(O::integer_power, integer_power<0>, integer_power<1>);
    put<raised>(k, O::power);

    const auto put_one = [&k](O operation, StepFunction function) {
        k.operation[static_cast<int>(operation)][0] = function;
    };
    put_one(O::column_index_i, column_index);
    put_one(O::row_sum, reduce_rows<add>), put_one(O::row_max, reduce_rows<larger>);
    put_one(O::row_argmax_i, row_argmax);
    put_one(O::pool_max, pool<maximum, AsTheyLie>), put_one(O::pool_sum, pool<add, AsTheyLie>);
    put_one(O::pool_spread, pool_spread), put_one(O::pool_max_spread, pool_max_spread<AsTheyLie>);
    put_one(O::pool_max_mean, pool_max_mean<AsTheyLie>);

    for (int type = 0; type < 3; ++type) put_memory<Word32>(k, type);  // f32, i32, u32
    put_memory<Boolean>(k, 3), put_memory<Bf16>(k, 4);
    put_memory<Integer<uint8_t>>(k, 5), put_memory<Integer<int8_t>>(k, 6);
    put_memory<Integer<int16_t>>(k, 7), put_memory<Integer<uint16_t>>(k, 8);
    k.locate = locate;
    k.fill = fill, k.expand = expand;
    k.repeat_row = repeat_row, k.repeat_period = repeat_period;
    k.accumulate[0] = accumulate<add>, k.accumulate[1] = accumulate<maximum>;
    k.sum_over_rows = sum_over_rows<Numbers>;
    k.stream = stream;
    k.fold[0] = fold<add>, k.fold[1] = fold<maximum>;

    // Numbers that are single come second: bits 2 (operand 1), 4 (operand 2) and 8 (operand 3).
    const Variants product = variants<multiply, 0>(), scaled = variants<multiply, 2>(), ratio = variants<divide, 0>();
    const Variants scaled_and_added = variants<multiply_add, 2>(), sum = variants<scaled_sum, 10>();
    const Variants ratio_of_scaled = variants<scaled_ratio, 2>(), multiplied_and_added = variants<multiply_add, 0>();
    fuse(k, scaled_and_added, 2, scaled, sum);
    fuse(k, sum, 2, variants<square, 0>(), variants<scaled_sum_square, 10>());
    fuse(k, variants<multiply_add, 6>(), 0, variants<square_root, 0>(), variants<scaled_root, 6>());
    fuse(k, ratio, 0, scaled, ratio_of_scaled);
    fuse(k, scaled_and_added, 0, ratio, variants<added_ratio, 4>());
    fuse(k, scaled_and_added, 0, ratio_of_scaled, variants<added_scaled_ratio, 10>());
    fuse(k, variants<relu, 0>(), 0, multiplied_and_added, variants<relu_of_sum, 0>());
    fuse(k, multiplied_and_added, 2, multiplied_and_added, variants<sum_of_products, 0>());
    const Variants two_products = variants<scaled_sum, 0>(), and_one_number = variants<sum_of_products, 0>();
    fuse(k, multiplied_and_added, 2, product, two_products);
    fuse(k, variants<add, 0>(), 0, two_products, and_one_number);
    fuse(k, k.accumulate[0], 0, variants<square, 0>().plain, accumulate_product<true>);
    fuse(k, k.accumulate[0], 0, product.plain, accumulate_product<false>);

    // Normalisation, with what follows it and its gradient.
    const Variants difference = variants<subtract, 0>(), norm = variants<normalised, 0>();
    fuse(k, multiplied_and_added, 0, difference, norm, true);
    fuse(k, and_one_number, 0, difference, variants<normalised_and_product, 0>(), true);
    fuse(k, variants<relu, 0>(), 0, norm, variants<relu_of_normalised, 0>());
    const Variants masked = variants<clip_mask_of_normalised, 32>();
    fuse(k, variants<clip, 2>(), 0, norm, variants<clip_of_normalised, 16>());
    fuse(k, variants<clip_mask, 4>(), 0, norm, masked);
    fuse(k, variants<normalised_and_product, 0>(), 3, masked, variants<normalised_and_masked_product, 256>());
    const auto fuse_norm = [&](StepFunction outer, int operand, StepFunction fused) {
        fuse(k, outer, operand, norm.repeated, fused, true, 0b1110);  // one mean, scale and shift for all rows
    };
    fuse_norm(pool<maximum, AsTheyLie>, 0, pool<maximum, Normalised>);
    fuse_norm(pool<add, AsTheyLie>, 0, pool<add, Normalised>);
    fuse_norm(pool_max_spread<AsTheyLie>, 1, pool_max_spread<Normalised>);
    fuse_norm(pool_max_mean<AsTheyLie>, 1, pool_max_mean<Normalised>);

    const StepFunction numbers = k.sum_over_rows, squares = sum_over_rows<Squares>, products = sum_over_rows<Products>;
    const StepFunction squared_differences = sum_over_rows<SquaredDifferences>;
    const StepFunction numbers_and_products = sum_over_rows<NumbersAndProducts>;
    fuse(k, numbers, 0, variants<square, 0>().plain, squares);
    for (int r = 0; r < 2; ++r) {
        const StepFunction subtracted = r ? difference.repeated : difference.plain;
        fuse(k, numbers, 0, r ? product.repeated : product.plain, products);
        fuse(k, squares, 0, subtracted, squared_differences, true);
        fuse(k, numbers_and_products, 1, subtracted, sum_over_rows<NumbersAndProductsOfDifferences>, true);
    }
    fuse(k, sum_over_rows<NumbersAndProductsOfDifferences>, 0, masked.repeated, sum_masked_over_rows, false, 0b1110);
    k.pairs[0] = {numbers, squares, sum_over_rows<NumbersAndSquares>, 1};
    k.pairs[1] = {numbers, squared_differences, sum_over_rows<NumbersAndSquaredDifferences>, 2};
    k.pairs[2] = {numbers, products, numbers_and_products, 2};
    return k;
}

}  // namespace

const Kernels& TILE_KERNELS() {
    static const Kernels kernels = make_kernels();
    return kernels;
}

}  // namespace preceptor
