// Winograd's transforms, F(7 - n x 7 - n, n x n) of Lavin and Gray (2016), https://arxiv.org/abs/1509.09308, for windows
// of n x n, n being 3 or 5: with their matrices A, B and G, for each channel
//   y = A' ((G k G') * (B' x B)) A
// and, transposed, the gradient of k from that of y, dk = G' ((A dy A') * (B' x B)) G.
// A and G take the values of a polynomial at six points, the last of them infinity. Lavin and Gray's, 0, 1, -1, 2, -2,
// round ten times as badly as a plain sum (3 x 3, 64 channels: an error of 1.7e-6 of the result's size, 1.6e-7 for the
// sum); ours half as badly as theirs (8e-7). A transform of a square is one of its columns, then one of their rows.

constexpr float point_a = 0.625f, point_b = 1.5f;  // the others: 0, their opposites, infinity
constexpr float a2 = point_a * point_a, b2 = point_b * point_b;
constexpr float scale_0 = 1 / (a2 * b2), scale_a = 1 / (2 * a2 * (a2 - b2)), scale_b = 1 / (2 * b2 * (b2 - a2));

constexpr float power(float base, int exponent) { return exponent == 0 ? 1 : base * power(base, exponent - 1); }

struct WinogradData {  // B'
    static constexpr int in = 6, out = 6;
    static void run(const Vector x[6], Vector y[6]) {
        const Vector even_a = x[4] - b2 * x[2], odd_a = point_a * (x[3] - b2 * x[1]);
        const Vector even_b = x[4] - a2 * x[2], odd_b = point_b * (x[3] - a2 * x[1]);
        y[0] = a2 * b2 * x[0] + (x[4] - (a2 + b2) * x[2]);
        y[1] = even_a + odd_a;
        y[2] = even_a - odd_a;
        y[3] = even_b + odd_b;
        y[4] = even_b - odd_b;
        y[5] = a2 * b2 * x[1] + (x[5] - (a2 + b2) * x[3]);
    }
};

// Values of a polynomial of n coefficients: A, and scaled G.
template <int n, bool scaled>
struct WinogradValues {
    static constexpr int in = n, out = 6;
    static void run(const Vector x[n], Vector y[6]) {
        y[0] = scaled ? scale_0 * x[0] : x[0];
        at(x, point_a, scaled ? scale_a : 1, y + 1);
        at(x, point_b, scaled ? scale_b : 1, y + 3);
        y[5] = x[n - 1];
    }
    static void at(const Vector x[n], float point, float scale, Vector y[2]) {  // and at its opposite
        Vector even = scale * x[0], odd = scale * point * x[1];
#pragma GCC unroll 6
        for (int i = 2; i < n; ++i) (i % 2 ? odd : even) += scale * power(point, i) * x[i];
        y[0] = even + odd;
        y[1] = even - odd;
    }
};

// The transpose: A', and scaled G'.
template <int n, bool scaled>
struct WinogradSums {
    static constexpr int in = 6, out = n;
    static void run(const Vector x[6], Vector y[n]) {
        const Vector even_a = x[1] + x[2], odd_a = x[1] - x[2], even_b = x[3] + x[4], odd_b = x[3] - x[4];
        constexpr float of_0 = scaled ? scale_0 : 1, of_a = scaled ? scale_a : 1, of_b = scaled ? scale_b : 1;
        y[0] = of_0 * x[0] + of_a * even_a + of_b * even_b;
#pragma GCC unroll 6
        for (int i = 1; i < n; ++i) {
            const float weight_a = of_a * power(point_a, i), weight_b = of_b * power(point_b, i);
            y[i] = i % 2 ? weight_a * odd_a + weight_b * odd_b : weight_a * even_a + weight_b * even_b;
        }
        y[n - 1] += x[5];
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
                                        store(relu ? (value <= 0 ? Vector{} : value) : value, y[i] + c);
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

// Those for windows of n x n.
template <int n>
constexpr WinogradTransforms winograd_transforms = {
    winograd_spread<WinogradValues<n, true>>,
    winograd_spread<WinogradValues<7 - n, false>>,
    winograd_collect<WinogradSums<7 - n, false>>,
    winograd_collect<WinogradSums<n, true>>,
};
