#include "onednn.h"

#include <dlfcn.h>
#include <omp.h>

#include <mutex>

#include "isa.h"
#include "kernels.h"

namespace preceptor {

namespace onednn {

namespace {

// One library serves the process: oneDNN itself keeps one cache of compiled kernels and one set of settings.
std::unique_ptr<Library> loaded;
std::mutex loading;

// Enough for some plans of dozens of products each; oneDNN's own default of 1,024 keeps four times the memory.
constexpr int cached_primitives = 256;

template <class Function>
void find(void* file, const char* name, Function& function, const std::string& path) {
    function = reinterpret_cast<Function>(dlsym(file, name));
    if (!function) throw std::runtime_error(path + " has no function " + name + "; oneDNN 3 is required");
}

}  // namespace

}  // namespace onednn

void load_onednn(const std::string& path) {
    using namespace onednn;
    const std::lock_guard<std::mutex> lock(loading);
    if (loaded) return;
    void* file = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!file) throw std::runtime_error(std::string("oneDNN cannot be loaded: ") + dlerror());
    auto library = std::make_unique<Library>();
#define X(name) find(file, #name, library->name, path);
    PRECEPTOR_ONEDNN_FUNCTIONS(X)
#undef X
    const dnnl_version_t* version = library->dnnl_version();
    library->version = std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                       std::to_string(version->patch);
    if (version->major != 3) {
        throw std::runtime_error(path + " is oneDNN " + library->version + "; version 3 is required");
    }
    check(library->dnnl_engine_create(&library->engine, dnnl_cpu, 0), "an engine");
    check(library->dnnl_set_primitive_cache_capacity(cached_primitives), "a bounded cache");
    loaded = std::move(library);
}

std::string onednn_version() { return onednn::library().version; }

namespace {

bool has(dnnl_cpu_isa_t set) {
    return onednn::is_loaded() && isa() == Isa::avx512 &&
           (onednn::library().dnnl_get_effective_cpu_isa() & set) == set;
}

}  // namespace

bool has_bf16() { return has(dnnl_cpu_isa_avx512_core_bf16); }
bool has_halves() { return has_bf16() && half_kernels() && !has(dnnl_cpu_isa_avx512_core_amx); }

namespace onednn {

bool is_loaded() { return loaded != nullptr; }

const Library& library() {
    if (!loaded) throw std::runtime_error("oneDNN is not loaded; call load_onednn(path) first");
    return *loaded;
}

void check(dnnl_status_t status, const char* what) {
    if (status == dnnl_success) return;
    const char* reason = status == dnnl_out_of_memory      ? "out of memory"
                         : status == dnnl_invalid_arguments ? "invalid arguments"
                         : status == dnnl_unimplemented     ? "not implemented"
                                                            : "runtime error";
    throw std::runtime_error(std::string("oneDNN could not make ") + what + ": " + reason);
}

Layout strided(const std::vector<int64_t>& shape, dnnl_data_type_t type, const std::vector<int64_t>& strides) {
    dnnl_memory_desc_t layout;
    const auto axes = static_cast<int>(shape.size());
    check(library().dnnl_memory_desc_create_with_strides(&layout, axes, shape.data(), type, strides.data()),
          "a layout");
    return Layout(layout);
}

Layout any_layout(const std::vector<int64_t>& shape, dnnl_data_type_t type) {
    dnnl_memory_desc_t layout;
    const auto axes = static_cast<int>(shape.size());
    check(library().dnnl_memory_desc_create_with_tag(&layout, axes, shape.data(), type, dnnl_format_tag_any),
          "a layout");
    return Layout(layout);
}

Attributes attributes() {
    const Library& dnnl = library();
    dnnl_primitive_attr_t handle;
    check(dnnl.dnnl_primitive_attr_create(&handle), "attributes");
    Attributes attributes(handle);
    check(dnnl.dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user), "attributes");
    return attributes;
}

OneThread::OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThread::~OneThread() { omp_set_num_threads(before_); }

Operation::Operation(const_dnnl_primitive_desc_t description, std::initializer_list<Argument> arguments) {
    const Library& dnnl = library();
    dnnl_primitive_t primitive;
    check(dnnl.dnnl_primitive_create(&primitive, description), "a primitive");
    primitive_.reset(primitive);
    dnnl_stream_t stream;
    check(dnnl.dnnl_stream_create(&stream, dnnl.engine, dnnl_stream_default_flags), "a stream");
    stream_.reset(stream);
    const auto add = [&](int kind, const_dnnl_memory_desc_t layout) {
        dnnl_memory_t memory;
        check(dnnl.dnnl_memory_create(&memory, layout, dnnl.engine, DNNL_MEMORY_NONE), "a memory");
        bound_.push_back({Memory(memory)});
        arguments_.push_back({kind, memory});
    };
    for (const auto& [kind, layout] : arguments) add(kind, layout);
    const auto scratch = dnnl.dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    scratch_bytes_ = dnnl.dnnl_memory_desc_get_size(scratch);
    add(DNNL_ARG_SCRATCHPAD, scratch);
}

void Operation::run(std::initializer_list<const void*> addresses, void* scratch) const {
    const Library& dnnl = library();
    const OneThread scope;
    const auto bind = [&](const Bound& bound, const void* address) {
        if (bound.address == address) return;
        check(dnnl.dnnl_memory_set_data_handle(bound.memory.get(), const_cast<void*>(address)), "an address");
        bound.address = address;
    };
    auto bound = bound_.begin();
    for (const void* address : addresses) bind(*bound++, address);
    bind(*bound, scratch);
    check(dnnl.dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()),
                                      arguments_.data()),
          "a result");
}

const_dnnl_memory_desc_t layout_of(const Description& description, dnnl_query_t which) {
    return library().dnnl_primitive_desc_query_md(description.get(), which, 0);
}

bool is_slow_reference(const Description& description) {
    const char* name = "";
    check(library().dnnl_primitive_desc_query(description.get(), dnnl_query_impl_info_str, 0, &name), "a name");
    return std::strncmp(name, "ref", 3) == 0;
}

Operation reorder(const_dnnl_memory_desc_t from, const_dnnl_memory_desc_t to) {
    const Library& dnnl = library();
    dnnl_primitive_desc_t handle;
    check(dnnl.dnnl_reorder_primitive_desc_create(&handle, from, dnnl.engine, to, dnnl.engine, attributes().get()),
          "a reorder");
    const Description description(handle);
    return Operation(handle, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

}  // namespace onednn

}  // namespace preceptor
