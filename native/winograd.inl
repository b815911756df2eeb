// Winograd's transforms for windows of 3 x 3 and tiles of 4 x 4 results, F(4 x 4, 3 x 3) of Lavin and Gray (2016),
// https://arxiv.org/abs/1509.09308: with their matrices A, B and G, for each channel
//   y = A' ((G k G') * (B' x B)) A
// and, transposed, the gradient of k from that of y, dk = G' ((A dy A') * (B' x B)) G.
// Theirs belong to the points 0, 1, -1, 2, -2 (and infinity), which round ten times as badly as a plain sum (with 64
// channels an error of 1.7e-6 of the result's size, 1.6e-7 for the sum); ours, 0, 5/8, -5/8, 3/2, -3/2, half as badly
// as theirs (8e-7). A transform of a square is one of its columns, then one of their rows.

constexpr float point_a = 0.625f, point_b = 1.5f;
constexpr float a1 = point_a, a2 = a1 * a1, a3 = a2 * a1, b1 = point_b, b2 = b1 * b1, b3 = b2 * b1;
constexpr float scale_0 = 1 / (a2 * b2), scale_a = 1 / (2 * a2 * (a2 - b2)), scale_b = 1 / (2 * b2 * (b2 - a2));

struct WinogradData {  // B'
    static constexpr int in = 6, out = 6;
    static void run(const Vector x[6], Vector y[6]) {
        const Vector even_a = x[4] - b2 * x[2], odd_a = x[3] - b2 * x[1];
        const Vector even_b = x[4] - a2 * x[2], odd_b = x[3] - a2 * x[1];
        y[0] = a2 * b2 * x[0] + (x[4] - (a2 + b2) * x[2]);
        y[1] = even_a + a1 * odd_a;
        y[2] = even_a - a1 * odd_a;
        y[3] = even_b + b1 * odd_b;
        y[4] = even_b - b1 * odd_b;
        y[5] = a2 * b2 * x[1] + (x[5] - (a2 + b2) * x[3]);
    }
};

struct WinogradKernel {  // G
    static constexpr int in = 3, out = 6;
    static void run(const Vector x[3], Vector y[6]) {
        const Vector even_a = scale_a * (x[0] + a2 * x[2]), even_b = scale_b * (x[0] + b2 * x[2]);
        y[0] = scale_0 * x[0];
        y[1] = even_a + scale_a * a1 * x[1];
        y[2] = even_a - scale_a * a1 * x[1];
        y[3] = even_b + scale_b * b1 * x[1];
        y[4] = even_b - scale_b * b1 * x[1];
        y[5] = x[2];
    }
};

struct WinogradResult {  // A'
    static constexpr int in = 6, out = 4;
    static void run(const Vector x[6], Vector y[4]) {
        const Vector even_a = x[1] + x[2], odd_a = x[1] - x[2], even_b = x[3] + x[4], odd_b = x[3] - x[4];
        y[0] = x[0] + even_a + even_b;
        y[1] = a1 * odd_a + b1 * odd_b;
        y[2] = a2 * even_a + b2 * even_b;
        y[3] = a3 * odd_a + b3 * odd_b + x[5];
    }
};

struct WinogradResultGradient {  // A
    static constexpr int in = 4, out = 6;
    static void run(const Vector x[4], Vector y[6]) {
        const Vector even_a = x[0] + a2 * x[2], odd_a = x[1] + a2 * x[3];
        const Vector even_b = x[0] + b2 * x[2], odd_b = x[1] + b2 * x[3];
        y[0] = x[0];
        y[1] = even_a + a1 * odd_a;
        y[2] = even_a - a1 * odd_a;
        y[3] = even_b + b1 * odd_b;
        y[4] = even_b - b1 * odd_b;
        y[5] = x[3];
    }
};

