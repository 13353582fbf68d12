// x86-64 with POPCNT and AVX2 (2013 and later).
#include <immintrin.h>

#include "level.h"

namespace jikimi::detail {
namespace {
#include "generic/bits-inl.h"

// The sum of the first `size` counts of a block (0 to 60).
inline std::uint32_t sum_of_first(const std::uint8_t* counts, std::uint32_t size) {
    alignas(64) static constexpr struct Masks {
        std::uint8_t bytes[128];
        constexpr Masks() : bytes() {
            for (int i = 0; i < 64; ++i) bytes[i] = 255;
        }
    } masks;
    const auto* mask = masks.bytes + 64 - size;
    const auto load = [](const std::uint8_t* place) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(place));
    };
    const __m256i zero = _mm256_setzero_si256();
    const __m256i low = _mm256_sad_epu8(_mm256_and_si256(load(counts), load(mask)), zero);
    const __m256i high = _mm256_sad_epu8(_mm256_and_si256(load(counts + 32), load(mask + 32)), zero);
    const __m256i both = _mm256_add_epi64(low, high);
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1));
}

#include "generic/probe-inl.h"
#include "generic/scan-inl.h"
#include "generic/sound-inl.h"
#include "generic/sum-inl.h"
constexpr Functions kFunctions = {scan_words, probe_tables, sum_words, largest, add_up};
} // namespace

const Functions* popcnt_functions() { return &kFunctions; }
} // namespace jikimi::detail
