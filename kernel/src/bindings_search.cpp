// Hamming search for Python: shapes are checked here, nothing else is. The lock is released while C++ works.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>
#include <tuple>

#include "jikimi/checksum.h"
#include "jikimi/multi_index.h"

namespace nb = nanobind;
using namespace jikimi;

namespace {

using InValues = nb::ndarray<const std::uint8_t, nb::shape<-1, 32>, nb::c_contig, nb::device::cpu>;
using InBytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using InBanks = nb::ndarray<const std::uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using InNumbers = nb::ndarray<const std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using InBlocks = nb::ndarray<const std::uint8_t, nb::shape<-1, 64>, nb::c_contig, nb::device::cpu>;
using InOrder = nb::ndarray<const std::uint32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename Item, typename... Shape> using Out = nb::ndarray<nb::numpy, Item, Shape...>;
using Column = Out<std::int64_t, nb::ndim<1>>;
using Columns = std::tuple<Column, Column, Column>;

void check(Status status) {
    if (status == Status::bad_argument) throw nb::value_error("an argument is out of range");
    if (status == Status::damaged) throw std::runtime_error("the tables are damaged");
}

void require(bool is_true, const char* what) {
    if (!is_true) throw nb::value_error(what);
}

// Memory for an array: large ones begin on a huge page and ask for more, which a random access finds faster.
template <typename Item> std::pair<Item*, nb::capsule> room(std::size_t count) {
    constexpr std::size_t huge = std::size_t{1} << 21, page = 4096;
    const std::size_t bytes = std::max<std::size_t>(count * sizeof(Item), 1);
    const std::size_t unit = bytes >= 2 * huge ? huge : bytes >= page ? page : 64;
    const std::size_t size = (bytes + unit - 1) / unit * unit;
    void* place = std::aligned_alloc(unit, size);
    if (place == nullptr) throw std::bad_alloc();
    if (unit == huge) madvise(place, size, MADV_HUGEPAGE);
    return {static_cast<Item*>(place), nb::capsule(place, [](void* memory) noexcept { std::free(memory); })};
}

const std::uint64_t* words(const InValues& values) {
    require(reinterpret_cast<std::uintptr_t>(values.data()) % 8 == 0, "values are not aligned to 8 bytes");
    return reinterpret_cast<const std::uint64_t*>(values.data());
}

std::uint32_t rows_of(const InValues& values) {
    require(values.shape(0) <= kMostRows, "too many rows");
    return static_cast<std::uint32_t>(values.shape(0));
}

Widths widths_of(const InBytes& bits) {
    Widths widths;
    require(bits.shape(0) <= kMostChunks, "too many chunks");
    widths.chunks = static_cast<int>(bits.shape(0));
    std::copy_n(bits.data(), bits.shape(0), widths.bits);
    require(widths.are_sound(), "widths of 1 to 28 bits have to be 256 in all");
    return widths;
}

Rows rows_with(const InValues& values, const InBanks& banks) {
    require(banks.shape(0) == values.shape(0), "a bank for every row");
    return {words(values), rows_of(values), banks.data()};
}

const Block* blocks_of(const InBlocks& blocks) {
    require(reinterpret_cast<std::uintptr_t>(blocks.data()) % alignof(Block) == 0, "blocks are not aligned to 64 bytes");
    return reinterpret_cast<const Block*>(blocks.data());
}

Reach reach_of(const InBanks& limits, std::size_t most) { return {limits.data(), limits.shape(0), most}; }

Column column(const std::vector<Match>& found, std::uint32_t Match::*field) {
    auto [place, owner] = room<std::int64_t>(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) place[i] = found[i].*field;
    return Column(place, {found.size()}, owner);
}

Columns columns(const std::vector<Match>& found) {
    return {column(found, &Match::query), column(found, &Match::row), column(found, &Match::distance)};
}

// Keeps the arrays alive that the index points into.
class Index {
  public:
    Index(InValues values, InBanks banks, InBytes widths, InBlocks blocks, InOrder order)
        : values_(std::move(values)), banks_(std::move(banks)), blocks_(std::move(blocks)), order_(std::move(order)),
          tables_{widths_of(widths), rows_with(values_, banks_), blocks_of(blocks_), order_.data()}, index_(tables_) {
        const auto chunks = static_cast<std::size_t>(tables_.widths.chunks);
        require(blocks_.shape(0) == tables_.widths.blocks(), "a block for every 60 buckets");
        require(order_.shape(0) == chunks - 1 && order_.shape(1) == tables_.rows.count, "an order for every chunk");
    }

    bool is_sound(int threads) const {
        const nb::gil_scoped_release release;
        return are_sound(tables_, threads);
    }

    Columns search(const InValues& queries, const InBanks& limits, int threads, std::size_t most) const {
        std::vector<Match> found;
        const std::uint64_t* asked = words(queries);
        Status status;
        {
            const nb::gil_scoped_release release;
            status = index_.search(asked, queries.shape(0), reach_of(limits, most), threads, found);
        }
        check(status);
        return columns(found);
    }

    std::tuple<std::uint64_t, double> estimate(int radius) const {
        const MultiIndex::Estimate estimate = index_.estimate(radius);
        return {estimate.probes, estimate.candidates};
    }

