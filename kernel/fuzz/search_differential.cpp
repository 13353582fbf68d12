// Random corpora, widths, banks and radii: tables and scans of every level against plain loops, and spoiled tables,
// which must be noticed or be harmless. Meant to run under sanitizers.
//
//     search_differential SECONDS [SEED]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <tuple>

#include "jikimi/checksum.h"
#include "jikimi/multi_index.h"

using namespace jikimi;

namespace {

using Random = std::mt19937_64;

struct Case {
    std::uint32_t rows;
    std::vector<std::uint64_t> values, queries;
    std::vector<std::uint16_t> banks, limits;
    Widths widths;
};

std::uint64_t below(Random& random, std::uint64_t end) { return random() % end; }

void flip(Random& random, std::uint64_t* value, std::uint64_t most) {
    for (std::uint64_t flips = below(random, most + 1); flips > 0; --flips) {
        const std::uint64_t bit = below(random, kBits);
        value[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
}

Widths any_widths(Random& random, std::uint32_t rows) {
    if (below(random, 2) == 0) return choose_widths(below(random, 2) == 0 ? rows : below(random, 300'000));
    Widths widths;
    do {
        widths = Widths{};
        for (int left = kBits; left > 0 && widths.chunks < kMostChunks;) {
            const int width = std::min(left, 5 + static_cast<int>(below(random, 14)));
            widths.bits[widths.chunks++] = static_cast<std::uint8_t>(width);
            left -= width;
        }
    } while (!widths.are_sound());
    return widths;
}

Case any_case(Random& random) {
    Case made;
    const std::uint32_t sizes[] = {0, 1, 2, 9, 100, 3000, 20000};
    made.rows = static_cast<std::uint32_t>(below(random, sizes[below(random, 7)] + 1));
    made.values.resize(std::size_t{made.rows} * kWords);
    const std::uint64_t kind = below(random, 4), families = 1 + below(random, 30);
    std::uint64_t shared[kWords];
    for (std::uint64_t& word : shared) word = random() | random();
    for (std::uint32_t row = 0; row < made.rows; ++row) {
        std::uint64_t* value = made.values.data() + std::size_t{row} * kWords;
        for (int word = 0; word < kWords; ++word) value[word] = random();
        if (kind == 1) for (int word = 0; word < kWords; ++word) value[word] &= ~shared[word]; // many bits shared
        if (kind >= 2 && row >= families) {
            std::copy_n(made.values.data() + below(random, families) * kWords, kWords, value);
            if (kind == 3) flip(random, value, 40);
        }
    }
    for (std::uint64_t query = 1 + below(random, 5); query > 0; --query) {
        std::uint64_t asked[kWords] = {random(), random(), random(), random()};
        if (made.rows > 0 && below(random, 4) > 0) {
            std::copy_n(made.values.data() + below(random, made.rows) * kWords, kWords, asked);
            flip(random, asked, 40);
        }
        made.queries.insert(made.queries.end(), asked, asked + kWords);
    }
    const std::uint64_t banks = 1 + below(random, 4);
    for (std::uint32_t row = 0; row < made.rows; ++row)
        made.banks.push_back(static_cast<std::uint16_t>(below(random, banks)));
    const std::uint64_t reach = below(random, 5) == 0 ? 258 : 66;
    for (std::uint64_t bank = 0; bank < banks; ++bank)
        made.limits.push_back(static_cast<std::uint16_t>(below(random, reach)));
    made.widths = any_widths(random, made.rows);
    return made;
}

std::vector<Match> plain(const Case& one) {
    std::vector<Match> found;
    for (std::uint32_t query = 0; query < one.queries.size() / kWords; ++query)
        for (std::uint32_t row = 0; row < one.rows; ++row) {
            std::uint32_t distance = 0;
            for (std::size_t word = 0; word < kWords; ++word)
                for (std::uint64_t bits = one.queries[query * kWords + word] ^ one.values[row * kWords + word]; bits != 0;
                     bits &= bits - 1)
                    ++distance;
            if (distance < one.limits[one.banks[row]]) found.push_back({query, row, distance});
        }
    return found;
}

// The nearest `most` of each query in each bank, those that come first among the equally far.
std::vector<Match> nearest(const Case& one, std::vector<Match> all, std::size_t most) {
    const auto bank = [&](const Match& match) { return one.banks[match.row]; };
    std::sort(all.begin(), all.end(), [&](const Match& x, const Match& y) {
        return std::make_tuple(x.query, bank(x), x.distance, x.row) < std::make_tuple(y.query, bank(y), y.distance, y.row);
    });
    std::vector<Match> kept;
    std::size_t run = 0;
    for (std::size_t at = 0; at < all.size(); ++at) {
        run = at > 0 && all[at].query == all[at - 1].query && bank(all[at]) == bank(all[at - 1]) ? run + 1 : 0;
        if (run < most) kept.push_back(all[at]);
    }
    std::sort(kept.begin(), kept.end(), [](const Match& x, const Match& y) {
        return std::tie(x.query, x.row) < std::tie(y.query, y.row);
    });
    return kept;
}

bool are_equal(const std::vector<Match>& a, const std::vector<Match>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Match& x, const Match& y) {
        return std::tie(x.query, x.row, x.distance) == std::tie(y.query, y.row, y.distance);
    });
}

void expect(bool is_true, const char* what, std::uint64_t seed) {
    if (is_true) return;
    std::fprintf(stderr, "FAILED: %s, level %s, seed %llu\n", what, name_of(level_in_use()),
                 static_cast<unsigned long long>(seed));
    std::abort();
}

void run(std::uint64_t seed) {
    Random random(seed);
    Case one = any_case(random);
    std::vector<std::uint32_t> from(one.rows);
    expect(arrange(one.widths, one.values.data(), one.rows, from.data()) == Status::ok, "arrange", seed);
    std::vector<std::uint64_t> arranged(one.values.size());
    gather(one.values.data(), from.data(), one.rows, 2, arranged.data());
    std::vector<std::uint16_t> banks;
    for (const std::uint32_t place : from) banks.push_back(one.banks[place]);
    one.values = arranged;
    one.banks = banks;
    const std::vector<Match> expected = plain(one);

    std::vector<Block> blocks(one.widths.blocks());
    std::vector<std::uint32_t> order(static_cast<std::size_t>(one.widths.chunks - 1) * one.rows);
    expect(fill(one.widths, one.values.data(), one.rows, blocks.data(), order.data(), 2) == Status::ok, "fill", seed);
    const Rows rows{one.values.data(), one.rows, one.banks.data()};
    const Tables tables{one.widths, rows, blocks.data(), order.data()};
    const Reach reach{one.limits.data(), one.limits.size()};
    const std::size_t count = one.queries.size() / kWords;
    expect(are_sound(tables, 2), "made tables are sound", seed);
    const Reach bounded{one.limits.data(), one.limits.size(), 1 + below(random, 300)};
    const std::vector<Match> expected_nearest = nearest(one, expected, bounded.most);
    const MultiIndex index(tables);
    std::uint64_t sums[2], generic_sums[2];
    for (int number = 0; number < kLevels; ++number) {
        if (force_level(static_cast<Level>(number)) != Status::ok) continue;
        std::vector<Match> found;
        expect(index.search(one.queries.data(), count, reach, 1, found) == Status::ok, "search", seed);
        expect(are_equal(found, expected), "the tables find what loops find", seed);
        found.clear();
        expect(scan(rows, one.queries.data(), count, reach, 2, found) == Status::ok, "scan", seed);
        expect(are_equal(found, expected), "a scan finds what loops find", seed);
        found.clear();
        expect(index.search(one.queries.data(), count, bounded, 2, found) == Status::ok, "bounded search", seed);
        expect(are_equal(found, expected_nearest), "the tables find the nearest of each bank", seed);
        found.clear();
        expect(scan(rows, one.queries.data(), count, bounded, 2, found) == Status::ok, "bounded scan", seed);
        expect(are_equal(found, expected_nearest), "a scan finds the nearest of each bank", seed);
        if (one.rows > 0) {
            const std::size_t size = std::min<std::size_t>(one.values.size() * 8, 1 << 20) - below(random, 8);
            checksum(reinterpret_cast<const std::uint8_t*>(one.values.data()), size, 1, sums);
            force_level(Level::generic);
            checksum(reinterpret_cast<const std::uint8_t*>(one.values.data()), size, 1, generic_sums);
            expect(sums[0] == generic_sums[0] && sums[1] == generic_sums[1], "checksums agree", seed);
        }
    }
    // What comes of spoiled tables may be wrong, but it comes from the rows.
    for (int number = 0; number < kLevels; ++number) {
        if (force_level(static_cast<Level>(number)) != Status::ok) continue;
        for (std::uint64_t spoils = 1 + below(random, 20); spoils > 0; --spoils) {
            auto* bytes = reinterpret_cast<std::uint8_t*>(blocks.data());
            bytes[below(random, blocks.size() * sizeof(Block))] = static_cast<std::uint8_t>(random());
            if (!order.empty()) order[below(random, order.size())] = static_cast<std::uint32_t>(random());
        }
        std::vector<Match> found;
        if (index.search(one.queries.data(), count, reach, 1, found) == Status::damaged)
            expect(!are_sound(tables, 1), "damage that stops a search is seen before", seed);
        for (const Match& match : found) expect(match.row < one.rows, "rows exist", seed);
    }
}

} // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 5;
    std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1, cases = 0;
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < seconds) {
        run(seed++);
        ++cases;
    }
    std::printf("%llu cases\n", static_cast<unsigned long long>(cases));
    return 0;
}
