// Winograd's transforms, F(7 - n x 7 - n, n x n) of Lavin and Gray (2016), https://arxiv.org/abs/1509.09308, for windows
// of n x n, n being 3 or 5: with their matrices A, B and G, for each channel
//   y = A' ((G k G') * (B' x B)) A
// and, transposed, the gradient of k from that of y, dk = G' ((A dy A') * (B' x B)) G.
// A and G take the values of a polynomial at six points, one of them infinity. Lavin and Gray's, 0, 1, -1, 2, -2,
// round ten times as badly as a plain sum (3 x 3, 64 channels: an error of 1.7e-6 of the result's size, 1.6e-7 for the
// sum); ours half as badly as theirs (8e-7). A transform of a square is one of its columns, then one of their rows.
//
// A tile that reaches beyond an edge has m < 7 - n results along an axis, for which m + n - 1 of the points are enough: those
// that come first. A and G are the same for them but for the rows that are left out; B is what they ask for. Of all orders
// ours has about the smallest errors, below those of whole tiles.

constexpr float point_a = 0.625f, point_b = 1.5f;  // the points: a, -a, infinity, b, -b, 0
constexpr float a2 = point_a * point_a, b2 = point_b * point_b;
constexpr float scale_0 = 1 / (a2 * b2), scale_a = 1 / (2 * a2 * (a2 - b2)), scale_b = 1 / (2 * b2 * (b2 - a2));

constexpr float power(float base, int exponent) { return exponent == 0 ? 1 : base * power(base, exponent - 1); }

// B' for so many points.
template <int points>
struct WinogradData;

template <>
struct WinogradData<6> {
    static constexpr int in = 6, out = 6, side = 6;
    static void run(const Vector x[6], Vector y[6]) {
        const Vector even_a = x[4] - b2 * x[2], odd_a = point_a * (x[3] - b2 * x[1]);
        const Vector even_b = x[4] - a2 * x[2], odd_b = point_b * (x[3] - a2 * x[1]);
        y[0] = even_a + odd_a;
        y[1] = even_a - odd_a;
        y[2] = a2 * b2 * x[1] + (x[5] - (a2 + b2) * x[3]);
        y[3] = even_b + odd_b;
        y[4] = even_b - odd_b;
        y[5] = a2 * b2 * x[0] + (x[4] - (a2 + b2) * x[2]);
    }
};

template <>
struct WinogradData<5> {
    static constexpr int in = 5, out = 5, side = 6;
    static void run(const Vector x[5], Vector y[5]) {
        const Vector even_a = a2 * (x[2] - b2 * x[0]), odd_a = point_a * (x[3] - b2 * x[1]);
        const Vector even_b = b2 * (x[2] - a2 * x[0]), odd_b = point_b * (x[3] - a2 * x[1]);
        y[0] = even_a + odd_a;
        y[1] = even_a - odd_a;
        y[2] = a2 * b2 * x[0] + (x[4] - (a2 + b2) * x[2]);
        y[3] = even_b + odd_b;
        y[4] = even_b - odd_b;
    }
};

template <>
struct WinogradData<4> {
    static constexpr int in = 4, out = 4, side = 6;
    static void run(const Vector x[4], Vector y[4]) {
        constexpr float sum = point_a + point_b, difference = point_a - point_b, product = point_a * point_b;
        y[0] = point_a * sum * (x[2] + (difference * x[1] - product * x[0]));
        y[1] = point_a * difference * (x[2] + (product * x[0] - sum * x[1]));
        y[2] = (x[3] - point_b * x[2]) + a2 * (point_b * x[0] - x[1]);
        y[3] = 2 * b2 * (x[2] - a2 * x[0]);
    }
};

template <>
struct WinogradData<3> {
    static constexpr int in = 3, out = 3, side = 6;
    static void run(const Vector x[3], Vector y[3]) {
        const Vector even = a2 * (a2 - b2) * x[0], odd = point_a * (a2 - b2) * x[1];
        y[0] = even + odd;
        y[1] = even - odd;
        y[2] = x[2] - a2 * x[0];
    }
};

