// A sink that fills a vector. For shared code only.
#pragma once

#include <algorithm>
#include <vector>

#include "level.h"

namespace jikimi::detail {

inline bool is_before(const Match& a, const Match& b) { return a.query != b.query ? a.query < b.query : a.row < b.row; }

// The matches of one query by row: digit by digit, which for a crowd of look-alikes takes a tenth of the time.
inline void sort_by_row(Match* begin, Match* end) {
    constexpr std::uint32_t bits = 11, mask = (1 << bits) - 1;
    std::vector<Match> other(begin, end);
    Match *from = other.data(), *to = begin;
    const std::size_t count = other.size();
    std::uint32_t largest = 0;
    for (const Match& match : other) largest = std::max(largest, match.row);
    for (std::uint32_t shift = 0; shift < 32 && largest >> shift != 0; shift += bits) {
        std::uint32_t ends[mask + 2] = {};
        for (std::size_t at = 0; at < count; ++at) ++ends[(from[at].row >> shift & mask) + 1];
        for (std::uint32_t digit = 0; digit <= mask; ++digit) ends[digit + 1] += ends[digit];
        for (std::size_t at = 0; at < count; ++at) to[ends[from[at].row >> shift & mask]++] = from[at];
        std::swap(from, to);
    }
    if (from != begin) std::copy(from, from + count, begin);
}

inline void sort_by_query_and_row(Match* begin, Match* end) {
    constexpr std::ptrdiff_t many = 256;
    // A scan for one query finds in order, and may find nearly all rows.
    if (std::is_sorted(begin, end, is_before)) return;
    const bool is_of_one = std::all_of(begin, end, [&](const Match& match) { return match.query == begin->query; });
    if (end - begin >= many && is_of_one)
        sort_by_row(begin, end);
    else
        std::sort(begin, end, is_before);
}

inline bool is_nearer(const Match& a, const Match& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
}

// Keep the nearest `reach.most` matches of each query in each bank; returns the new end. Afterwards in any order.
inline Match* keep_nearest(Match* begin, Match* end, const Rows& rows, const Reach& reach) {
    const auto bank = [&](const Match& match) { return rows.bank != nullptr ? rows.bank[match.row] : 0; };
    std::sort(begin, end, [&](const Match& a, const Match& b) {
        if (a.query != b.query) return a.query < b.query;
        return bank(a) != bank(b) ? bank(a) < bank(b) : is_nearer(a, b);
    });
    std::size_t run = 0;
    Match* kept = begin;
    for (Match* match = begin; match != end; ++match) {
        // The last that was kept is of the run that goes on: the first of a run always is kept.
        const bool is_next = run != 0 && match->query == kept[-1].query && bank(*match) == bank(kept[-1]);
        run = is_next ? run + 1 : 1;
        if (run <= reach.most) *kept++ = *match;
    }
    return kept;
}

// The same for the matches of one query, without ordering what goes. In `limit`, each bank of which `most` are kept is
// told how far the farthest of them is: what is as far, but comes before it, still counts.
inline Match* keep_nearest_of_one(Match* begin, Match* end, const Rows& rows, const Reach& reach, std::uint16_t* limit) {
    const auto most = static_cast<std::ptrdiff_t>(reach.most);
    Match *rest = begin, *kept = begin;
    for (std::size_t bank = 0; bank < reach.banks && rest != end; ++bank) {
        Match* const own = rest;
        rest = std::partition(own, end, [&](const Match& match) {
            return rows.bank == nullptr || rows.bank[match.row] == bank;
        });
        if (rest - own > most) {
            std::nth_element(own, own + most - 1, rest, is_nearer);
            limit[bank] = static_cast<std::uint16_t>(own[most - 1].distance + 1);
        }
        kept = std::copy(own, rest - own > most ? own + most : rest, kept);
    }
    return kept;
}

// What was added since the last `settle` may be thinned out at any time to the nearest that `reach.most` allows, so a
// query that is near everything takes no more room than one that is near a few thousand rows. If it is all of one query,
// what is farther than those that are kept is not even taken in any more.
class Collector {
  public:
    Collector(const Rows& rows, const Reach& reach) : rows_(rows), given_(reach), reach_(reach) {
        reach_.most = std::min<std::size_t>(reach.most, kMostRows);
        sink_.owner = this;
        sink_.grow = [](Sink& sink) { static_cast<Collector*>(sink.owner)->grow(); };
    }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    Sink& sink() { return sink_; }
    Match* begin() const { return sink_.data; }
    Match* end() const { return sink_.data + sink_.size; }

    // What comes until the next `settle` is of so many queries. The result is the reach to search them with.
    const Reach& open(std::size_t queries) {
        is_of_one_ = queries == 1 && reach_.most != 0;
        if (is_of_one_) limits_.assign(given_.limit, given_.limit + given_.banks);
        reach_.limit = is_of_one_ ? limits_.data() : given_.limit;
        return reach_;
    }

    // What was added since the last time is complete for its queries: thin it out, and order it by query, then row.
    void settle() {
        if (reach_.most != 0 && sink_.size - settled_ > reach_.most) thin_out();
        sort_by_query_and_row(begin() + settled_, end());
        settled_ = sink_.size;
    }

  private:
    static constexpr std::size_t kThinFrom = 8192, kThinOneFrom = 1024;
    static constexpr std::size_t kFewBanks = 64; // each takes a pass over what there is

    void thin_out() {
        Match* const first = begin() + settled_;
        Match* const last = is_of_one_ && reach_.banks <= kFewBanks
                                ? keep_nearest_of_one(first, end(), rows_, reach_, limits_.data())
                                : keep_nearest(first, end(), rows_, reach_);
        sink_.size = static_cast<std::size_t>(last - begin());
    }

    void grow() {
        const std::size_t from = is_of_one_ ? std::max(kThinOneFrom, 4 * reach_.most) : kThinFrom;
        if (reach_.most != 0 && sink_.size - settled_ >= from) thin_out();
        if (2 * sink_.size < sink_.capacity) return;
        room_.resize(std::max<std::size_t>(2 * room_.size(), 64));
        sink_.data = room_.data();
        sink_.capacity = room_.size();
    }

    Rows rows_;
    Reach given_, reach_; // the caller's, and what is left of it
    std::vector<std::uint16_t> limits_;
    bool is_of_one_ = false;
    Sink sink_;
    std::vector<Match> room_;
    std::size_t settled_ = 0;
};

} // namespace jikimi::detail
