// "matmul": batch, m, n, k, type, A ref, its batch, row and column strides, B ref, its strides, C ref, its batch
// stride, bias ref, activation (0 none, 1 relu). Our own, save those of bfloat16 on processors that multiply it: oneDNN's.
#include <algorithm>
#include <optional>

#include "gemm.h"
#include "instruction.h"
#include "onednn.h"
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

class DnnlProduct : public Instruction {
  public:
    static Made make(const Product& p) {  // null where oneDNN has no kernel for it
        const auto& dnnl = onednn::library();
        const auto type = p.type == Type::bf16 ? dnnl_bf16 : dnnl_f32;
        const auto layout = [&](int64_t rows, int64_t columns, Strides s, dnnl_data_type_t of) {
            if (p.batch == 1) return onednn::strided({rows, columns}, of, {s.row, s.column});
            if (s.batch == 0) return onednn::strided({1, rows, columns}, of, {rows * columns, s.row, s.column});
            return onednn::strided({p.batch, rows, columns}, of, {s.batch, s.row, s.column});
        };
        const auto a = layout(p.m, p.k, p.a.strides, type), b = layout(p.k, p.n, p.b.strides, type);
        const auto c = layout(p.m, p.n, p.c_strides, dnnl_f32);
        onednn::Layout bias;
        if (p.bias) {
            bias = p.batch == 1   ? onednn::strided({1, p.n}, dnnl_f32, {p.n, 1})
                   : p.bias_batch ? onednn::strided({p.batch, 1, p.n}, dnnl_f32, {p.bias_batch, p.n, 1})
                                  : onednn::strided({1, 1, p.n}, dnnl_f32, {p.n, p.n, 1});
        }
        dnnl_primitive_desc_t handle;
        const auto attributes = onednn::attributes(p.relu);
        if (dnnl.dnnl_matmul_primitive_desc_create(&handle, dnnl.engine, a.get(), b.get(), bias.get(), c.get(),
                                                   attributes.get()) != dnnl_success) {
            return nullptr;
        }
        const onednn::Description description(handle);
        if (onednn::is_slow_reference(description)) return nullptr;
        auto made = std::make_unique<DnnlProduct>();
        made->p_ = p;
        if (p.bias) {
            made->operation_ = {handle, {{DNNL_ARG_SRC, a.get()}, {DNNL_ARG_WEIGHTS, b.get()}, {DNNL_ARG_DST, c.get()},
                                         {DNNL_ARG_BIAS, bias.get()}}};
        } else {
            made->operation_ = {handle, {{DNNL_ARG_SRC, a.get()}, {DNNL_ARG_WEIGHTS, b.get()},
                                         {DNNL_ARG_DST, c.get()}}};
        }
        return made;
    }

    void run(const Context& context) const override {
        const auto *a = context.at<void>(p_.a.ref), *b = context.at<void>(p_.b.ref), *c = context.at<void>(p_.c);
        if (p_.bias) {
            operation_.run({a, b, c, context.at<void>(p_.bias)}, context.scratch);
        } else {
            operation_.run({a, b, c}, context.scratch);
        }
    }
    size_t scratch_bytes(int) const override { return operation_.scratch_bytes(); }

  private:
    Product p_;
    onednn::Operation operation_;
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
