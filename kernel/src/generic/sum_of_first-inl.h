// The sum of the first `size` counts of a block (0 to 60), in words of eight bytes.

inline std::uint32_t sum_of_first(const std::uint8_t* counts, std::uint32_t size) {
    constexpr std::uint64_t every_other = 0x00FF00FF00FF00FF;
    std::uint64_t words[8], sum = 0;
    __builtin_memcpy(words, counts, sizeof words); // with the base, which is masked away
    for (std::uint32_t word = 0; word < size / 8; ++word)
        sum += (words[word] & every_other) + ((words[word] >> 8) & every_other);
    const std::uint64_t last = words[size / 8] & ((std::uint64_t{1} << (size % 8 * 8)) - 1);
    sum += (last & every_other) + ((last >> 8) & every_other);
    return static_cast<std::uint32_t>((sum * 0x0001000100010001) >> 48);
}
