// Functions of one number without branches, tables or calls: in a loop the compiler makes vectors of them.
// Each source that includes this gets copies of its own (unnamed namespace), compiled for its instruction set.
// Largest errors found over all floats, in units of the last place: exp 1.0, log 0.83, log1p 0.83, expm1 1.6, tanh 2.4,
// sigmoid 2.8, softplus 1.7, erf 1.6, sin 2.1, cos 1.5 (angles to 1e6; beyond the C library's), power 0.51.
#pragma once

#include <cstdint>
#include <cstring>

namespace preceptor {

namespace {

inline int32_t bits_of(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline float float_of(int32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

inline int64_t bits_of(double x) {
    int64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline double double_of(int64_t bits) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// condition ? a : b, on bits: of a plain choice the compiler may make a branch, and then no vectors.
inline float choose(bool condition, float a, float b) {
    const int32_t mask = -int32_t(condition);
    return float_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
}

inline double choose(bool condition, double a, double b) {
    const int64_t mask = -int64_t(condition);
    return double_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
}

constexpr float INFINITE = __builtin_inff();
constexpr float NOT_A_NUMBER = __builtin_nanf("");

inline float absolute(float x) { return float_of(bits_of(x) & 0x7fffffff); }
inline float with_sign_of(float x, float sign) { return float_of(bits_of(x) | (bits_of(sign) & int32_t(0x80000000))); }
inline float power_of_two(int32_t n) { return float_of(int32_t(uint32_t(n + 127) << 23)); }  // -126 <= n <= 127

// Adding and taking away 1.5 * 2^23 rounds to a whole number, which then also stands in the lowest bits of the sum.
constexpr float ROUNDER = 12582912.0f;

// e^x = 2^n * (1 + r + r^2 q(r)) with |r| <= log(2) / 2.
struct Exponent {
    int32_t n;
    float below;  // e^r - 1
};

inline Exponent exponent_parts(float x) {
    const float shifted = x * 1.44269504088896341f + ROUNDER;
    const float n = shifted - ROUNDER;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // log(2) in two parts: the first product is exact
    float q = 1.9875691500e-4f;                                    // coefficients: Moshier's Cephes library, expf
    q = q * r + 1.3981999507e-3f;
    q = q * r + 8.3334519073e-3f;
    q = q * r + 4.1665795894e-2f;
    q = q * r + 1.6666665459e-1f;
    q = q * r + 5.0000001201e-1f;
    return {bits_of(shifted) - bits_of(ROUNDER), r + r * r * q};
}

inline float exponential(float x) {
    const float above = choose(x < -105.0f, -105.0f, x);  // NaN passes
    const Exponent parts = exponent_parts(choose(above > 89.0f, 89.0f, above));
    const int32_t half = parts.n >> 1;  // in two factors: 2^n itself may lie outside the normal numbers
    return (1.0f + parts.below) * power_of_two(half) * power_of_two(parts.n - half);
}

inline float exponential_minus_one(float x) {
    const float above = choose(x < -20.0f, -20.0f, x);
    const Exponent parts = exponent_parts(choose(above > 89.0f, 89.0f, above));
    const float half = power_of_two(parts.n - 1);
    const float value = (half * parts.below + (half - 0.5f)) * 2.0f;
    return choose(x == 0.0f, x, value);  // keeps -0
}

// log(x) for normal x > 0: exponent n and f with x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2).
struct Logarithm {
    float n, f;
};

inline Logarithm logarithm_parts(float x) {
    const bool small = x < 1.17549435e-38f;
    const int32_t bits = bits_of(choose(small, x * 8388608.0f, x));
    const int32_t shifted = int32_t(uint32_t(bits) - 0x3f3504f3u);  // the bits of sqrt(1/2)
    const int32_t n = shifted >> 23;
    return {float(n - 23 * int32_t(small)), float_of((shifted & 0x7fffff) + 0x3f3504f3) - 1.0f};
}

// n log(2) + log(1 + f) + rest
inline float logarithm_sum(float n, float f, float rest) {
    float p = 7.0376836292e-2f;  // coefficients: Cephes, logf
    p = p * f + -1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f + -1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f + -1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f + -2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const float z = f * f;
    const float low = f * z * p + (n * -2.12194440e-4f + rest) - 0.5f * z;
    return (f + low) + n * 0.693359375f;
}

inline float logarithm(float x) {
    const Logarithm parts = logarithm_parts(x);
    const float value = logarithm_sum(parts.n, parts.f, 0.0f);
    const float finite = choose(x == 0.0f, -INFINITE, choose(x < INFINITE, value, x));  // infinity and NaN as they are
    return choose(x < 0.0f, NOT_A_NUMBER, finite);
}

inline float logarithm_of_one_plus(float x) {
    const float u = 1.0f + x;
    const float lost = choose(absolute(x) < 1.0f, x - (u - 1.0f), 1.0f - (u - x));  // by rounding to u
    const Logarithm parts = logarithm_parts(u);
    const float value = logarithm_sum(parts.n, parts.f, lost / u);
    const float finite = choose(x == -1.0f, -INFINITE, choose(x < INFINITE, value, x));
    const float defined = choose(x < -1.0f, NOT_A_NUMBER, finite);
    return choose(absolute(x) < 1e-10f, x, defined);  // keeps -0 and the smallest numbers
}

inline float sigmoid(float x) {
    const float small = exponential(-absolute(x));  // never overflows
    const float larger = 1.0f / (1.0f + small);
    return choose(x >= 0.0f, larger, small * larger);
}

inline float softplus(float x) {
    const float small = exponential(-absolute(x));
    return choose(x > 0.0f, x, 0.0f) + logarithm_of_one_plus(small);
}

inline float hyperbolic_tangent(float x) {
    const float double_angle = absolute(x) + absolute(x);
    const float t = exponential_minus_one(choose(double_angle > 40.0f, 40.0f, double_angle));
    return with_sign_of(t / (t + 2.0f), x);
}

// Polynomials: N. Juffa, "A fast and accurate single-precision error function" (public answer, 2-clause BSD). That of large
// x times 1 / log(2), so that 1 - erf(x) = 2^p = 2^n * q(f) with a whole n and |f| <= 1 / 2; p is between -40 and -1, where
// exponential's care for numbers that are too large or small is not needed.
inline float error_function(float x) {
    const float t = absolute(x), s = x * x;
    const float u = choose(t < 5.0f, t, 5.0f), v = u * u;  // 1 beyond 4; NaN comes back through s
    float p = (-2.49374844e-5f * u + 5.52836593e-4f) * v + (-5.60337615e-3f * u + 3.49920227e-2f);
    p = p * u + -1.54047914e-1f;
    p = p * u + -9.15890167e-1f;
    p = p * u + -1.85700116e-1f;
    p = p * u + u * -1.44269504f;
    const float shifted = p + ROUNDER, f = p - (shifted - ROUNDER);
    float q = 1.53458110e-4f;
    q = q * f + 1.33999309e-3f;
    q = q * f + 9.61848907e-3f;
    q = q * f + 5.55032864e-2f;
    q = q * f + 2.40226462e-1f;
    q = q * f + 6.93147182e-1f;
    q = q * f + 1.0f;
    const float rest = float_of(int32_t(uint32_t(bits_of(q)) + (uint32_t(bits_of(shifted)) << 23)));
    const float large = with_sign_of(1.0f - rest, x);
    float small = -5.96761703e-4f;
    small = small * s + 4.99119423e-3f;
    small = small * s + -2.67681349e-2f;
    small = small * s + 1.12819925e-1f;
    small = small * s + -3.76125336e-1f;
    small = small * s + 1.28379166e-1f;
    small = small * x + x;
    return choose(t > 0.927734375f, large, small);
}

// The sine of r + quadrant * pi / 2 for |r| <= pi / 4.
inline float sine_of_rest(float r, int32_t quadrant) {
    const float z = r * r;
    float sine = -1.9515295891e-4f;  // coefficients: Cephes, sinf and cosf
    sine = sine * z + 8.3321608736e-3f;
    sine = sine * z + -1.6666654611e-1f;
    sine = sine * z * r + r;
    float cosine = 2.443315711809948e-5f;
    cosine = cosine * z + -1.388731625493765e-3f;
    cosine = cosine * z + 4.166664568298827e-2f;
    cosine = cosine * z * z - 0.5f * z + 1.0f;
    const float value = choose(quadrant & 1, cosine, sine);
    return float_of(bits_of(value) ^ int32_t(uint32_t(quadrant & 2) << 30));
}

// Sine of x + quarters * pi / 2, for |x| <= SMALL_ANGLE: pi / 2 in three parts, of 15, 13 and 24 bits. The products of
// the first two with whole numbers up to 82 are exact, and so is the first difference.
constexpr float SMALL_ANGLE = 128.0f;

inline float sine_of_small(float x, int32_t quarters) {
    const float shifted = x * 0.63661977236758134f + ROUNDER;
    const float n = shifted - ROUNDER;
    const float r = ((x - n * 0x1.922p+0f) - n * -0x1.2afp-18f) - n * 0x1.0b4612p-34f;
    return sine_of_rest(r, int32_t(uint32_t(bits_of(shifted)) & 3) + quarters);
}

// The same for any x up to LARGEST_ANGLE. The angle is reduced in double precision: pi / 2 in two parts, the first of
// 33 bits, whose products with whole numbers below 2^20 are exact.
constexpr float LARGEST_ANGLE = 1e6f;

inline float sine_from(float x, int32_t quarters) {
    constexpr double rounder = 6755399441055744.0;  // 1.5 * 2^52
    const double angle = x;
    const double shifted = angle * 0.63661977236758134308 + rounder;
    const double n = shifted - rounder;
    const float r = float((angle - n * 1.57079632673412561417e+00) - n * 6.07710050650619224932e-11);
    return sine_of_rest(r, int32_t(uint32_t(bits_of(shifted)) & 3) + quarters);
}

// x^y through double precision: the error of log(x), times y log(x) <= 104, stays below half a unit of the last place.
inline float raised(float x, float y) {
    const double a = absolute(x);
    // The bits of sqrt(1/2) are taken away and those of 1 added: the exponent changes at sqrt(1/2), and stays positive.
    // It becomes a double by way of the bits of 1.5 * 2^52, for not every instruction set converts or shifts 64 bits
    // with a sign.
    const uint64_t shifted = uint64_t(bits_of(a)) - 0x3fe6a09e667f3bcd + 0x3ff0000000000000;
    const double m = double_of(int64_t((shifted & 0xfffffffffffff) + 0x3fe6a09e667f3bcd));
    const double n = double_of(int64_t((shifted >> 52) + 0x4338000000000000)) - 6755399441056767.0;
    const double s = (m - 1.0) / (m + 1.0), z = s * s;  // log(m) = 2 (s + s^3 / 3 + s^5 / 5 + ...), |s| < 0.172
    double p = 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    const double logarithm = 2.0 * (s + s * z * p) + n * 0.693147180559945309417;
    const double finite = choose(a == 0.0, -double(INFINITE), choose(a < double(INFINITE), logarithm, a));
    const double product = choose(a == 1.0, 0.0, choose(y == 0.0f, 0.0, double(y) * finite));
    const double above = choose(product < -200.0, -200.0, product);
    const double inside = choose(above > 100.0, 100.0, above);

    const double turned = inside * 1.44269504088896340736 + 6755399441055744.0;
    const double k = turned - 6755399441055744.0;
    const double r = inside - k * 0.693147180559945309417;
    double e = 1.0 / 40320;
    e = e * r + 1.0 / 5040;
    e = e * r + 1.0 / 720;
    e = e * r + 1.0 / 120;
    e = e * r + 1.0 / 24;
    e = e * r + 1.0 / 6;
    e = e * r + 0.5;
    e = (e * r + 1.0) * r + 1.0;
    const uint64_t exponent = uint64_t(bits_of(turned)) - 0x4338000000000000 + 1023;
    const float size = float(e * double_of(int64_t(exponent << 52)));

    // Negative x: only whole numbers have a power; the odd ones keep the sign. Floats from 2^23 on are whole, from 2^24
    // even.
    const float t = choose(absolute(y) < 8388608.0f, absolute(y), 0.0f);
    const float rounded = (t + ROUNDER) - ROUNDER;
    const float large = choose(absolute(y) < 16777216.0f, y, 0.0f), small = choose(rounded == t, t + ROUNDER, 0.0f);
    const float parity = choose(absolute(y) < 8388608.0f, small, large);
    const int32_t sign = int32_t(uint32_t(bits_of(parity)) << 31);  // of an odd power
    const float whole = choose(rounded == t, size, NOT_A_NUMBER);
    const float negative = float_of(bits_of(choose(x == 0.0f, size, choose(x == -INFINITE, size, whole))) ^ sign);
    const float value = choose(bits_of(x) < 0, negative, size);
    const float defined = choose(x != x, x, choose(y != y, y, value));
    return choose(x == 1.0f, 1.0f, choose(y == 0.0f, 1.0f, defined));
}

}  // namespace

}  // namespace preceptor
