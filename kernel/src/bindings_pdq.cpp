// PDQ for Python: shapes are checked here, the interpreter's lock is released, nothing is computed.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "jikimi/jpeg.h"
#include "jikimi/pdq.h"
#include "pdq_loops.h"

namespace nb = nanobind;
namespace pdq = jikimi::pdq;

namespace {

using Colours = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, -1>, nb::c_contig, nb::device::cpu>;
using Luma = nb::ndarray<const float, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;
using Sample = nb::ndarray<const float, nb::shape<pdq::kSide, pdq::kSide>, nb::c_contig, nb::device::cpu>;
using NewSample = nb::ndarray<nb::numpy, float, nb::shape<pdq::kSide, pdq::kSide>, nb::c_contig>;

NewSample give(std::vector<float>&& values) {
    auto* kept = new std::vector<float>(std::move(values));
    nb::capsule owner(kept, [](void* pointer) noexcept { delete static_cast<std::vector<float>*>(pointer); });
    return NewSample(kept->data(), {pdq::kSide, pdq::kSide}, owner);
}

pdq::Pixels pixels_of(std::size_t channels) {
    switch (channels) {
        case 1: return pdq::Pixels::kGrey8;
        case 3: return pdq::Pixels::kRgb8;
        case 4: return pdq::Pixels::kRgbx8;
        default: throw nb::value_error("a pixel has 1, 3 or 4 bytes");
    }
}

template <typename Value>
NewSample reduce_rows(const Value* first, std::size_t rows, std::size_t cols, pdq::Pixels pixels, std::size_t stride) {
    if (std::max(rows, cols) > pdq::kLongestSide) throw nb::value_error("a side is too long");
    std::vector<float> sample(pdq::kSide * pdq::kSide);
    {
        nb::gil_scoped_release released;
        pdq::Reducer reducer(rows, cols, pixels);
        for (std::size_t y = 0; y < rows; ++y) reducer.add(first + y * stride);
        reducer.finish(sample.data());
    }
    return give(std::move(sample));
}

NewSample reduce(Colours pixels) {
    const std::size_t rows = pixels.shape(0), cols = pixels.shape(1), channels = pixels.shape(2);
    return reduce_rows(pixels.data(), rows, cols, pixels_of(channels), cols * channels);
}

NewSample reduce_luma(Luma luma) {
    const std::size_t rows = luma.shape(0), cols = luma.shape(1);
    return reduce_rows(luma.data(), rows, cols, pdq::Pixels::kLuma32, cols);
}

std::vector<std::string> levels() {
    std::vector<std::string> names;
    for (const char* name : pdq::levels()) names.emplace_back(name);
    return names;
}

void use_level(const std::string& name) {
    if (!pdq::use_level(name.c_str())) throw nb::value_error("this processor or this build has no such level");
}

nb::tuple fingerprint(Sample sample) {
    std::uint8_t hash[pdq::kHashBytes];
    const int quality = pdq::fingerprint(sample.data(), hash);
    return nb::make_tuple(nb::bytes(reinterpret_cast<const char*>(hash), sizeof hash), quality);
}

nb::list dihedral(Sample sample) {
    std::uint8_t hashes[pdq::kVariants][pdq::kHashBytes];
    pdq::dihedral(sample.data(), hashes[0]);
    nb::list all;
    for (const auto& hash : hashes) all.append(nb::bytes(reinterpret_cast<const char*>(hash), sizeof hash));
    return all;
}

const std::uint8_t* bytes_of(const nb::bytes& bytes) { return static_cast<const std::uint8_t*>(bytes.data()); }

nb::object jpeg_sample(nb::bytes untrusted_bytes, std::size_t width, std::size_t height, int orientation) {
    std::vector<float> sample(pdq::kSide * pdq::kSide);
    bool is_done;
    {
        nb::gil_scoped_release released;
        is_done = jikimi::jpeg::sample(bytes_of(untrusted_bytes), untrusted_bytes.size(), {width, height},
                                       orientation, sample.data());
    }
    return is_done ? nb::cast(give(std::move(sample))) : nb::none();
}

nb::object jpeg_pixels(nb::bytes untrusted_bytes, std::size_t width, std::size_t height) {
    auto* rgb = new std::vector<std::uint8_t>(width * height * 3);
    nb::capsule owner(rgb, [](void* pointer) noexcept { delete static_cast<std::vector<std::uint8_t>*>(pointer); });
    if (!jikimi::jpeg::pixels(bytes_of(untrusted_bytes), untrusted_bytes.size(), {width, height}, rgb->data())) {
        return nb::none();
    }
    return nb::cast(nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<3>>(rgb->data(), {height, width, 3}, owner));
}

}  // namespace

void bind_pdq(nb::module_& module) {
    module.def("pdq_reduce", &reduce, nb::arg("pixels"));
    module.def("pdq_reduce_luma", &reduce_luma, nb::arg("luma"));
    module.def("pdq_fingerprint", &fingerprint, nb::arg("sample"));
    module.def("pdq_dihedral", &dihedral, nb::arg("sample"));
    module.def("jpeg_version", &jikimi::jpeg::version);
    module.def("jpeg_sample", &jpeg_sample, nb::arg("untrusted_bytes"), nb::arg("width"), nb::arg("height"),
               nb::arg("orientation") = 1);
    module.def("jpeg_pixels", &jpeg_pixels, nb::arg("untrusted_bytes"), nb::arg("width"), nb::arg("height"));
    module.def("pdq_levels", &levels);
    module.def("pdq_level", &pdq::level);
    module.def("pdq_use_level", &use_level, nb::arg("name"));
    module.attr("PDQ_LONGEST_SIDE") = pdq::kLongestSide;
}