// Values of a polynomial of n coefficients at the first points: A, and scaled G.
template <int n, int points, bool scaled>
struct WinogradValues {
    static constexpr int in = n, out = points, side = 6;
    static void run(const Vector x[n], Vector y[points]) {
        at(x, point_a, scaled ? scale_a : 1, y, y + 1);
        y[2] = x[n - 1];
        Vector opposite;
        if constexpr (points > 3) at(x, point_b, scaled ? scale_b : 1, y + 3, points > 4 ? y + 4 : &opposite);
        if constexpr (points > 5) y[5] = scaled ? scale_0 * x[0] : x[0];
    }
    static void at(const Vector x[n], float point, float scale, Vector* value, Vector* opposite) {
        Vector even = scale * x[0], odd{};
        if constexpr (n > 1) odd = scale * point * x[1];
#pragma GCC unroll 6
        for (int i = 2; i < n; ++i) (i % 2 ? odd : even) += scale * power(point, i) * x[i];
        *value = even + odd;
        *opposite = even - odd;
    }
};

// The transpose: A', and scaled G'.
template <int n, int points, bool scaled>
struct WinogradSums {
    static constexpr int in = points, out = n, side = 6;
    static void run(const Vector x[points], Vector y[n]) {
        constexpr float of_0 = scaled ? scale_0 : 1, of_a = scaled ? scale_a : 1, of_b = scaled ? scale_b : 1;
        const Vector even_a = x[0] + x[1], odd_a = x[0] - x[1];
        Vector even_b{}, odd_b{};
        if constexpr (points == 4) even_b = odd_b = x[3];
        if constexpr (points > 4) even_b = x[3] + x[4], odd_b = x[3] - x[4];
        y[0] = of_a * even_a;
        if constexpr (points > 3) y[0] += of_b * even_b;
        if constexpr (points > 5) y[0] += of_0 * x[5];
#pragma GCC unroll 6
        for (int i = 1; i < n; ++i) {
            y[i] = of_a * power(point_a, i) * (i % 2 ? odd_a : even_a);
            if constexpr (points > 3) y[i] += of_b * power(point_b, i) * (i % 2 ? odd_b : even_b);
        }
        y[n - 1] += x[2];
    }
};

// Windows of 3 x 3 two apart. Along an axis y[i] = k[0] x[2i] + k[1] x[2i + 1] + k[2] x[2i + 2]: of the even numbers a
// convolution by two taps, whose 4 results take 5 multiplications, by values of polynomials at five points; the odd ones
// times a number take 4. So 4 x 4 results take 81 multiplications where the plain sum has 144, by 6 x 6 transformed numbers
// of the kernel: k[1] is of all four odd positions. Of the points tried these have the smallest error, 0.9 to 1.7 times that of
// the plain sum; of the others 1/2, 3/2 has 1.1 times theirs, and 1.7 times at the last of 4 results.
constexpr float near = 0.4375f, far = 1.25f;  // the others: their opposites, infinity
constexpr float near2 = near * near, far2 = far * far;
constexpr float scale_near = 1 / (2 * near * (near2 - far2)), scale_far = 1 / (2 * far * (far2 - near2));

// Of five numbers, each given by a function so that they may lie apart.
template <class Numbers>
inline void apart_data(const Numbers& x, Vector y[5]) {
    const Vector even_near = near * (x(2) - far2 * x(0)), odd_near = x(3) - far2 * x(1);
    const Vector even_far = far * (x(2) - near2 * x(0)), odd_far = x(3) - near2 * x(1);
    y[0] = even_near + odd_near;
    y[1] = even_near - odd_near;
    y[2] = even_far + odd_far;
    y[3] = even_far - odd_far;
    y[4] = near2 * far2 * x(0) + (x(4) - (near2 + far2) * x(2));
}

inline void apart_sums(const Vector x[5], Vector y[4]) {
    const Vector even_near = x[0] + x[1], odd_near = x[0] - x[1], even_far = x[2] + x[3], odd_far = x[2] - x[3];
    y[0] = even_near + even_far;
    y[1] = near * odd_near + far * odd_far;
    y[2] = near2 * even_near + far2 * even_far;
    y[3] = near2 * near * odd_near + (far2 * far * odd_far + x[4]);
}

struct ApartData {
    static constexpr int in = 9, out = 9, side = 9;
    static void run(const Vector x[9], Vector y[9]) {
        apart_data([&](int i) { return x[2 * i]; }, y);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) y[5 + i] = x[2 * i + 1];
    }
};

struct ApartKernel {
    static constexpr int in = 3, out = 6, side = 6;
    static void run(const Vector x[3], Vector y[6]) {
        const Vector even_near = scale_near * x[0], odd_near = scale_near * near * x[2];
        const Vector even_far = scale_far * x[0], odd_far = scale_far * far * x[2];
        y[0] = even_near + odd_near;
        y[1] = even_near - odd_near;
        y[2] = even_far + odd_far;
        y[3] = even_far - odd_far;
        y[4] = x[2];
        y[5] = x[1];
    }
};

