// PDQ for Python: shapes are checked here, the interpreter's lock is released, nothing is computed.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <vector>

#include "jikimi/pdq.h"
#include "pdq_loops.h"

namespace nb = nanobind;
namespace pdq = jikimi::pdq;

namespace {

using Colours = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, -1>, nb::c_contig, nb::device::cpu>;
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

NewSample reduce(Colours pixels, int orientation) {
    const std::size_t rows = pixels.shape(0), cols = pixels.shape(1), channels = pixels.shape(2);
    const pdq::Pixels kind = pixels_of(channels);
    std::vector<float> sample(pdq::kSide * pdq::kSide);
    {
        nb::gil_scoped_release released;
        pdq::Reducer reducer(rows, cols, kind, pdq::turn_of(orientation));
        for (std::size_t y = 0; y < rows; ++y) reducer.add(pixels.data() + y * cols * channels);
        reducer.finish(sample.data());
    }
    return give(std::move(sample));
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

}  // namespace

void bind_pdq(nb::module_& module) {
    module.def("pdq_reduce", &reduce, nb::arg("pixels"), nb::arg("orientation") = 1);
    module.def("pdq_fingerprint", &fingerprint, nb::arg("sample"));
    module.def("pdq_dihedral", &dihedral, nb::arg("sample"));
    module.def("pdq_level", &pdq::level_name);
    module.def("pdq_force_level", &pdq::force_level, nb::arg("level"));
}
