// "convolution": role (0 forward, 1 gradient of the input, 2 of the kernel), axes of space, batch, groups, channels in,
// channels out, then for each axis: input lengths, output lengths, sizes, strides, padding before, dilations; type,
// first ref, second ref, result ref, bias ref, activation (0 none, 1 relu), ref of an array that is added before it, bits
// of the limit (0 none). Our own or oneDNN's, as in product.cpp.
#include <algorithm>
#include <memory>
#include <optional>

#include "convolution.h"
#include "instruction.h"
#include "onednn.h"
#include "threads.h"
#include "widen.h"
#include "winograd.h"

namespace preceptor {

namespace {

struct Description {
    Role role;
    int axes;
    Convolution shape;
    Type type;
    Ref first, second, result, bias, beside;
    bool relu;
    float limit;
};

Description read_convolution(Words& words) {
    Description d;
    d.role = static_cast<Role>(words.next());
    d.axes = words.narrow();
    if (d.axes < 1 || d.axes > 3) throw std::invalid_argument("convolution: space has one to three axes");
    Convolution& c = d.shape;
    c.batch = words.next();
    c.groups = words.next();
    c.channels_in = words.next();
    c.channels_out = words.next();
    c.in = c.out = c.size = c.stride = c.dilation = {1, 1, 1};
    c.before = {0, 0, 0};
    for (auto* each : {&c.in, &c.out, &c.size, &c.stride, &c.before, &c.dilation}) {
        for (int axis = 3 - d.axes; axis < 3; ++axis) (*each)[static_cast<size_t>(axis)] = words.next();
    }
    d.type = static_cast<Type>(words.next());
    d.first = words.ref();
    d.second = words.ref();
    d.result = words.ref();
    d.bias = words.ref();
    d.relu = words.flag();
    d.beside = words.ref();
    d.limit = words.real();
    words.finish();
    if (d.type != Type::f32 && d.type != Type::bf16) {
        throw std::invalid_argument("convolution: f32 or bf16 is required");
    }
    if (c.groups < 1 || c.channels_in % c.groups || c.channels_out % c.groups) {
        throw std::invalid_argument("convolution: channels must be a multiple of the groups");
    }
    for (size_t axis = 0; axis < 3; ++axis) {
        if (c.size[axis] < 1 || c.stride[axis] < 1 || c.dilation[axis] < 1 || c.in[axis] < 0 || c.out[axis] < 0) {
            throw std::invalid_argument("convolution: sizes, strides and dilations are at least 1, lengths at least 0");
        }
    }
    return d;
}

Ending ending_of(const Description& d, const Context& context) {
    return {d.bias ? context.at<float>(d.bias) : nullptr, d.beside ? context.at<float>(d.beside) : nullptr, d.relu,
            d.limit};
}

// What a method has left to be done to its numbers.
void end(const Ending& ending, float* result, int64_t count, int threads) {
    if (!ending.beside && ending.limit == 0) return;
    constexpr int64_t chunk = 1 << 13;
    for_each_index(divide_up(count, chunk), count <= 1 << 17 ? 1 : threads, [&](int64_t index, int) {
        const int64_t i = index * chunk, length = std::min(chunk, count - i);
        if (ending.beside) kernels().add(ending.beside + i, result + i, length);
        if (ending.relu) kernels().rectify(result + i, length);
        if (ending.limit > 0) kernels().limit(result + i, length, ending.limit);
    });
}

class OwnConvolution : public Instruction {
  public:
    // Halves: Winograd's transformed numbers are multiplied in bfloat16.
    OwnConvolution(const Description& d, bool halves) : d_(d) {
        if (halves || Winograd::is_for(d.shape, d.role)) {
            method_ = std::make_unique<Winograd>(d.shape, d.role, halves);
        } else if (SinglePlaces::is_for(d.shape, d.role) && !d.beside && d.limit == 0) {
            method_ = std::make_unique<SinglePlaces>(d.shape, d.role);
        } else if (DepthwiseGradient::is_for(d.shape, d.role)) {
            method_ = std::make_unique<DepthwiseGradient>(d.shape);
        } else if (PhasedGradient::is_for(d.shape, d.role)) {
            method_ = std::make_unique<PhasedGradient>(d.shape);
        } else if (ScatteredProduct::is_for(d.shape, d.role)) {
            method_ = std::make_unique<ScatteredProduct>(d.shape);
        } else {
            method_ = std::make_unique<WindowedProduct>(d.shape, d.role);
        }
        if (d.type == Type::f32) return;
        const Convolution& c = d.shape;
        const int64_t inputs = c.batch * c.in_space() * c.channels_in;
        const int64_t outputs = c.batch * c.out_space() * c.channels_out;
        // Halves are widened as they are copied, but for the kernel.
        if (!halves) wide_first_.emplace(1, 1, d.role == Role::input ? outputs : inputs, Strides{0, 0, 1});
        if (!halves || d.role != Role::kernel) {
            wide_second_.emplace(1, 1, d.role == Role::kernel ? outputs : c.kernel_count(), Strides{0, 0, 1});
        }
    }

