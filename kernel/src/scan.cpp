// Trying all rows, with the queries and the rows shared out over threads.

#include <algorithm>
#include <deque>
#include <numeric>

#include "parallel.h"
#include "sink.h"

namespace jikimi {
namespace {

constexpr std::size_t kQueriesAtOnce = 64; // 2 KiB of queries stay in the first cache while rows go by
constexpr std::uint32_t kRowsAtOnce = 1 << 20;

} // namespace

int Reach::radius() const {
    int farthest = 0;
    for (std::size_t bank = 0; bank < banks; ++bank) farthest = std::max<int>(farthest, limit[bank]);
    return std::min(farthest, kBits + 1) - 1;
}

Status scan(const Rows& rows, const std::uint64_t* queries, std::size_t count, const Reach& reach, int threads,
            std::vector<Match>& found) {
    const int radius = reach.radius();
    if (count > UINT32_MAX) return Status::bad_argument;
    if (radius < 0 || rows.count == 0 || count == 0) return Status::ok;
    std::vector<std::uint32_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 0u);
    const std::size_t groups = (count + kQueriesAtOnce - 1) / kQueriesAtOnce;
    const std::size_t blocks = (std::size_t{rows.count} + kRowsAtOnce - 1) / kRowsAtOnce;
    const std::size_t tasks = groups * blocks;
    const detail::Functions& level = detail::functions();
    std::deque<detail::Collector> collectors;
    for (std::size_t task = 0; task < tasks; ++task) collectors.emplace_back(rows, reach);
    std::atomic<bool> is_damaged{false};
    detail::share(threads, tasks, [&](int, std::size_t task) {
        const std::size_t first_query = task / blocks * kQueriesAtOnce;
        const std::uint32_t first_row = static_cast<std::uint32_t>(task % blocks) * kRowsAtOnce;
        detail::ScanJob job{};
        job.rows = rows;
        job.first = first_row;
        job.last = first_row + std::min(kRowsAtOnce, rows.count - first_row);
        job.queries = queries + first_query * kWords;
        job.number = numbers.data() + first_query;
        job.count = std::min(kQueriesAtOnce, count - first_query);
        job.reach = collectors[task].open(job.count);
        job.radius = static_cast<std::uint32_t>(radius);
        if (!level.scan(job, collectors[task].sink())) is_damaged = true;
        collectors[task].settle();
    });
    if (is_damaged) return Status::damaged;
    // A query's matches lie in the blocks of its group, in ascending order of rows.
    const std::size_t before = found.size();
    for (const detail::Collector& collector : collectors) found.insert(found.end(), collector.begin(), collector.end());
    if (blocks > 1) {
        if (reach.most != 0)
            found.resize(static_cast<std::size_t>(
                detail::keep_nearest(found.data() + before, found.data() + found.size(), rows, reach) - found.data()));
        detail::sort_by_query_and_row(found.data() + before, found.data() + found.size());
    }
    return Status::ok;
}

} // namespace jikimi
