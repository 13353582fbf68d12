// The loops of PDQ that are worth wide registers, once; compiled for each instruction set in its own namespace.
//
// Every number is computed alone and in the reference's order, so that all instruction sets give the same bits. The
// build forbids contraction (-ffp-contract=off): where a fused multiply-add is meant, it is written.
// No include guard: each file of `isa/` includes this once, with JIKIMI_ISA and JIKIMI_LANES set.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#ifdef __FMA__
#include <immintrin.h>
#endif

#include "../pdq_loops.h"

namespace jikimi::pdq::JIKIMI_ISA {
namespace {

constexpr std::size_t kLanes = JIKIMI_LANES;
typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t Places __attribute__((vector_size(4 * kLanes)));

inline Vector load(const float* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
}

inline void store(float* into, Vector vector) { std::memcpy(into, &vector, sizeof vector); }

#ifdef __FMA__
inline Vector multiply_add(Vector left, float right, Vector more) {
#ifdef __AVX512F__
    return _mm512_fmadd_ps(left, _mm512_set1_ps(right), more);
#else
    return _mm256_fmadd_ps(left, _mm256_set1_ps(right), more);
#endif
}
#endif

// sum / inside, rounded as a division rounds. With a fused multiply-add, dividing is to multiply by the reciprocal and
// to correct once; that gives the same bits for every sum and every `inside` up to 512, which are all that occur (all
// mantissas were tried). A division of sixteen numbers takes ten times as long as an addition.
inline Vector mean(Vector sum, Step step) {
#ifdef __FMA__
    const Vector quotient = sum * step.share;
    const Vector rest = multiply_add(-quotient, step.inside, sum);
    return multiply_add(rest, step.share, quotient);
#else
    return step.inside == 0 ? Vector{} : sum / step.inside;
#endif
}

// (299 R + 587 G + 114 B) / 1000: the sum is whole and below 2^24, so that the one division rounds as the reference
// does, which adds in float64. The fused form was tried on all 255001 sums.
inline float brightness_of(int red, int green, int blue) {
    const auto sum = static_cast<float>(299 * red + 587 * green + 114 * blue);
#ifdef __FMA__
    constexpr float kShare = 1.0F / 1000;
    const float quotient = sum * kShare;
    return __builtin_fmaf(__builtin_fmaf(-quotient, 1000.0F, sum), kShare, quotient);
#else
    return sum / 1000.0F;
#endif
}

void grey(const std::uint8_t* __restrict row, std::size_t cols, float* __restrict brightness) {
    for (std::size_t x = 0; x < cols; ++x) brightness[x] = static_cast<float>(row[x]);
}

void rgb(const std::uint8_t* __restrict row, std::size_t cols, float* __restrict brightness) {
    for (std::size_t x = 0; x < cols; ++x) {
        brightness[x] = brightness_of(row[3 * x], row[3 * x + 1], row[3 * x + 2]);
    }
}

void rgbx(const std::uint8_t* __restrict row, std::size_t cols, float* __restrict brightness) {
    for (std::size_t x = 0; x < cols; ++x) {
        // One load of four bytes: the compiler has no quick way for every fourth byte.
        std::uint32_t pixel;
        std::memcpy(&pixel, row + 4 * x, sizeof pixel);
        brightness[x] = brightness_of(static_cast<int>(pixel & 255), static_cast<int>(pixel >> 8 & 255),
                                      static_cast<int>(pixel >> 16 & 255));
    }
}

inline int byte(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

// JPEG's colours to RGB as libjpeg rounds them (jdcolor.c): the factors are 65536ths, half of one is added, and what is
// outside 0 to 255 is cut off.
void ycc(const Ycc& row, std::size_t cols, float* __restrict brightness) {
    const std::uint8_t* bright = row.bright;
    const std::uint8_t* blues = row.blue;
    const std::uint8_t* reds = row.red;
    for (std::size_t x = 0; x < cols; ++x) {
        const int grey = bright[x], blue = blues[x] - 128, red = reds[x] - 128;
        brightness[x] = brightness_of(byte(grey + ((91881 * red + 32768) >> 16)),
                                      byte(grey + ((-46802 * red - 22554 * blue + 32768) >> 16)),
                                      byte(grey + ((116130 * blue + 32768) >> 16)));
    }
}

void add_rows(const std::uint8_t* __restrict own, const std::uint8_t* neighbour, std::size_t cols,
              std::uint16_t* __restrict sums) {
    for (std::size_t x = 0; x < cols; ++x) sums[x] = static_cast<std::uint16_t>(3 * own[x] + neighbour[x]);
}

void widen(const std::uint16_t* __restrict sums, std::size_t cols, int before, int after,
           std::uint8_t* __restrict wide) {
    const auto up = static_cast<std::uint16_t>(before), down = static_cast<std::uint16_t>(after);
    for (std::size_t x = 0; x < cols; ++x) {
        const auto own = static_cast<std::uint16_t>(3 * sums[x]);
        wide[2 * x] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(own + *(sums + x - 1) + up) >> 4);
        wide[2 * x + 1] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(own + sums[x + 1] + down) >> 4);
    }
}

// Three ways to mix two vectors, by where the k-th number comes from (from `kLanes` on: the right one). Processors have
// each of them as one instruction; four numbers are what moves together across a wide register.
struct ByOne {
    static constexpr int at(int k, bool upper) { return k / 4 * 4 + 2 * upper + k % 4 / 2 + (k % 2) * int{kLanes}; }
};
struct ByTwo {
    static constexpr int at(int k, bool upper) { return k / 4 * 4 + 2 * upper + k % 2 + (k % 4 / 2) * int{kLanes}; }
};
struct ByFour {
    static constexpr int kFours = int{kLanes} / 4;
    static constexpr int at(int k, bool upper) {
        return k / 4 * 2 % kFours * 4 + 4 * upper + k % 4 + (k / 4 * 2 / kFours) * int{kLanes};
    }
};

template <typename By, bool kUpper, int... k>
inline Vector mix(Vector left, Vector right, std::integer_sequence<int, k...>) {
    return __builtin_shuffle(left, right, Places{By::at(k, kUpper)...});
}

// Mixes each vector with the one `kApart` further on.
template <typename By, int kApart>
[[gnu::always_inline]] inline void mix_all(Vector (&tile)[kLanes]) {
    constexpr auto kPlaces = std::make_integer_sequence<int, int{kLanes}>{};
#pragma GCC unroll 16
    for (int i = 0; i < int{kLanes}; ++i) {
        if (i & kApart) continue;
        const Vector lower = mix<By, false>(tile[i], tile[i + kApart], kPlaces);
        tile[i + kApart] = mix<By, true>(tile[i], tile[i + kApart], kPlaces);
        tile[i] = lower;
    }
}

// Rows become columns.
[[gnu::always_inline]] inline void transpose(Vector (&tile)[kLanes]) {
    mix_all<ByOne, 1>(tile);
    mix_all<ByTwo, 2>(tile);
    // Each group of four now holds columns 0, 2, 1, 3.
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kLanes; i += 4) std::swap(tile[i + 1], tile[i + 2]);
    if constexpr (kLanes >= 8) mix_all<ByFour, 4>(tile);
    if constexpr (kLanes >= 16) mix_all<ByFour, 8>(tile);
}