struct ApartResult {
    static constexpr int in = 9, out = 4, side = 9;
    static void run(const Vector x[9], Vector y[4]) {
        apart_sums(x, y);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) y[i] += x[5 + i];
    }
};

struct ApartResultGradient {
    static constexpr int in = 4, out = 9, side = 9;
    static void run(const Vector x[4], Vector y[9]) {
        const Vector even_near = x[0] + near2 * x[2], odd_near = near * x[1] + near2 * near * x[3];
        const Vector even_far = x[0] + far2 * x[2], odd_far = far * x[1] + far2 * far * x[3];
        y[0] = even_near + odd_near;
        y[1] = even_near - odd_near;
        y[2] = even_far + odd_far;
        y[3] = even_far - odd_far;
        y[4] = x[3];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) y[5 + i] = x[i];
    }
};

struct ApartKernelGradient {
    static constexpr int in = 6, out = 3, side = 6;
    static void run(const Vector x[6], Vector y[3]) {
        y[0] = scale_near * (x[0] + x[1]) + scale_far * (x[2] + x[3]);
        y[1] = x[5];
        y[2] = scale_near * near * (x[0] - x[1]) + (scale_far * far * (x[2] - x[3]) + x[4]);
    }
};

// The gradient of the input: 8 numbers from 5 of g, every other one by two taps and those between by one. Which come first
// hangs on whether the padding is odd.
template <int odd>
struct ApartInputData {
    static constexpr int in = 5, out = 9, side = 9;
    static void run(const Vector x[5], Vector y[9]) {
        apart_data([&](int i) { return x[i]; }, y);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) y[5 + i] = x[i + 1 - odd];
    }
};

template <int odd>
struct ApartInputResult {
    static constexpr int in = 9, out = 8, side = 9;
    static void run(const Vector x[9], Vector y[8]) {
        Vector two[4];
        apart_sums(x, two);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            y[2 * i + odd] = two[i];
            y[2 * i + 1 - odd] = x[5 + i];
        }
    }
};

// How transformed numbers are kept: as they are; or rounded to bfloat16, neighbouring channels of a row side by side, or two
// rows in one.
enum class Stored { numbers, channels, pairs };

template <Stored stored>
inline void keep(Vector value, float* to, [[maybe_unused]] bool upper) {
#if PRECEPTOR_HALVES
    typedef uint16_t Halves __attribute__((vector_size(2 * lanes)));
    typedef uint32_t Bits __attribute__((vector_size(4 * lanes)));
    const auto halves = reinterpret_cast<Halves>(_mm512_cvtneps_pbh(value));
    if constexpr (stored == Stored::channels) {
        std::memcpy(to, &halves, sizeof halves);
        return;
    } else if constexpr (stored == Stored::pairs) {
        Bits wide = __builtin_convertvector(halves, Bits);
        if (upper) wide = wide << 16 | reinterpret_cast<Bits>(load(to));
        store(reinterpret_cast<Vector>(wide), to);
        return;
    }
#endif
    store(value, to);
}

// Loops over columns and rows are not unrolled: what lies between the two fills more registers than there are.
// Transformed numbers lie in rows of `side`, of which a tile beyond an edge has the first few. Down transforms columns, Along
// the rows of what they become.
template <typename Down, typename Along, Stored stored = Stored::numbers>
[[gnu::noipa]] void winograd_spread(const float* from, const Squares& at, int64_t squares, int64_t count, float* to,
                                    int64_t step, int64_t row) {
    const int64_t from_row = at.row, from_column = at.column, from_square = at.square;
    bool upper = at.place % 2 != 0;
    for (; squares > 0; --squares, from += from_square) {
        for (int64_t c = 0; c < count; c += lanes) {
            Vector half[Along::in][Down::out];
            const float* x = from + c;
#pragma GCC unroll 1
            for (int j = 0; j < Along::in; ++j, x += from_column) {
                Vector column[Down::in];
#pragma GCC unroll 9
                for (int i = 0; i < Down::in; ++i) column[i] = load(x + i * from_row);
                Down::run(column, half[j]);
            }
            float* y = to + (stored == Stored::channels ? c / 2 : c);
#pragma GCC unroll 1
            for (int i = 0; i < Down::out; ++i, y += Along::side * step) {
                Vector line[Along::in], result[Along::out];
#pragma GCC unroll 9
                for (int j = 0; j < Along::in; ++j) line[j] = half[j][i];
                Along::run(line, result);
#pragma GCC unroll 9
                for (int j = 0; j < Along::out; ++j) keep<stored>(result[j], y + j * step, upper);
            }
        }
        if (stored != Stored::pairs || upper) to += row;
        upper = !upper;
    }
}

