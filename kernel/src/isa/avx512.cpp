// x86-64 with AVX-512 F, BW, VL, DQ and VPOPCNTDQ (Ice Lake, Zen 4 and later).
#include <immintrin.h>

#include "level.h"

namespace jikimi::detail {
namespace {
#include "generic/bits-inl.h"

// The sum of the first `size` counts of a block (0 to 60).
inline std::uint32_t sum_of_first(const std::uint8_t* counts, std::uint32_t size) {
    const __m512i first = _mm512_maskz_loadu_epi8((std::uint64_t{1} << size) - 1, counts);
    const __m512i eight = _mm512_sad_epu8(first, _mm512_setzero_si512());
    const __m256i four = _mm256_add_epi64(_mm512_castsi512_si256(eight), _mm512_extracti64x4_epi64(eight, 1));
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1));
}

#include "generic/probe-inl.h"
#include "generic/scan-inl.h"
#include "generic/sound-inl.h"
#include "generic/sum-inl.h"

// The first or second words of eight rows, from four registers of two rows each.
inline __m512i words_of_eight(__m512i a, __m512i b, __m512i c, __m512i d, __m512i pick) {
    const __m512i low = _mm512_permutex2var_epi64(a, pick, b);
    const __m512i high = _mm512_permutex2var_epi64(c, pick, d);
    return _mm512_inserti64x4(low, _mm512_castsi512_si256(high), 1);
}

// Eight rows at once: their first halves are turned into two columns, which all queries of the job then share.
bool scan_eights(const ScanJob& job, Sink& sink) {
    const __m512i pick_first = _mm512_setr_epi64(0, 4, 8, 12, 0, 4, 8, 12);
    const __m512i pick_second = _mm512_setr_epi64(1, 5, 9, 13, 1, 5, 9, 13);
    const __m512i radius = _mm512_set1_epi64(job.radius);
    std::uint32_t row = job.first;
    for (; job.last - row >= 8; row += 8) {
        const std::uint64_t* value = job.rows.values + std::size_t{row} * kWords;
        const __m512i a = _mm512_loadu_si512(value), b = _mm512_loadu_si512(value + 8);
        const __m512i c = _mm512_loadu_si512(value + 16), d = _mm512_loadu_si512(value + 24);
        const __m512i first = words_of_eight(a, b, c, d, pick_first);
        const __m512i second = words_of_eight(a, b, c, d, pick_second);
        for (std::size_t query = 0; query < job.count; ++query) {
            const std::uint64_t* asked = job.queries + query * kWords;
            const __m512i in_first = _mm512_xor_si512(first, _mm512_set1_epi64(static_cast<long long>(asked[0])));
            const __m512i in_second = _mm512_xor_si512(second, _mm512_set1_epi64(static_cast<long long>(asked[1])));
            const __m512i half = _mm512_add_epi64(_mm512_popcnt_epi64(in_first), _mm512_popcnt_epi64(in_second));
            unsigned near = _mm512_cmple_epu64_mask(half, radius);
            for (; near != 0; near &= near - 1)
                if (!compare_row(job, row + static_cast<std::uint32_t>(__builtin_ctz(near)), query, sink)) return false;
        }
    }
    ScanJob rest = job;
    rest.first = row;
    return scan_words(rest, sink);
}

constexpr Functions kFunctions = {scan_eights, probe_tables, sum_words, largest, add_up};
} // namespace

const Functions* avx512_functions() { return &kFunctions; }
} // namespace jikimi::detail