    void run(const Context& context) const override {
        char* scratch = context.scratch;
        const auto get = [&](const std::optional<Widened>& wide, Ref ref) -> const float* {
            return wide ? wide->run(context, ref, scratch) : context.at<float>(ref);
        };
        const float* first = get(wide_first_, d_.first);
        const float* second = get(wide_second_, d_.second);
        Ending ending = ending_of(d_, context), own = ending;
        if (!method_->ends_itself()) own = {ending.bias, nullptr, ending.relu && !ending.beside, 0};
        auto* const result = context.at<float>(d_.result);
        method_->run(first, second, result, own, context.threads, scratch);
        if (method_->ends_itself()) return;
        ending.bias = nullptr;
        end(ending, result, d_.shape.batch * d_.shape.out_space() * d_.shape.channels_out, context.threads);
    }
    size_t scratch_bytes(int threads) const override {
        return (wide_first_ ? wide_first_->bytes() : 0) + (wide_second_ ? wide_second_->bytes() : 0) +
               method_->scratch_bytes(threads);
    }

  private:
    Description d_;
    std::unique_ptr<OwnMethod> method_;
    std::optional<Widened> wide_first_, wide_second_;
};

// Shapes and strides as oneDNN names them: (batch, channel, *space), whatever the order in memory.
struct Axes {
    std::vector<int64_t> shape, strides;
};

Axes activations(const Description& d, int64_t channels, const Convolution::Space& space) {
    Axes axes{{d.shape.batch, channels}, {space[0] * space[1] * space[2] * channels, 1}};
    int64_t stride = channels * space[0] * space[1] * space[2];
    for (int axis = 3 - d.axes; axis < 3; ++axis) {
        stride /= space[static_cast<size_t>(axis)];
        axes.shape.push_back(space[static_cast<size_t>(axis)]);
        axes.strides.push_back(stride);
    }
    return axes;
}

Axes kernel_axes(const Description& d) {
    const Convolution& c = d.shape;
    Axes axes{{c.group_out(), c.group_in()}, {1, c.channels_out}};
    if (c.groups > 1) axes = {{c.groups, c.group_out(), c.group_in()}, {c.group_out(), 1, c.channels_out}};
    int64_t stride = c.group_in() * c.channels_out * c.taps();
    for (int axis = 3 - d.axes; axis < 3; ++axis) {
        stride /= c.size[static_cast<size_t>(axis)];
        axes.shape.push_back(c.size[static_cast<size_t>(axis)]);
        axes.strides.push_back(stride);
    }
    return axes;
}

// Of bfloat16. In equal parts of the batch, whose number depends on the shape alone, each computed by one thread; what
// they give to the kernel's gradient is summed in order.
class DnnlConvolution : public Instruction {
  public:
    static Made make(const Description& whole) {  // null where oneDNN has no fast kernel for it
        Description d = whole;
        int64_t most = onednn::most_parts;
        if (d.role == Role::kernel) most = std::clamp<int64_t>(sums_most / d.shape.kernel_count(), 4, most);
        d.shape.batch = 1;
        while (whole.shape.batch % d.shape.batch != 0 || whole.shape.batch / d.shape.batch > most) ++d.shape.batch;
        auto made = std::make_unique<DnnlConvolution>();
        made->d_ = d;
        return made->describe(d, whole.shape.batch / d.shape.batch) ? std::move(made) : nullptr;
    }

