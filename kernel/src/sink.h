// A sink that fills a vector. For shared code only.
#pragma once

#include <algorithm>
#include <vector>

#include "level.h"

namespace jikimi::detail {

inline void sort_by_query_and_row(Match* begin, Match* end) {
    const auto is_before = [](const Match& a, const Match& b) {
        return a.query != b.query ? a.query < b.query : a.row < b.row;
    };
    // A scan for one query finds in order, and may find nearly all rows.
    if (!std::is_sorted(begin, end, is_before)) std::sort(begin, end, is_before);
}

// Keep the nearest `reach.most` matches of each query in each bank; returns the new end. Afterwards in any order.
inline Match* keep_nearest(Match* begin, Match* end, const Rows& rows, const Reach& reach) {
    const auto bank = [&](const Match& match) { return rows.bank != nullptr ? rows.bank[match.row] : 0; };
    std::sort(begin, end, [&](const Match& a, const Match& b) {
        if (a.query != b.query) return a.query < b.query;
        if (bank(a) != bank(b)) return bank(a) < bank(b);
        return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
    });
    std::size_t run = 0;
    Match* kept = begin;
    for (Match* match = begin; match != end; ++match) {
        const bool is_next = match != begin && match->query == match[-1].query && bank(*match) == bank(match[-1]);
        run = is_next ? run + 1 : 1;
        if (run <= reach.most) *kept++ = *match;
    }
    return kept;
}

// What was added since the last `settle` may be thinned out at any time to the nearest that `reach.most` allows, so a
// query that is near everything takes no more room than one that is near a few thousand rows.
class Collector {
  public:
    Collector(const Rows& rows, const Reach& reach) : rows_(rows), reach_(reach) {
        sink_.owner = this;
        sink_.grow = [](Sink& sink) { static_cast<Collector*>(sink.owner)->grow(); };
    }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    Sink& sink() { return sink_; }
    Match* begin() const { return sink_.data; }
    Match* end() const { return sink_.data + sink_.size; }

    // What was added since the last time is complete for its queries: thin it out, and order it by query, then row.
    void settle() {
        if (reach_.most != 0 && sink_.size - settled_ > reach_.most) thin_out();
        sort_by_query_and_row(begin() + settled_, end());
        settled_ = sink_.size;
    }

  private:
    static constexpr std::size_t kThinFrom = 8192;

    void thin_out() {
        sink_.size = static_cast<std::size_t>(keep_nearest(begin() + settled_, end(), rows_, reach_) - begin());
    }

    void grow() {
        if (reach_.most != 0 && sink_.size - settled_ >= kThinFrom) thin_out();
        if (2 * sink_.size < sink_.capacity) return;
        room_.resize(std::max<std::size_t>(2 * room_.size(), 64));
        sink_.data = room_.data();
        sink_.capacity = room_.size();
    }

    Rows rows_;
    Reach reach_;
    Sink sink_;
    std::vector<Match> room_;
    std::size_t settled_ = 0;
};

} // namespace jikimi::detail
