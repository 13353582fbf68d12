// A sink that fills a vector. For shared code only.
#pragma once

#include <algorithm>
#include <vector>

#include "level.h"

namespace jikimi::detail {

class Collector {
  public:
    Collector() {
        sink_.owner = this;
        sink_.grow = [](Sink& sink) { static_cast<Collector*>(sink.owner)->grow(); };
    }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    Sink& sink() { return sink_; }
    const Match* begin() const { return sink_.data; }
    const Match* end() const { return sink_.data + sink_.size; }
    std::size_t size() const { return sink_.size; }

    // By query, then row, from the match numbered `first` on.
    void sort(std::size_t first = 0) {
        const auto is_before = [](const Match& a, const Match& b) {
            return a.query != b.query ? a.query < b.query : a.row < b.row;
        };
        // A scan for one query finds in order, and may find nearly all rows.
        if (!std::is_sorted(sink_.data + first, sink_.data + sink_.size, is_before))
            std::sort(sink_.data + first, sink_.data + sink_.size, is_before);
    }

  private:
    void grow() {
        room_.resize(std::max<std::size_t>(2 * room_.size(), 64));
        sink_.data = room_.data();
        sink_.capacity = room_.size();
    }

    Sink sink_;
    std::vector<Match> room_;
};

} // namespace jikimi::detail