  private:
    InValues values_;
    InBanks banks_;
    InBlocks blocks_;
    InOrder order_;
    Tables tables_;
    MultiIndex index_;
};

Columns scan_rows(const InValues& values, const InBanks& banks, const InValues& queries, const InBanks& limits,
                  int threads, std::size_t most) {
    const Rows rows = rows_with(values, banks);
    const std::uint64_t* asked = words(queries);
    std::vector<Match> found;
    Status status;
    {
        const nb::gil_scoped_release release;
        status = scan(rows, asked, queries.shape(0), reach_of(limits, most), threads, found);
    }
    check(status);
    return columns(found);
}

std::vector<int> best_widths(std::uint64_t rows) {
    const Widths widths = choose_widths(rows);
    return {widths.bits, widths.bits + widths.chunks};
}

Out<std::uint32_t, nb::ndim<1>> arrange_rows(const InValues& values, const InBytes& bits) {
    const Widths widths = widths_of(bits);
    const std::uint32_t rows = rows_of(values);
    const std::uint64_t* from = words(values);
    auto [place, owner] = room<std::uint32_t>(rows);
    {
        const nb::gil_scoped_release release;
        check(arrange(widths, from, rows, place));
    }
    return {place, {rows}, owner};
}

Out<std::uint8_t, nb::ndim<2>> gather_rows(const InValues& values, const InNumbers& from, int threads) {
    const std::uint32_t rows = rows_of(values);
    require(from.shape(0) == rows, "a place for every row");
    const std::uint64_t* source = words(values);
    auto [place, owner] = room<std::uint64_t>(std::size_t{rows} * kWords);
    {
        const nb::gil_scoped_release release;
        for (std::uint32_t row = 0; row < rows; ++row)
            if (from.data()[row] >= rows) throw std::invalid_argument("a place that is none");
        gather(source, from.data(), rows, threads, place);
    }
    return {reinterpret_cast<std::uint8_t*>(place), {rows, 32}, owner};
}

std::tuple<Out<std::uint8_t, nb::ndim<2>>, Out<std::uint32_t, nb::ndim<2>>>
fill_tables(const InValues& values, const InBytes& bits, int threads) {
    const Widths widths = widths_of(bits);
    const std::uint32_t rows = rows_of(values);
    const std::uint64_t* source = words(values);
    const auto orders = static_cast<std::size_t>(widths.chunks - 1);
    auto [blocks, blocks_owner] = room<Block>(widths.blocks());
    auto [order, order_owner] = room<std::uint32_t>(orders * rows);
    {
        const nb::gil_scoped_release release;
        check(fill(widths, source, rows, blocks, order, threads));
    }
    return {Out<std::uint8_t, nb::ndim<2>>(reinterpret_cast<std::uint8_t*>(blocks), {widths.blocks(), 64}, blocks_owner),
            Out<std::uint32_t, nb::ndim<2>>(order, {orders, rows}, order_owner)};
}

Out<std::uint64_t, nb::ndim<2>> sums(const InBytes& data, int threads) {
    require(reinterpret_cast<std::uintptr_t>(data.data()) % 8 == 0, "data are not aligned to 8 bytes");
    const std::size_t blocks = (data.shape(0) + kSumBlock - 1) / kSumBlock;
    auto [place, owner] = room<std::uint64_t>(2 * blocks);
    {
        const nb::gil_scoped_release release;
        checksum(data.data(), data.shape(0), threads, place);
    }
    return {place, {blocks, 2}, owner};
}

std::vector<std::string> levels() {
    std::vector<std::string> names;
    for (int number = 0; number < kLevels; ++number)
        if (is_available(static_cast<Level>(number))) names.emplace_back(name_of(static_cast<Level>(number)));
    return names;
}

void use_level(const std::string& name) {
    for (int number = 0; number < kLevels; ++number)
        if (name == name_of(static_cast<Level>(number))) return check(force_level(static_cast<Level>(number)));
    throw nb::value_error("no such level");
}

} // namespace

void bind_search(nb::module_& module) {
    module.def("levels", &levels);
    module.def("level", [] { return std::string(name_of(level_in_use())); });
    module.def("use_level", &use_level, nb::arg("name"));
    module.def("choose_widths", &best_widths, nb::arg("rows"));
    module.def("arrange", &arrange_rows, nb::arg("values"), nb::arg("widths"));
    module.def("gather", &gather_rows, nb::arg("values"), nb::arg("places"), nb::arg("threads"));
    module.def("fill", &fill_tables, nb::arg("values"), nb::arg("widths"), nb::arg("threads"));
    module.def("scan", &scan_rows, nb::arg("values"), nb::arg("banks"), nb::arg("queries"), nb::arg("limits"),
               nb::arg("threads"), nb::arg("most") = 0);
    module.def("checksum", &sums, nb::arg("data"), nb::arg("threads"));
    nb::class_<Index>(module, "MultiIndex")
        .def(nb::init<InValues, InBanks, InBytes, InBlocks, InOrder>(), nb::arg("values"), nb::arg("banks"),
             nb::arg("widths"), nb::arg("blocks"), nb::arg("order"))
        .def("is_sound", &Index::is_sound, nb::arg("threads"))
        .def("search", &Index::search, nb::arg("queries"), nb::arg("limits"), nb::arg("threads"),
             nb::arg("most") = 0)
        .def("estimate", &Index::estimate, nb::arg("radius"));
}