// The numbers between are whole vectors; of the results the last channels are written in part.
template <typename Down, typename Along>
[[gnu::noipa]] void winograd_collect(const float* from, int64_t step, int64_t row, const SquareResults& r) {
    constexpr int out = Along::out;
    const int64_t to_column = r.at.column;
    const bool plain = !r.bias && !r.beside && !r.relu && r.limit == 0;
    const Vector top = Vector{} + r.limit;
    for (int64_t square = 0; square < r.squares; ++square, from += row) {
        const int64_t columns = square + 1 < r.squares ? out : r.last_columns;
        for (int64_t c = 0; c < r.count; c += lanes) {
            Vector half[Along::in][Down::out];
            const float* x = from + c;
#pragma GCC unroll 1
            for (int j = 0; j < Along::in; ++j, x += step) {
                Vector column[Down::in];
#pragma GCC unroll 9
                for (int i = 0; i < Down::in; ++i) column[i] = load(x + i * Along::side * step);
                Down::run(column, half[j]);
            }
            int64_t place = square * r.at.square + c;
#pragma GCC unroll 1
            for (int64_t i = 0; i < r.rows; ++i, place += r.at.row) {
                Vector line[Along::in], result[out];
#pragma GCC unroll 9
                for (int j = 0; j < Along::in; ++j) line[j] = half[j][i];
                Along::run(line, result);
                float* const y = r.to + place;
                if (plain && columns == out && c + lanes <= r.count) {
#pragma GCC unroll 9
                    for (int j = 0; j < out; ++j) {
                        store(result[j], y + j * to_column);
                        __builtin_prefetch(y + r.at.square + j * to_column, 1);
                    }
                    continue;
                }
                for (int64_t j = 0; j < columns; ++j) {
                    const auto finish = [&](auto lane) {
                        Vector value = result[j];
                        if (r.bias) value += lane.get(r.bias + c);
                        if (r.beside) value += lane.get(r.beside + place + j * to_column);
                        if (r.relu) value = value <= 0 ? Vector{} : value;  // NaN goes on
                        if (r.limit > 0) value = value >= top ? top : value;
                        lane.put(value, y + j * to_column);
                    };
                    c + lanes <= r.count ? finish(Whole{}) : finish(Part{r.count - c});
                }
            }
        }
    }
}

// Of tiles that have numbers at so many points down and along.
template <int n, int down, int along, Stored stored>
constexpr WinogradTile winograd_tile = {
    winograd_spread<WinogradData<down>, WinogradData<along>, stored>,
    winograd_spread<WinogradValues<down - n + 1, down, false>, WinogradValues<along - n + 1, along, false>, stored>,
    winograd_collect<WinogradSums<down - n + 1, down, false>, WinogradSums<along - n + 1, along, false>>,
};

template <int n, Stored stored>
constexpr WinogradTransforms winograd_transforms = {
    winograd_spread<WinogradValues<n, 6, true>, WinogradValues<n, 6, true>,
                    stored == Stored::numbers ? Stored::numbers : Stored::pairs>,
    winograd_collect<WinogradSums<n, 6, true>, WinogradSums<n, 6, true>>,
    winograd_tile<n, 6, 6, stored>,
};

// Those of the last tiles: down, along, both.
template <int n, int points, Stored stored>
constexpr WinogradLast winograd_last = {winograd_tile<n, points, 6, stored>, winograd_tile<n, 6, points, stored>,
                                        winograd_tile<n, points, points, stored>};

template <Stored stored>
constexpr WinogradWindows winograd_windows = {
    winograd_transforms<3, stored>,
    winograd_transforms<5, stored>,
    {winograd_last<3, 3, stored>, winograd_last<3, 4, stored>, winograd_last<3, 5, stored>},
    winograd_last<5, 5, stored>,
};

constexpr WinogradTransforms winograd_apart = {
    winograd_spread<ApartKernel, ApartKernel>,
    winograd_collect<ApartKernelGradient, ApartKernelGradient>,
    {winograd_spread<ApartData, ApartData>, winograd_spread<ApartResultGradient, ApartResultGradient>,
     winograd_collect<ApartResult, ApartResult>},
};

template <int odd>
constexpr WinogradTile winograd_apart_input = {winograd_spread<ApartInputData<odd>, ApartInputData<odd>>, nullptr,
                                               winograd_collect<ApartInputResult<odd>, ApartInputResult<odd>>};
