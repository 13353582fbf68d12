// Trying all rows, word by word. The first half of a value decides nearly always: that half alone is too far away.

inline bool compare_row(const ScanJob& job, std::uint32_t row, std::size_t query, Sink& sink) {
    const std::uint64_t* value = job.rows.values + std::size_t{row} * kWords;
    const std::uint64_t* asked = job.queries + query * kWords;
    std::uint32_t distance = ones(value[0] ^ asked[0]) + ones(value[1] ^ asked[1]);
    if (distance > job.radius) return true;
    distance += ones(value[2] ^ asked[2]) + ones(value[3] ^ asked[3]);
    return distance > job.radius || report(job.rows, job.reach, {job.number[query], row, distance}, sink);
}

bool scan_words(const ScanJob& job, Sink& sink) {
    for (std::uint32_t row = job.first; row < job.last; ++row)
        for (std::size_t query = 0; query < job.count; ++query)
            if (!compare_row(job, row, query, sink)) return false;
    return true;
}
