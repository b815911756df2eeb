// Fused elementwise work and reductions: a program of vector operations is run tile by tile, so that what lies between
// its inputs and its outputs never leaves the cache.
//
// The domain is N rows by C columns (columns contiguous). A tile is R rows by Cc columns; Cc = C unless R = 1, and the
// last
// tile in either direction may be shorter. A program computes on slots, which are in scratch or in memory, of a level:
//   full  R * Cc numbers    row  R numbers, one for each row    pool  R * Cc / (KH * KW) numbers    one  a single
//   number
// In registers a number is f32 or i32; booleans are f32 0 and 1. Memory of other types is converted on its way.
//
// Words:
//   slots, then for each: place (0 scratch, 1 memory), level (0 full, 1 row, 2 pool, 3 one), type (enum Type),
//     access (memory only: 0 plain, 1 column vector: the same numbers for each row, 2 row vector: one number for each
//     row)
//   operations, then for each: code, level (how many numbers it works on), destination, a, b, c (slots, -1 for none),
//     immediate (bits of a float)
//   reductions, then for each: slot, combine (0 sum, 1 largest), kind (0 over rows, result C numbers; 1 over all, one)
//   instances, then for each:
//     N, C, R, Cc, KH, KW, W (KH = 0: no pooling)
//     for each memory slot: ref, div, mod, stride (in numbers): row r lies at ref + (r / div % mod) * stride, of level
//     pool
//       contiguous; mod = 0 is none
//     for each reduction: ref of the result, f32
// With pooling a tile has whole rows of windows: R is a multiple of KH * W, its numbers are [b][kh][wo][kw][c], those
// of level pool [b][wo][c].
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace preceptor {

std::vector<std::pair<std::string, int>> tile_operations();  // names of the operations and their codes

}  // namespace preceptor
