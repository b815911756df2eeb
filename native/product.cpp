// "matmul": batch, m, n, k, type, A ref, its batch, row and column strides, B ref, its strides, C ref, its batch
// stride, bias ref, activation (0 none, 1 relu). Our own, save those of bfloat16 on processors that multiply it: oneDNN's.
#include <algorithm>
#include <array>
#include <optional>

#include "blocks.h"
#include "gemm.h"
#include "instruction.h"
#include "onednn.h"
#include "threads.h"
#include "widen.h"

namespace preceptor {

namespace {

struct Factor {
    Ref ref;
    Strides strides;
};

struct Product {
    int64_t batch, m, n, k;
    Type type;
    Factor a, b;
    Ref c;
    Strides c_strides;
    Ref bias;
    int64_t bias_batch;
    bool relu;
};

Factor read_factor(Words& words) {
    Factor factor;
    factor.ref = words.ref();
    factor.strides.batch = words.next();
    factor.strides.row = words.next();
    factor.strides.column = words.next();
    return factor;
}

// A stride along an axis of length 1 is never taken: 1 is the plainest.
void simplify(Strides& strides, int64_t rows, int64_t columns) {
    if (columns == 1 && strides.row != 1) strides.column = 1;
    if (rows == 1 && strides.column != 1) strides.row = 1;
}

Product read_product(Words& words) {
    Product p;
    p.batch = words.next();
    p.m = words.next();
    p.n = words.next();
    p.k = words.next();
    p.type = static_cast<Type>(words.next());
    p.a = read_factor(words);
    p.b = read_factor(words);
    p.c = words.ref();
    p.c_strides.batch = words.next();
    p.c_strides.row = words.next();
    p.c_strides.column = 1;
    p.bias = words.ref();
    p.bias_batch = words.next();
    p.relu = words.flag();
    words.finish();
    if (std::min({p.batch, p.m, p.n, p.k}) < 0) throw std::invalid_argument("matmul: a length is negative");
    if (p.type != Type::f32 && p.type != Type::bf16) throw std::invalid_argument("matmul: f32 or bf16 is required");
    simplify(p.a.strides, p.m, p.k);
    simplify(p.b.strides, p.k, p.n);
    return p;
}

class OwnProduct : public Instruction {
  public:
    explicit OwnProduct(const Product& p)
        : p_(p), gemm_(p.batch, p.m, p.n, p.k, p.a.strides, p.b.strides, p.c_strides, p.bias_batch) {
        if (p.type == Type::bf16) {
            wide_a_.emplace(p.batch, p.m, p.k, p.a.strides);
            wide_b_.emplace(p.batch, p.k, p.n, p.b.strides);
        }
    }

    void run(const Context& context) const override {
        char* scratch = context.scratch;
        const float* a = wide_a_ ? wide_a_->run(context, p_.a.ref, scratch) : context.at<float>(p_.a.ref);
        const float* b = wide_b_ ? wide_b_->run(context, p_.b.ref, scratch) : context.at<float>(p_.b.ref);
        gemm_.run(a, b, context.at<float>(p_.c), p_.bias ? context.at<float>(p_.bias) : nullptr, p_.relu,
                  context.threads, scratch);
    }
    size_t scratch_bytes(int threads) const override {
        return (wide_a_ ? wide_a_->bytes() + wide_b_->bytes() : 0) + gemm_.scratch_bytes(threads);
    }

  private:
    Product p_;
    Gemm gemm_;
    std::optional<Widened> wide_a_, wide_b_;
};

// In parts of rows, columns or matrices that depend on the shapes alone, each computed by one thread.
class DnnlProduct : public Instruction {
  public:
    static Made make(const Product& p) {  // null where oneDNN has no kernel for it
        auto made = std::make_unique<DnnlProduct>();
        const bool across = p.batch == 1 && p.n >= p.m;
        int64_t& side = p.batch > 1 ? made->p_.batch : across ? made->p_.n : made->p_.m;
        made->p_ = p;
        const int64_t whole = side, least = p.batch > 1 ? 1 : part_side;
        const int64_t each = round_up(divide_up(whole, std::clamp<int64_t>(whole / least, 1, onednn::most_parts)), least);
        for (int64_t begin = 0; begin < whole; begin += each) {
            side = std::min(each, whole - begin);
            Part part{made->p_.m, made->p_.n, made->p_.batch, {}, {}};
            const Strides &a = p.a.strides, &b = p.b.strides, &c = p.c_strides;
            if (p.batch > 1) {
                part.starts = {a.batch * begin, b.batch * begin, c.batch * begin, p.bias_batch * begin};
            } else if (across) {
                part.starts = {0, b.column * begin, begin, begin};
            } else {
                part.starts = {a.row * begin, 0, c.row * begin, 0};
            }
            if (!describe(made->p_, part.operation)) return nullptr;
            made->parts_.push_back(std::move(part));
        }
        return made;
    }