// What a running sum along rows took in, one row per lane, in a ring of columns. Behind the ring's end lies a copy of
// its first tile, so that no tile that is read wraps around.
class History {
  public:
    History(float* ring, std::size_t columns, std::size_t window) : ring_(ring), mask_(columns - 1), window_(window) {
        std::memset(ring, 0, (columns + kLanes) * kLanes * sizeof(float));
    }

    // Keeps the tile that begins at `column` and gives what leaves the window meanwhile.
    [[gnu::always_inline]] const float* keep(const Vector (&tile)[kLanes], std::size_t column) {
        const std::size_t slot = column & mask_;
        put(tile, ring_ + slot * kLanes);
        if (slot == 0) put(tile, ring_ + (mask_ + 1) * kLanes);
        return ring_ + ((column - window_) & mask_) * kLanes;
    }

    [[gnu::always_inline]] static void put(const Vector (&tile)[kLanes], float* into) {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < kLanes; ++i) store(into + i * kLanes, tile[i]);
    }

  private:
    float* ring_;
    std::size_t mask_, window_;
};

// Three filters on one block. Each is a chain of additions that wait for one another; so that the processor need not
// wait with them, the second filter works one tile behind the first and the third two, all in one loop.
void filter(Block& block) {
    const Axis& across = *block.across;
    History first(block.history, block.history_columns, across.window);
    History third(block.history + (block.history_columns + kLanes) * kLanes, block.history_columns, across.window);
    Vector first_sum{}, third_sum{};
    Vector once[kLanes] = {}, twice[kLanes] = {};  // the last tiles of the first and of the second filter
    Vector thirds[kLanes];
    const Step* means_down = block.down->means.data() + block.first_row;
    std::size_t next = 0;
    for (std::size_t column = 0; column < block.padded; column += kLanes) {
        Vector tile[kLanes];
        const Step* means_across = across.means.data() + column;
        float* ring = block.ring + column * block.ring_rows;
        float* entering = ring + block.entering * kLanes;

#pragma GCC unroll 16
        for (std::size_t i = 0; i < kLanes; ++i) tile[i] = load(block.luma + i * block.padded + column);
        transpose(tile);
        const float* first_leaving = first.keep(tile, column);
        transpose(once);
        History::put(once, entering);
        transpose(twice);
        const float* third_leaving = third.keep(twice, column);

        Vector second_sum = load(block.sums + column);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < kLanes; ++i) {
            first_sum += tile[i];
            second_sum += once[i];
            third_sum += twice[i];
            first_sum -= load(first_leaving + i * kLanes);
            second_sum -= load(ring + block.leaving[i] * kLanes);
            third_sum -= load(third_leaving + i * kLanes);
            once[i] = mean(first_sum, means_across[i]);
            twice[i] = mean(second_sum, means_down[i]);
            thirds[i] = third_sum;
        }
        store(block.sums + column, second_sum);
        for (; across.due[next] < column + kLanes; ++next) {
            store(block.thirds + next * kLanes, mean(thirds[across.due[next] - column], across.sampled[next]));
        }
    }
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
    static constexpr Loops kLoops{kLanes, grey, rgb, rgbx, ycc, add_rows, widen, filter, frequencies};
    return kLoops;
}

}  // namespace jikimi::pdq::JIKIMI_ISA
