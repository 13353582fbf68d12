// The loops of PDQ that are worth wide registers, once; compiled for each instruction set in its own namespace.
//
// Every element is computed alone and in one order, so that all instruction sets give the same bits. The build forbids
// contraction (-ffp-contract=off): a fused multiply-add would round differently from the reference.
// No include guard: each file of `isa/` includes this once, with JIKIMI_ISA set.

#include <cstddef>
#include <cstdint>

#include "pdq_loops.h"

namespace jikimi::pdq::JIKIMI_ISA {
namespace {

// Luma times 1000: a whole number below 2^18, exact in float32.
inline float thousandfold(int red, int green, int blue) {
    return static_cast<float>(299 * red + 587 * green + 114 * blue);
}

void weigh_grey(float* __restrict total, const std::uint8_t* __restrict row, std::size_t cols, float weight) {
    for (std::size_t x = 0; x < cols; ++x) total[x] += weight * static_cast<float>(row[x]);
}

void weigh_rgb(float* __restrict total, const std::uint8_t* __restrict row, std::size_t cols, float weight) {
    for (std::size_t x = 0; x < cols; ++x) {
        total[x] += weight * thousandfold(row[3 * x], row[3 * x + 1], row[3 * x + 2]);
    }
}

void weigh_rgbx(float* __restrict total, const std::uint32_t* __restrict row, std::size_t cols, float weight) {
    for (std::size_t x = 0; x < cols; ++x) {
        const std::uint32_t pixel = row[x];
        total[x] += weight * thousandfold(static_cast<int>(pixel & 255), static_cast<int>(pixel >> 8 & 255),
                                                                            static_cast<int>(pixel >> 16 & 255));
    }
}

void weigh_luma(float* __restrict total, const float* __restrict row, std::size_t cols, float weight) {
    for (std::size_t x = 0; x < cols; ++x) total[x] += weight * row[x];
}

void pour(double* __restrict into, float* __restrict from, std::size_t cols) {
    for (std::size_t x = 0; x < cols; ++x) {
        into[x] += static_cast<double>(from[x]);
        from[x] = 0;
    }
}

double dot(const double* __restrict left, const double* __restrict right, std::size_t count) {
    constexpr std::size_t kLanes = 8;
    double lanes[kLanes] = {};
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += left[i + lane] * right[i + lane];
    }
    for (std::size_t lane = 0; i < count; ++i, ++lane) lanes[lane] += left[i] * right[i];
    double sum = 0;
    for (double lane : lanes) sum += lane;
    return sum;
}

// cosines . sample . cosines^T with every sum from front to back; `by_place` is cosines^T, (64, 16).
void frequencies(const float* __restrict sample, const float* __restrict by_place, float* __restrict block) {
    float half[kBand][kSide];
    for (int i = 0; i < kBand; ++i) {
        float sums[kSide];
        for (int x = 0; x < kSide; ++x) sums[x] = by_place[i] * sample[x];
        for (int y = 1; y < kSide; ++y) {
            for (int x = 0; x < kSide; ++x) sums[x] += by_place[y * kBand + i] * sample[y * kSide + x];
        }
        for (int x = 0; x < kSide; ++x) half[i][x] = sums[x];
    }
    for (int i = 0; i < kBand; ++i) {
        float sums[kBand];
        for (int j = 0; j < kBand; ++j) sums[j] = half[i][0] * by_place[j];
        for (int x = 1; x < kSide; ++x) {
            for (int j = 0; j < kBand; ++j) sums[j] += half[i][x] * by_place[x * kBand + j];
        }
        for (int j = 0; j < kBand; ++j) block[i * kBand + j] = sums[j];
    }
}

}  // namespace

const Loops& loops() {
    static constexpr Loops kLoops{weigh_grey, weigh_rgb, weigh_rgbx, weigh_luma, pour, dot, frequencies};
    return kLoops;
}

}  // namespace jikimi::pdq::JIKIMI_ISA
