// Checking tables that somebody may have forged, at the speed of memory: every start of a service waits for it.

std::uint32_t largest(const std::uint32_t* numbers, std::size_t count) {
    std::uint32_t most = 0;
    for (std::size_t at = 0; at < count; ++at) most = numbers[at] > most ? numbers[at] : most;
    return most;
}

// Whether blocks add up to the rows, with sizes above 254 taken on trust from one block to the next.
bool add_up(const Block* blocks, std::size_t count, std::uint32_t rows) {
    if ((blocks[0].base & ~Block::kCrowded) != 0 || blocks[count - 1].base != rows) return false;
    for (std::size_t block = 0; block + 1 < count; ++block) {
        const std::uint32_t begin = blocks[block].base & ~Block::kCrowded;
        const std::uint32_t end = blocks[block + 1].base & ~Block::kCrowded;
        const std::uint32_t sum = sum_of_first(blocks[block].count, Block::kBuckets);
        if (end < begin || end - begin < sum) return false;
        if ((blocks[block].base & Block::kCrowded) == 0 && end - begin != sum) return false;
    }
    return true;
}
