// The loops that exist once per instruction set, and which of them this processor runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "jikimi/pdq.h"

namespace jikimi::pdq {

struct Loops {
    // total += weight * row, for each way a pixel lies in memory. Colour counts a thousandfold.
    void (*weigh_grey)(float* total, const std::uint8_t* row, std::size_t cols, float weight);
    void (*weigh_rgb)(float* total, const std::uint8_t* row, std::size_t cols, float weight);
    void (*weigh_rgbx)(float* total, const std::uint32_t* row, std::size_t cols, float weight);
    void (*weigh_luma)(float* total, const float* row, std::size_t cols, float weight);
    // into += from; from = 0.
    void (*pour)(double* into, float* from, std::size_t cols);
    double (*dot)(const double* left, const double* right, std::size_t count);
    void (*frequencies)(const float* sample, const float* cosines_by_place, float* block);
};

namespace generic { const Loops& loops(); }
namespace avx2 { const Loops& loops(); }
namespace avx512 { const Loops& loops(); }

// The widest that this processor has, or what `force_level` said.
const Loops& chosen();

// 0 generic, 1 AVX2, 2 AVX-512, -1 the widest; false if this processor or build lacks it. For tests.
bool force_level(int level);
const char* level_name();

}  // namespace jikimi::pdq
