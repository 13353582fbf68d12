// Bit counting and matching, for one level: included by the files in isa/ inside an unnamed namespace.

inline std::uint32_t ones(std::uint64_t word) { return static_cast<std::uint32_t>(__builtin_popcountll(word)); }

inline std::uint32_t ones_of_chunk(const std::uint64_t* words, std::uint32_t offset, std::uint32_t width) {
    std::uint64_t bits = words[offset / 64] >> (offset % 64);
    if (offset % 64 + width > 64) bits |= words[offset / 64 + 1] << (64 - offset % 64);
    return ones(bits & ((std::uint64_t{1} << width) - 1));
}

// Report a row at this distance if its bank reaches so far. False if the bank is unknown.
inline bool report(const Rows& rows, const Reach& reach, Match match, Sink& sink) {
    const std::size_t bank = rows.bank != nullptr ? rows.bank[match.row] : 0;
    if (bank >= reach.banks) return false;
    if (match.distance < reach.limit[bank]) {
        if (sink.size == sink.capacity) sink.grow(sink);
        sink.data[sink.size++] = match;
    }
    return true;
}
