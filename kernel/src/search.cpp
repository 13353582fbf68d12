// A search: plan once per radius, then query by query; what the tables cannot serve cheaply is scanned for together.

#include <array>
#include <deque>
#include <mutex>

#include "jikimi/multi_index.h"
#include "parallel.h"
#include "plan.h"
#include "sink.h"

namespace jikimi {
namespace {

constexpr std::size_t kQueriesAtOnce = 64;

// All patterns of `width` bits with at most `flips` set, fewest first.
std::vector<std::uint32_t> masks_of(int width, int flips) {
    std::vector<std::uint32_t> masks{0};
    for (int set = 1; set <= std::min(flips, width); ++set)
        for (std::uint64_t mask = (std::uint64_t{1} << set) - 1; mask < std::uint64_t{1} << width;) {
            masks.push_back(static_cast<std::uint32_t>(mask));
            const std::uint64_t lowest = mask & -mask, ripple = mask + lowest; // the next with as many bits set
            mask = (((ripple ^ mask) >> 2) / lowest) | ripple;
        }
    return masks;
}

} // namespace

struct MultiIndex::Plan {
    bool is_worth_it = false;
    double candidates = 0;
    std::size_t probes = 0;
    std::uint64_t most_candidates = 0;
    std::vector<detail::ProbeChunk> chunks;
    std::array<std::vector<std::uint32_t>, kWidest + 1> masks; // by width, shared by the chunks of that width
};

struct MultiIndex::Plans {
    std::mutex making;
    std::array<std::atomic<const Plan*>, kBits + 1> made{};
    std::vector<std::unique_ptr<const Plan>> owned;
};

MultiIndex::MultiIndex(const Tables& tables) : tables_(tables), plans_(std::make_unique<Plans>()) {}
MultiIndex::~MultiIndex() = default;

const MultiIndex::Plan& MultiIndex::plan_for(int radius) const {
    std::atomic<const Plan*>& place = plans_->made[static_cast<std::size_t>(radius)];
    if (const Plan* plan = place.load(std::memory_order_acquire)) return *plan;
    const std::lock_guard lock(plans_->making);
    if (const Plan* plan = place.load(std::memory_order_acquire)) return *plan;
    auto plan = std::make_unique<Plan>();
    const double rows = tables_.rows.count;
    const detail::Thresholds chosen = detail::choose_thresholds(tables_.widths, rows, radius);
    plan->is_worth_it = chosen.is_worth_it;
    plan->candidates = chosen.candidates;
    if (chosen.is_worth_it) {
        const detail::Costs costs = detail::costs_for(rows);
        plan->most_candidates = static_cast<std::uint64_t>(rows * costs.row / costs.candidate);
        const Block* blocks = tables_.blocks;
        std::uint32_t offset = 0;
        for (int c = 0; c < tables_.widths.chunks; ++c) {
            const auto width = tables_.widths.bits[c];
            const int flips = chosen.flips[static_cast<std::size_t>(c)];
            if (flips >= 0) {
                std::vector<std::uint32_t>& masks = plan->masks[width];
                const auto probes = static_cast<std::size_t>(detail::patterns(width, flips));
                if (masks.size() < probes) masks = masks_of(width, flips);
                plan->chunks.push_back({blocks,
                                        c == 0 ? nullptr : tables_.order + std::size_t(c - 1) * tables_.rows.count,
                                        nullptr, static_cast<std::uint32_t>(probes),
                                        static_cast<std::uint32_t>(flips), offset, width});
                plan->probes += probes;
            }
            blocks += tables_.widths.blocks(c);
            offset += width;
        }
        for (detail::ProbeChunk& chunk : plan->chunks) chunk.masks = plan->masks[chunk.width].data();
    }
    plans_->owned.push_back(std::move(plan));
    place.store(plans_->owned.back().get(), std::memory_order_release);
    return *plans_->owned.back();
}

MultiIndex::Estimate MultiIndex::estimate(int radius) const {
    if (radius < 0 || radius > kBits) return {0, 0};
    const Plan& plan = plan_for(radius);
    return {plan.probes, plan.candidates};
}

Status MultiIndex::search(const std::uint64_t* queries, std::size_t count, const Reach& reach, int threads,
                          std::vector<Match>& found) const {
    const int radius = reach.radius();
    if (count > UINT32_MAX) return Status::bad_argument;
    if (radius < 0 || tables_.rows.count == 0 || count == 0) return Status::ok;
    const Plan& plan = plan_for(radius);
    if (!plan.is_worth_it) return scan(tables_.rows, queries, count, reach, threads, found);

    const detail::Functions& level = detail::functions();
    const std::size_t tasks = (count + kQueriesAtOnce - 1) / kQueriesAtOnce;
    const std::size_t workers = std::min(static_cast<std::size_t>(std::max(threads, 1)), tasks);
    struct Scratch {
        std::vector<std::uint32_t> buckets;
        std::vector<detail::Range> ranges;
    };
    std::vector<Scratch> scratch(workers);
    std::deque<detail::Collector> collectors;
    for (std::size_t task = 0; task < tasks; ++task) collectors.emplace_back(tables_.rows, reach);
    std::atomic<bool> is_damaged{false};
    detail::share(static_cast<int>(workers), tasks, [&](int thread, std::size_t task) {
        Scratch& own = scratch[static_cast<std::size_t>(thread)];
        own.buckets.resize(plan.probes);
        own.ranges.resize(plan.probes);
        detail::Collector& collector = collectors[task];
        std::vector<std::uint64_t> crowded;
        std::vector<std::uint32_t> numbers;
        const std::size_t end = std::min((task + 1) * kQueriesAtOnce, count);
        for (std::size_t query = task * kQueriesAtOnce; query < end; ++query) {
            const std::uint64_t* asked = queries + query * kWords;
            const detail::ProbeJob job{tables_.rows,
                                       plan.chunks.data(),
                                       static_cast<int>(plan.chunks.size()),
                                       asked,
                                       static_cast<std::uint32_t>(query),
                                       collector.open(1),
                                       static_cast<std::uint32_t>(radius),
                                       plan.most_candidates,
                                       own.buckets.data(),
                                       own.ranges.data()};
            switch (level.probe(job, collector.sink())) {
            case detail::Probed::done:
                collector.settle();
                break;
            case detail::Probed::too_many:
                crowded.insert(crowded.end(), asked, asked + kWords); // nothing was added
                numbers.push_back(static_cast<std::uint32_t>(query));
                break;
            case detail::Probed::damaged:
                is_damaged = true;
                break;
            }
        }
        if (!numbers.empty()) {
            const detail::ScanJob job{tables_.rows,   0,  tables_.rows.count, crowded.data(), numbers.data(),
                                      numbers.size(), collector.open(numbers.size()), static_cast<std::uint32_t>(radius)};
            if (!level.scan(job, collector.sink())) is_damaged = true;
            collector.settle();
            detail::sort_by_query_and_row(collector.begin(), collector.end());
        }
    });
    if (is_damaged) return Status::damaged;
    for (const detail::Collector& collector : collectors) found.insert(found.end(), collector.begin(), collector.end());
    return Status::ok;
}

} // namespace jikimi