struct WinogradKernelGradient {  // G'
    static constexpr int in = 6, out = 3;
    static void run(const Vector x[6], Vector y[3]) {
        const Vector even_a = scale_a * (x[1] + x[2]), even_b = scale_b * (x[3] + x[4]);
        y[0] = scale_0 * x[0] + even_a + even_b;
        y[1] = scale_a * a1 * (x[1] - x[2]) + scale_b * b1 * (x[3] - x[4]);
        y[2] = a2 * even_a + b2 * even_b + x[5];
    }
};

// Squares of in x in numbers to squares of out x out, `count` channels side by side: get(i) and put(i, value).
template <typename Transform, typename Get, typename Put>
inline void transform_square(Get get, Put put) {
    constexpr int in = Transform::in, out = Transform::out;
    Vector half[in][out];
#pragma GCC unroll 6
    for (int j = 0; j < in; ++j) {
        Vector column[in];
#pragma GCC unroll 6
        for (int i = 0; i < in; ++i) column[i] = get(i * in + j);
        Transform::run(column, half[j]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < out; ++i) {
        Vector row[in], result[out];
#pragma GCC unroll 6
        for (int j = 0; j < in; ++j) row[j] = half[j][i];
        Transform::run(row, result);
#pragma GCC unroll 6
        for (int j = 0; j < out; ++j) put(i * out + j, result[j]);
    }
}

inline void copy_rest(const float* from, float* to, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// From numbers at pointers to some that are `step` apart. The last channels, too few for a vector, go through the same
// instructions by way of a copy, so that a channel's numbers round alike wherever it stands: hence no second version.
template <typename Transform>
[[gnu::noipa]] void winograd_spread(const float* const* from, float* to, int64_t step, int64_t count) {
    constexpr int in = Transform::in * Transform::in, out = Transform::out * Transform::out;
    const float* x[in];
    for (int i = 0; i < in; ++i) x[i] = from[i];
    int64_t c = 0;
    for (; c + lanes <= count; c += lanes) {
        transform_square<Transform>([&](int i) { return load(x[i] + c); },
                                    [&](int i, Vector value) { store(value, to + i * step + c); });
    }
    if (c == count) return;
    float rest[in][lanes] = {}, result[out][lanes];
    for (int i = 0; i < in; ++i) {
        copy_rest(x[i] + c, rest[i], count - c);
        x[i] = rest[i];
    }
    winograd_spread<Transform>(x, result[0], lanes, lanes);
    for (int i = 0; i < out; ++i) copy_rest(result[i], to + i * step + c, count - c);
}

// From numbers that are `step` apart to some at pointers. Bias: one number a channel, or null.
template <typename Transform>
[[gnu::noipa]] void winograd_collect(const float* from, int64_t step, float* const* to, int64_t count,
                                     const float* bias, bool relu) {
    constexpr int in = Transform::in * Transform::in, out = Transform::out * Transform::out;
    float* y[out];
    for (int i = 0; i < out; ++i) y[i] = to[i];
    int64_t c = 0;
    for (; c + lanes <= count; c += lanes) {
        const Vector more = bias ? load(bias + c) : Vector{};
        transform_square<Transform>([&](int i) { return load(from + i * step + c); },
                                    [&](int i, Vector value) {
                                        value += more;
                                        store(relu ? (value > 0 ? value : Vector{}) : value, y[i] + c);
                                    });
    }
    if (c == count) return;
    float rest[in][lanes] = {}, rest_bias[lanes] = {}, result[out][lanes];
    float* at[out];
    for (int i = 0; i < in; ++i) copy_rest(from + i * step + c, rest[i], count - c);
    for (int i = 0; i < out; ++i) at[i] = result[i];
    if (bias) copy_rest(bias + c, rest_bias, count - c);
    winograd_collect<Transform>(rest[0], lanes, at, lanes, bias ? rest_bias : nullptr, relu);
    for (int i = 0; i < out; ++i) copy_rest(result[i], y[i] + c, count - c);
}

void winograd_kernel_gradient(const float* from, int64_t step, float* const* to, int64_t count) {
    winograd_collect<WinogradKernelGradient>(from, step, to, count, nullptr, false);
}
