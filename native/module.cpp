// The Python module `preceptor.engines.native._native`: plans are made and run from here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "isa.h"
#include "onednn.h"
#include "plan.h"
#include "tile.h"

namespace nb = nanobind;

namespace preceptor {

namespace {

// What C++ has no kernel for: a Python function, called with the interpreter's lock at its place in the order.
class HostFunction final : public Instruction {
  public:
    explicit HostFunction(nb::callable function) : function_(std::move(function)) {}
    ~HostFunction() override {
        const nb::gil_scoped_acquire lock;
        function_.reset();
    }
    void run(const Context&) const override {
        const nb::gil_scoped_acquire lock;
        function_();
    }

  private:
    nb::callable function_;
};

using WordArray = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// A NumPy array on the plan's own memory. It keeps the memory alive, not the plan: host functions that hold views would
// otherwise keep alive the plan that holds them.
nb::object view(const Plan& plan, int64_t offset, const nb::tuple& shape, nb::handle dtype) {
    const auto arena = plan.arena();
    const auto numpy = nb::module_::import_("numpy");
    const nb::object kind = numpy.attr("dtype")(dtype);
    int64_t bytes = nb::cast<int64_t>(kind.attr("itemsize"));
    for (const nb::handle length : shape) bytes *= nb::cast<int64_t>(length);
    if (offset < 0 || bytes < 0 || offset + bytes > int64_t(arena->size())) {
        throw std::invalid_argument("view: bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes) +
                                    " are outside the plan's memory of " + std::to_string(arena->size()));
    }
    const nb::capsule owner(new std::shared_ptr<Pages>(arena), [](void* pointer) noexcept {
        delete static_cast<std::shared_ptr<Pages>*>(pointer);
    });
    const auto flat = nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(arena->data() + offset, {size_t(bytes)}, owner);
    return nb::cast(flat).attr("view")(kind).attr("reshape")(shape);
}

}  // namespace

}  // namespace preceptor

NB_MODULE(_native, module) {
    using namespace preceptor;

    nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
        try {
            std::rethrow_exception(pointer);
        } catch (const OutOfMemory& error) {
            PyErr_SetString(PyExc_MemoryError, error.what());
        }
    });

    using Numbers = std::vector<int64_t>;
    nb::class_<Plan>(module, "Plan", "Memory and instructions that are run step after step.")
        .def(nb::init<int64_t, int, int>(), nb::arg("arena_bytes"), nb::arg("segments"), nb::arg("threads"))
        .def("add", [](Plan& plan, const std::string& kind, const WordArray& words) {
            plan.add(kind, words.data(), words.shape(0));
        }, nb::arg("kind"), nb::arg("words"))
        .def("add", [](Plan& plan, const std::string& kind, const Numbers& words) {
            plan.add(kind, words.data(), words.size());
        }, nb::arg("kind"), nb::arg("words"))
        .def("add_host", [](Plan& plan, nb::callable function) {
            plan.add(std::make_unique<HostFunction>(std::move(function)));
        }, nb::arg("function"))
        .def("run", &Plan::run, nb::arg("addresses"), nb::arg("strides"), nb::arg("steps"),
             nb::call_guard<nb::gil_scoped_release>())
        .def("profile", &Plan::profile, nb::arg("addresses"), nb::arg("strides"), nb::arg("steps"),
             nb::call_guard<nb::gil_scoped_release>())
        .def("reserve", &Plan::reserve)
        .def("cancel", &Plan::cancel)
        .def_prop_ro("done", &Plan::done)
        .def_prop_ro("scratch_bytes", &Plan::scratch_bytes)
        .def("view", &view, nb::arg("offset"), nb::arg("shape"), nb::arg("dtype"));

    nb::dict operations;
    for (const auto& [name, code] : tile_operations()) operations[name.c_str()] = code;
    module.attr("OPS") = operations;

    module.def("isa", &isa_name);
    module.def("limit_isa", &limit_isa, nb::arg("name"));
    module.def("load_onednn", &load_onednn, nb::arg("path"));
    module.def("onednn_version", &onednn_version);
    module.def("has_bf16", &has_bf16);
    module.def("has_halves", &has_halves);
}