    void run(const Context& context) const override {
        const auto *a = context.at<uint16_t>(p_.a.ref), *b = context.at<uint16_t>(p_.b.ref);
        auto* const c = context.at<float>(p_.c);
        const auto* const bias = p_.bias ? context.at<float>(p_.bias) : nullptr;
        const size_t each = scratch_bytes(1);
        for_each_index(static_cast<int64_t>(parts_.size()), context.threads, [&](int64_t i, int thread) {
            const Part& part = parts_[static_cast<size_t>(i)];
            const auto [at_a, at_b, at_c, at_bias] = part.starts;
            char* const scratch = context.scratch + each * static_cast<size_t>(thread);
            if (bias) {
                part.operation.run({a + at_a, b + at_b, c + at_c, bias + at_bias}, scratch);
            } else {
                part.operation.run({a + at_a, b + at_b, c + at_c}, scratch);
            }
            if (!p_.relu) return;
            for (int64_t item = 0; item < part.batch; ++item) {
                for (int64_t row = 0; row < part.m; ++row) {
                    kernels().rectify(c + at_c + item * p_.c_strides.batch + row * p_.c_strides.row, part.n);
                }
            }
        });
    }
    size_t scratch_bytes(int threads) const override {
        size_t most = 0;
        for (const Part& part : parts_) most = std::max(most, part.operation.scratch_bytes());
        return (most + 63) / 64 * 64 * static_cast<size_t>(threads);
    }

  private:
    struct Part {
        int64_t m, n, batch;
        std::array<int64_t, 4> starts;  // of a, b, c and bias
        onednn::Operation operation;
    };

    static bool describe(const Product& p, onednn::Operation& operation) {
        const auto& dnnl = onednn::library();
        const auto layout = [&](int64_t rows, int64_t columns, Strides s, dnnl_data_type_t of) {
            if (p.batch == 1) return onednn::strided({rows, columns}, of, {s.row, s.column});
            if (s.batch == 0) return onednn::strided({1, rows, columns}, of, {rows * columns, s.row, s.column});
            return onednn::strided({p.batch, rows, columns}, of, {s.batch, s.row, s.column});
        };
        const auto a = layout(p.m, p.k, p.a.strides, dnnl_bf16), b = layout(p.k, p.n, p.b.strides, dnnl_bf16);
        const auto c = layout(p.m, p.n, p.c_strides, dnnl_f32);
        onednn::Layout bias;
        if (p.bias) {
            bias = p.batch == 1   ? onednn::strided({1, p.n}, dnnl_f32, {p.n, 1})
                   : p.bias_batch ? onednn::strided({p.batch, 1, p.n}, dnnl_f32, {p.bias_batch, p.n, 1})
                                  : onednn::strided({1, 1, p.n}, dnnl_f32, {p.n, p.n, 1});
        }
        const onednn::OneThread scope;
        dnnl_primitive_desc_t handle;
        if (dnnl.dnnl_matmul_primitive_desc_create(&handle, dnnl.engine, a.get(), b.get(), bias.get(), c.get(),
                                                   onednn::attributes().get()) != dnnl_success) {
            return false;
        }
        const onednn::Description description(handle);
        if (onednn::is_slow_reference(description)) return false;
        if (p.bias) {
            operation = {handle, {{DNNL_ARG_SRC, a.get()}, {DNNL_ARG_WEIGHTS, b.get()}, {DNNL_ARG_DST, c.get()},
                                  {DNNL_ARG_BIAS, bias.get()}}};
        } else {
            operation = {handle, {{DNNL_ARG_SRC, a.get()}, {DNNL_ARG_WEIGHTS, b.get()}, {DNNL_ARG_DST, c.get()}}};
        }
        return true;
    }

    static constexpr int64_t part_side = 128;  // rows or columns at least: fewer would read the other factor too often

    Product p_;
    std::vector<Part> parts_;
};

// Below so many multiplications the cost of a call to oneDNN, about 1 us, would show.
constexpr int64_t dnnl_least_work = 1 << 19;

// Products of float32 are our own on every processor: no slower than oneDNN's, and their bits do not depend on the number
// of threads. Those of bfloat16 are oneDNN's where the processor multiplies such numbers.
bool is_for_dnnl(const Product& p) {
    return p.type == Type::bf16 && has_bf16() && p.batch * p.m * p.n * p.k >= dnnl_least_work;
}

}  // namespace

Made make_matmul(Words& words) {
    const Product product = read_product(words);
    if (is_for_dnnl(product)) {
        if (auto made = DnnlProduct::make(product)) return made;
    }
    return std::make_unique<OwnProduct>(product);
}

}  // namespace preceptor
