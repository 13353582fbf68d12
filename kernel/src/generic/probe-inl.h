// One query through the tables. Nothing waits for memory if it can be helped: every place is asked for (prefetched) a
// stage before it is read: blocks, then order, then rows.

constexpr std::size_t kBatch = 64; // candidates asked for while as many before them are compared

inline std::uint32_t bits_of_chunk(const std::uint64_t* words, std::uint32_t offset, std::uint32_t width) {
    std::uint64_t bits = words[offset / 64] >> (offset % 64);
    if (offset % 64 + width > 64) bits |= words[offset / 64 + 1] << (64 - offset % 64);
    return static_cast<std::uint32_t>(bits & ((std::uint64_t{1} << width) - 1));
}

inline void ask_for(const void* place) { __builtin_prefetch(place, 0, 3); }

// The rows found so far, of which the newer half has been asked for and the older half is there.
struct Pending {
    std::uint32_t row[2 * kBatch];
    std::uint8_t chunk[2 * kBatch];
    std::size_t pushed = 0;
};

// Whether a look-up in one of the chunks from `first` to before `chunk` leads to this row too: then it has been
// reported.
inline bool was_reported(const ProbeJob& job, const std::uint64_t* differing, int first, int chunk) {
    for (int earlier = first; earlier < chunk; ++earlier) {
        const ProbeChunk& other = job.chunks[earlier];
        if (ones_of_chunk(differing, other.offset, other.width) <= other.most_flips) return true;
    }
    return false;
}

bool compare_pending(const ProbeJob& job, const Pending& pending, std::size_t first, std::size_t last, Sink& sink) {
    const std::uint64_t* asked = job.query;
    for (std::size_t at = first; at < last; ++at) {
        const std::uint32_t row = pending.row[at % (2 * kBatch)];
        const std::uint64_t* value = job.rows.values + std::size_t{row} * kWords;
        const int chunk = pending.chunk[at % (2 * kBatch)];
        const std::uint64_t differing[kWords] = {value[0] ^ asked[0], value[1] ^ asked[1], value[2] ^ asked[2],
                                                 value[3] ^ asked[3]};
        // A crowd of look-alikes comes up in every chunk again, and the first one tells nearly all of them.
        if (chunk > 0 && was_reported(job, differing, 0, 1)) continue;
        std::uint32_t distance = ones(differing[0]) + ones(differing[1]);
        if (distance > job.radius) continue;
        distance += ones(differing[2]) + ones(differing[3]);
        if (distance > job.radius || was_reported(job, differing, 1, chunk)) continue;
        if (!report(job.rows, job.reach, {job.number, row, distance}, sink)) return false;
    }
    return true;
}

// The first place in the order of a chunk, from `begin` to `end`, whose row is in `bucket` or above. False if damaged.
inline bool find_bucket(const ProbeJob& job, const ProbeChunk& chunk, std::uint32_t bucket, std::uint32_t& begin,
                        std::uint32_t end) {
    while (begin < end) {
        const std::uint32_t middle = begin + (end - begin) / 2;
        const std::uint32_t row = chunk.order != nullptr ? chunk.order[middle] : middle;
        if (row >= job.rows.count) return false;
        if (bits_of_chunk(job.rows.values + std::size_t{row} * kWords, chunk.offset, chunk.width) < bucket)
            begin = middle + 1;
        else
            end = middle;
    }
    return true;
}

// Where the rows of a bucket are, if its block has a bucket of more rows than a count can say. False if damaged.
__attribute__((noinline, cold)) bool range_in_crowd(const ProbeJob& job, const ProbeChunk& chunk, std::uint32_t bucket,
                                                    Range& range) {
    const Block* block = chunk.blocks + bucket / Block::kBuckets;
    const std::uint32_t last = block[1].base & ~Block::kCrowded;
    std::uint32_t begin = block->base & ~Block::kCrowded;
    if (begin > last || last > job.rows.count || !find_bucket(job, chunk, bucket, begin, last)) return false;
    std::uint32_t end = begin;
    if (block->count[bucket % Block::kBuckets] < 255)
        end += block->count[bucket % Block::kBuckets];
    else if (!find_bucket(job, chunk, bucket + 1, end, last))
        return false;
    range = {begin, end - begin};
    return end <= last;
}

Probed probe_tables(const ProbeJob& job, Sink& sink) {
    // Ask for all blocks.
    std::size_t probes = 0;
    for (int c = 0; c < job.count; ++c) {
        const ProbeChunk& chunk = job.chunks[c];
        const std::uint32_t own = bits_of_chunk(job.query, chunk.offset, chunk.width);
        for (std::uint32_t i = 0; i < chunk.probes; ++i) {
            const std::uint32_t bucket = own ^ chunk.masks[i];
            ask_for(chunk.blocks + bucket / Block::kBuckets);
            job.buckets[probes++] = bucket;
        }
    }
    // Count the candidates and ask for where their row numbers are.
    std::uint64_t candidates = 0;
    std::size_t ranges = 0, ends[kMostChunks];
    probes = 0;
    for (int c = 0; c < job.count; ++c) {
        const ProbeChunk& chunk = job.chunks[c];
        for (std::uint32_t i = 0; i < chunk.probes; ++i) {
            const std::uint32_t bucket = job.buckets[probes++];
            const Block* block = chunk.blocks + bucket / Block::kBuckets;
            const std::uint32_t count = block->count[bucket % Block::kBuckets];
            if (count == 0) continue;
            Range range{block->base + sum_of_first(block->count, bucket % Block::kBuckets), count};
            if ((block->base & Block::kCrowded) != 0 && !range_in_crowd(job, chunk, bucket, range))
                return Probed::damaged;
            if (range.begin > job.rows.count || range.count > job.rows.count - range.begin) return Probed::damaged;
            if (chunk.order != nullptr) ask_for(chunk.order + range.begin);
            job.ranges[ranges++] = range;
            candidates += range.count;
        }
        ends[c] = ranges;
        if (candidates > job.most_candidates) return Probed::too_many;
    }
    // Ask for the rows; compare those that were asked for a while ago.
    Pending pending;
    std::size_t range = 0;
    for (int c = 0; c < job.count; ++c) {
        const ProbeChunk& chunk = job.chunks[c];
        for (; range < ends[c]; ++range) {
            const Range here = job.ranges[range];
            for (std::uint32_t i = here.begin; i < here.begin + here.count; ++i) {
                const std::uint32_t row = chunk.order != nullptr ? chunk.order[i] : i;
                if (row >= job.rows.count) return Probed::damaged;
                ask_for(job.rows.values + std::size_t{row} * kWords);
                pending.row[pending.pushed % (2 * kBatch)] = row;
                pending.chunk[pending.pushed % (2 * kBatch)] = static_cast<std::uint8_t>(c);
                if (++pending.pushed % kBatch == 0 && pending.pushed > kBatch &&
                    !compare_pending(job, pending, pending.pushed - 2 * kBatch, pending.pushed - kBatch, sink))
                    return Probed::damaged;
            }
        }
    }
    const std::size_t full = pending.pushed / kBatch; // whole batches; all but the last of them are compared
    const std::size_t compared = full > 1 ? (full - 1) * kBatch : 0;
    return compare_pending(job, pending, compared, pending.pushed, sink) ? Probed::done : Probed::damaged;
}
