// Fused elementwise work and reductions: programs of vector operations that are run tile by tile, in cache.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace preceptor {

std::vector<std::pair<std::string, int>> tile_operations();  // names of the operations and their codes

}  // namespace preceptor
