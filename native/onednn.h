// oneDNN through its C interface. The library is loaded at run time, so that none is needed to import the module.
#pragma once

#include <dnnl.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "instruction.h"

namespace preceptor {

void load_onednn(const std::string& path);  // throws where the file is missing, or a function in it
std::string onednn_version();
bool has_bf16();    // whether oneDNN's products of bfloat16 are faster than those of float32 on this machine
bool has_halves();  // and Winograd's faster than oneDNN's: not where the processor multiplies matrices (AMX)

namespace onednn {

// Every function of oneDNN that we call.
#define PRECEPTOR_ONEDNN_FUNCTIONS(X)                \
    X(dnnl_version)                                  \
    X(dnnl_get_effective_cpu_isa)                    \
    X(dnnl_set_primitive_cache_capacity)             \
    X(dnnl_engine_create)                            \
    X(dnnl_stream_create)                            \
    X(dnnl_stream_destroy)                           \
    X(dnnl_memory_desc_create_with_strides)          \
    X(dnnl_memory_desc_create_with_tag)              \
    X(dnnl_memory_desc_destroy)                      \
    X(dnnl_memory_desc_equal)                        \
    X(dnnl_memory_desc_get_size)                     \
    X(dnnl_memory_create)                            \
    X(dnnl_memory_destroy)                           \
    X(dnnl_memory_set_data_handle)                   \
    X(dnnl_primitive_attr_create)                    \
    X(dnnl_primitive_attr_destroy)                   \
    X(dnnl_primitive_attr_set_scratchpad_mode)       \
    X(dnnl_primitive_desc_destroy)                   \
    X(dnnl_primitive_desc_query)                     \
    X(dnnl_primitive_desc_query_md)                  \
    X(dnnl_primitive_create)                         \
    X(dnnl_primitive_destroy)                        \
    X(dnnl_primitive_execute)                        \
    X(dnnl_matmul_primitive_desc_create)             \
    X(dnnl_convolution_forward_primitive_desc_create)          \
    X(dnnl_convolution_backward_data_primitive_desc_create)    \
    X(dnnl_convolution_backward_weights_primitive_desc_create) \
    X(dnnl_reorder_primitive_desc_create)

struct Library {
#define X(name) decltype(&::name) name;
    PRECEPTOR_ONEDNN_FUNCTIONS(X)
#undef X
    dnnl_engine_t engine;
    std::string version;
};

bool is_loaded();
const Library& library();  // throws before `load_onednn`

// Handles of oneDNN that are given back when they go.
template <class T, auto destroy>
struct Destroy {
    void operator()(T handle) const { (library().*destroy)(handle); }
};
template <class T, auto destroy>
using Handle = std::unique_ptr<std::remove_pointer_t<T>, Destroy<T, destroy>>;

using Layout = Handle<dnnl_memory_desc_t, &Library::dnnl_memory_desc_destroy>;
using Attributes = Handle<dnnl_primitive_attr_t, &Library::dnnl_primitive_attr_destroy>;
using Description = Handle<dnnl_primitive_desc_t, &Library::dnnl_primitive_desc_destroy>;
using Memory = Handle<dnnl_memory_t, &Library::dnnl_memory_destroy>;
using Primitive = Handle<dnnl_primitive_t, &Library::dnnl_primitive_destroy>;
using Stream = Handle<dnnl_stream_t, &Library::dnnl_stream_destroy>;

void check(dnnl_status_t status, const char* what);
Layout strided(const std::vector<int64_t>& shape, dnnl_data_type_t type, const std::vector<int64_t>& strides);
Layout any_layout(const std::vector<int64_t>& shape, dnnl_data_type_t type);
Attributes attributes();  // scratch memory is ours to give

// oneDNN divides sums among the threads that it sees, and by OpenMP, which does not survive a fork. So it sees one, and we
// divide: into at most so many parts.
constexpr int64_t most_parts = 16;

class OneThread {  // for what the calling thread does within a scope
  public:
    OneThread();
    ~OneThread();
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

  private:
    const int before_;
};

// One primitive with the memories of its arguments, run by one thread at a time, so that their addresses may be set in
// each run; two plans share none of it.
class Operation {
  public:
    struct Argument {
        int kind;  // DNNL_ARG_...
        const_dnnl_memory_desc_t layout;
    };

    Operation() = default;
    Operation(const_dnnl_primitive_desc_t description, std::initializer_list<Argument> arguments);

    size_t scratch_bytes() const { return scratch_bytes_; }
    // Addresses in the order of the arguments.
    void run(std::initializer_list<const void*> addresses, void* scratch) const;

  private:
    struct Bound {
        Memory memory;
        mutable const void* address = nullptr;
    };

    Primitive primitive_;
    Stream stream_;
    std::vector<Bound> bound_;
    std::vector<dnnl_exec_arg_t> arguments_;
    size_t scratch_bytes_ = 0;
};

const_dnnl_memory_desc_t layout_of(const Description& description, dnnl_query_t which);
bool is_slow_reference(const Description& description);  // oneDNN's last resort, hundreds of times slower
Operation reorder(const_dnnl_memory_desc_t from, const_dnnl_memory_desc_t to);

}  // namespace onednn

}  // namespace preceptor
