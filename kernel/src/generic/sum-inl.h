// The checksum of one block; see jikimi/checksum.h.

void sum_words(const std::uint64_t* words, std::size_t count, std::uint64_t* sums) {
    constexpr std::uint64_t step = 0x9E3779B97F4A7C15;
    std::uint64_t plain = 0, keyed = 0, key = 0;
    for (std::size_t i = 0; i < count; ++i) {
        key += step;
        const std::uint64_t mixed = words[i] ^ key;
        plain += words[i];
        keyed += (mixed & 0xFFFFFFFF) * (mixed >> 32);
    }
    sums[0] = plain;
    sums[1] = keyed;
}
