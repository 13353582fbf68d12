#include "jikimi/checksum.h"

#include <algorithm>
#include <cstring>

#include "level.h"
#include "parallel.h"

namespace jikimi {

void checksum(const std::uint8_t* data, std::size_t bytes, int threads, std::uint64_t* sums) {
    const detail::Functions& level = detail::functions();
    const std::size_t blocks = (bytes + kSumBlock - 1) / kSumBlock;
    detail::share(threads, blocks, [&](int, std::size_t block) {
        const std::uint8_t* begin = data + block * kSumBlock;
        const std::size_t size = std::min(kSumBlock, bytes - block * kSumBlock);
        if (size % 8 == 0) {
            level.sum_block(reinterpret_cast<const std::uint64_t*>(begin), size / 8, sums + 2 * block);
            return;
        }
        std::vector<std::uint64_t> padded(size / 8 + 1, 0);
        std::memcpy(padded.data(), begin, size);
        level.sum_block(padded.data(), padded.size(), sums + 2 * block);
    });
}

} // namespace jikimi