    void run(const Context& context) const override {
        const auto *first = context.at<uint16_t>(d_.first), *second = context.at<uint16_t>(d_.second);
        auto* const result = context.at<float>(d_.result);
        const auto* const bias = d_.bias ? context.at<float>(d_.bias) : nullptr;
        const Convolution& c = d_.shape;
        const int64_t inputs = c.batch * c.in_space() * c.channels_in, outputs = c.batch * c.out_space() * c.channels_out;
        const auto parts = static_cast<int64_t>(parts_.size());
        char* const own = context.scratch + shared_bytes();
        if (d_.role == Role::kernel) {
            auto* const sums = reinterpret_cast<float*>(context.scratch);
            const int64_t step = static_cast<int64_t>(kernel_bytes_ / sizeof(float));
            const auto sum = [&](int64_t part) { return reorder_ ? sums + part * step
                                                 : part == 0     ? result
                                                                 : sums + (part - 1) * step; };
            for_each_index(parts, context.threads, [&](int64_t i, int thread) {
                parts_[static_cast<size_t>(i)].run({first + i * inputs, second + i * outputs, sum(i)},
                                                   own + each_bytes() * static_cast<size_t>(thread));
            });
            if (parts > 1) add_partials(sum(1), step, parts - 1, sum(0), step_count_, context.threads);
            if (reorder_) reorder_->run({sums, result}, own);
            return;
        }
        const void* kernel = second;
        if (reorder_) {
            reorder_->run({second, context.scratch}, own);
            kernel = context.scratch;
        }
        const bool forward = d_.role == Role::forward;
        const int64_t from_step = forward ? inputs : outputs, to_step = forward ? outputs : inputs;
        for_each_index(parts, context.threads, [&](int64_t i, int thread) {
            const onednn::Operation& part = parts_[static_cast<size_t>(i)];
            char* const scratch = own + each_bytes() * static_cast<size_t>(thread);
            if (bias) {
                part.run({first + i * from_step, kernel, result + i * to_step, bias}, scratch);
            } else {
                part.run({first + i * from_step, kernel, result + i * to_step}, scratch);
            }
            if (d_.relu && !d_.beside) kernels().rectify(result + i * to_step, to_step);
        });
        Ending rest = ending_of(d_, context);
        rest.bias = nullptr;
        end(rest, result, parts * to_step, context.threads);
    }
    size_t scratch_bytes(int threads) const override {
        return shared_bytes() + each_bytes() * static_cast<size_t>(threads);
    }

