// The operations of tile programs: name in C++, name in words, number of operands, cost in units of an addition.
#pragma once

namespace preceptor {

// clang-format off
#define PRECEPTOR_TILE_OPERATIONS(X) \
    X(add, "add", 2, 1) X(subtract, "subtract", 2, 1) X(multiply, "multiply", 2, 1) X(divide, "divide", 2, 3) \
    X(maximum, "maximum", 2, 1) X(minimum, "minimum", 2, 1) X(negative, "negative", 1, 1) \
    X(exp, "exp", 1, 8) X(log, "log", 1, 10) X(log1p, "log1p", 1, 12) X(expm1, "expm1", 1, 10) X(sqrt, "sqrt", 1, 4) \
    X(sin, "sin", 1, 20) X(cos, "cos", 1, 20) X(tanh, "tanh", 1, 14) X(sigmoid, "sigmoid", 1, 14) \
    X(softplus, "softplus", 1, 20) X(erf, "erf", 1, 14) X(abs, "abs", 1, 1) X(sign, "sign", 1, 1) \
    X(threshold, "threshold", 1, 1) X(power, "power", 2, 50) X(integer_power, "integer_power", 1, 4) \
    X(equal, "equal", 2, 1) X(less, "less", 2, 1) X(less_equal, "less_equal", 2, 1) \
    X(logical_not, "not", 1, 1) X(logical_and, "and", 2, 1) X(logical_or, "or", 2, 1) X(where, "where", 3, 1) \
    X(multiply_add, "multiply_add", 3, 1) X(relu, "relu", 1, 1) X(relu_mask, "relu_mask", 2, 1) \
    X(clip, "clip", 1, 1) X(clip_mask, "clip_mask", 2, 1) \
    X(square, "square", 1, 1) X(copy, "copy", 1, 1) X(round_bf16, "round_bf16", 1, 2) \
    X(constant, "constant", 0, 1) X(scale, "scale", 1, 1) X(shift, "shift", 1, 1) \
    X(add_i, "add_i", 2, 1) X(subtract_i, "subtract_i", 2, 1) X(multiply_i, "multiply_i", 2, 1) \
    X(negative_i, "negative_i", 1, 1) X(maximum_i, "maximum_i", 2, 1) X(abs_i, "abs_i", 1, 1) \
    X(sign_i, "sign_i", 1, 1) \
    X(equal_i, "equal_i", 2, 1) X(less_i, "less_i", 2, 1) X(less_equal_i, "less_equal_i", 2, 1) \
    X(where_i, "where_i", 3, 1) X(less_u, "less_u", 2, 1) \
    X(int_to_float, "int_to_float", 1, 1) X(uint_to_float, "uint_to_float", 1, 2) \
    X(float_to_int, "float_to_int", 1, 1) \
    X(int_to_bool, "int_to_bool", 1, 1) X(float_to_bool, "float_to_bool", 1, 1) \
    X(constant_i, "constant_i", 0, 1) X(column_index_i, "column_index_i", 0, 1) \
    X(row_sum, "row_sum", 1, 2) X(row_max, "row_max", 1, 2) X(row_argmax_i, "row_argmax_i", 1, 10) \
    X(pool_max, "pool_max", 1, 1) X(pool_sum, "pool_sum", 1, 1) X(pool_spread, "pool_spread", 1, 1) \
    X(pool_max_spread, "pool_max_spread", 3, 2) X(pool_max_mean, "pool_max_mean", 3, 2)
// clang-format on

enum class Operation : int {
#define X(identifier, name, operands, cost) identifier,
    PRECEPTOR_TILE_OPERATIONS(X)
#undef X
    count
};

}  // namespace preceptor