  private:
    bool describe(const Description& d, int64_t parts) {
        const auto& dnnl = onednn::library();
        const onednn::OneThread scope;
        const Convolution& c = d.shape;
        const bool forward = d.role == Role::forward;
        const auto x = activations(d, c.channels_in, c.in), y = activations(d, c.channels_out, c.out);
        const auto kernel = kernel_axes(d);
        const auto x_layout = onednn::strided(x.shape, d.role == Role::input ? dnnl_f32 : dnnl_bf16, x.strides);
        const auto y_layout = onednn::strided(y.shape, forward ? dnnl_f32 : dnnl_bf16, y.strides);
        const auto kernel_type = d.role == Role::kernel ? dnnl_f32 : dnnl_bf16;
        const auto any = onednn::any_layout(kernel.shape, kernel_type);
        const auto plain = onednn::strided(kernel.shape, kernel_type, kernel.strides);
        onednn::Layout bias;
        if (d.bias) bias = onednn::strided({c.channels_out}, dnnl_f32, {1});

        std::vector<int64_t> strides, dilations, before, after;
        for (size_t axis = static_cast<size_t>(3 - d.axes); axis < 3; ++axis) {
            const int64_t reach = (c.out[axis] - 1) * c.stride[axis] + (c.size[axis] - 1) * c.dilation[axis] + 1;
            strides.push_back(c.stride[axis]);
            dilations.push_back(c.dilation[axis] - 1);  // oneDNN counts the numbers left out
            before.push_back(c.before[axis]);
            after.push_back(std::max<int64_t>(reach - c.in[axis] - c.before[axis], 0));
        }
        const auto attributes = onednn::attributes();
        const auto describe_forward = [&](const onednn::Layout& from, const onednn::Layout& weights,
                                          const onednn::Layout& to) {
            dnnl_primitive_desc_t handle = nullptr;
            dnnl.dnnl_convolution_forward_primitive_desc_create(
                &handle, dnnl.engine, forward ? dnnl_forward_inference : dnnl_forward_training,
                dnnl_convolution_direct, from.get(), weights.get(), bias.get(), to.get(), strides.data(),
                dilations.data(), before.data(), after.data(), attributes.get());
            return onednn::Description(handle);
        };
        onednn::Description description;
        if (forward) {
            description = describe_forward(x_layout, any, y_layout);
        } else {
            // Gradients ask for the forward kernel that they belong to, all of it in the type of the factors.
            const onednn::Description hint =
                describe_forward(onednn::strided(x.shape, dnnl_bf16, x.strides),
                                 onednn::any_layout(kernel.shape, dnnl_bf16), y_layout);
            if (!hint) return false;
            dnnl_primitive_desc_t handle = nullptr;
            if (d.role == Role::input) {
                dnnl.dnnl_convolution_backward_data_primitive_desc_create(
                    &handle, dnnl.engine, dnnl_convolution_direct, x_layout.get(), any.get(), y_layout.get(),
                    strides.data(), dilations.data(), before.data(), after.data(), hint.get(), attributes.get());
            } else {
                dnnl.dnnl_convolution_backward_weights_primitive_desc_create(
                    &handle, dnnl.engine, dnnl_convolution_direct, x_layout.get(), any.get(), nullptr, y_layout.get(),
                    strides.data(), dilations.data(), before.data(), after.data(), hint.get(), attributes.get());
            }
            description.reset(handle);
        }
        if (!description || onednn::is_slow_reference(description)) return false;

        const auto which = d.role == Role::kernel ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
        const auto preferred = onednn::layout_of(description, which);
        const size_t bytes = dnnl.dnnl_memory_desc_get_size(preferred);
        kernel_bytes_ = (bytes + 63) / 64 * 64;
        step_count_ = static_cast<int64_t>(bytes / sizeof(float));
        if (!dnnl.dnnl_memory_desc_equal(preferred, plain.get())) {
            reorder_ = d.role == Role::kernel ? onednn::reorder(preferred, plain.get())
                                              : onednn::reorder(plain.get(), preferred);
        }
        for (int64_t i = 0; i < parts; ++i) {
            if (d.role == Role::input) {
                parts_.push_back({description.get(), {{DNNL_ARG_DIFF_DST, y_layout.get()}, {DNNL_ARG_WEIGHTS, preferred},
                                                      {DNNL_ARG_DIFF_SRC, x_layout.get()}}});
            } else if (d.role == Role::kernel) {
                parts_.push_back({description.get(), {{DNNL_ARG_SRC, x_layout.get()}, {DNNL_ARG_DIFF_DST, y_layout.get()},
                                                      {DNNL_ARG_DIFF_WEIGHTS, preferred}}});
            } else if (d.bias) {
                parts_.push_back({description.get(), {{DNNL_ARG_SRC, x_layout.get()}, {DNNL_ARG_WEIGHTS, preferred},
                                                      {DNNL_ARG_DST, y_layout.get()}, {DNNL_ARG_BIAS, bias.get()}}});
            } else {
                parts_.push_back({description.get(), {{DNNL_ARG_SRC, x_layout.get()}, {DNNL_ARG_WEIGHTS, preferred},
                                                      {DNNL_ARG_DST, y_layout.get()}}});
            }
        }
        return true;
    }

    // Kernels in oneDNN's layout, at the start of the scratch memory: the given one, or the sums of its gradient save the
    // first where that is the result itself.
    size_t shared_bytes() const {
        if (d_.role == Role::kernel) return kernel_bytes_ * (parts_.size() - (reorder_ ? 0 : 1));
        return reorder_ ? kernel_bytes_ : 0;
    }
    size_t each_bytes() const {
        const size_t most = std::max(parts_[0].scratch_bytes(), reorder_ ? reorder_->scratch_bytes() : 0);
        return (most + 63) / 64 * 64;
    }

    static constexpr int64_t sums_most = 1 << 22;  // numbers (16 MiB) of all sums of the kernel's gradient

    Description d_;  // of one part
    std::vector<onednn::Operation> parts_;
    std::optional<onednn::Operation> reorder_;
    size_t kernel_bytes_ = 0;
    int64_t step_count_ = 0;  // numbers of a kernel in oneDNN's layout
};

// As products are: of float32 our own, of bfloat16 oneDNN's where the processor multiplies it.
bool is_for_dnnl(const Description& d) {
    const Convolution& c = d.shape;
    const int64_t work = c.batch * c.out_space() * c.taps() * c.group_in() * c.channels_out;
    return d.type == Type::bf16 && has_bf16() && work > 0 && c.in_space() > 0;
}

}  // namespace

Made make_convolution(Words& words) {
    const Description description = read_convolution(words);
    const bool for_dnnl = is_for_dnnl(description);
    // Measured: Winograd's take 0.5 to 0.9 of oneDNN's time.
    const bool halves = for_dnnl && has_halves() && Winograd::is_for_halves(description.shape, description.role);
    if (for_dnnl && !halves) {
        if (auto made = DnnlConvolution::make(description)) return made;
    }
    return std::make_unique<OwnConvolution>(description, halves);
}

}  // namespace preceptor
