// Matrix product by oneDNN.
//
// fp32 goes to dnnl_sgemm: it packs both operands, and so takes every layout at nearly the same rate, where oneDNN's
// matmul primitive falls to two thirds of it on transposed or very long operands. bf16 goes to the matmul primitive. It
// is fastest on a b in its own packed format: b is packed in each launch (weights change every step, so that packing
// once would not do) where a has enough rows to pay for it.
//
// Bias, activation and the activation's gradient follow in a pass over rows.
#include <dnnl.hpp>

#include <algorithm>
#include <memory>

#include "core/bf16.h"
#include "cpu/activation.h"
#include "cpu/matmul.h"
#include "cpu/parallel.h"

namespace ingot {
namespace {

using dnnl::memory;

const dnnl::engine& cpu() {
    static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

memory::data_type type_of(const ingot_tensor& t) {
    return t.dtype == INGOT_BF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

/// A matrix as BLAS sees it: rows of the matrix or, if transposed, of its transpose lie `leading` elements apart.
struct Layout {
    explicit Layout(const ingot_tensor& t)
        : transposed(t.strides[1] != 1),
          leading(transposed ? t.strides[1] : t.strides[0]),
          valid(leading >= t.shape[transposed ? 0 : 1] && (!transposed || t.strides[0] == 1 || t.shape[0] == 1)) {}
    const bool transposed;
    const int64_t leading;
    /// False if elements overlap.
    const bool valid;
    memory::dims strides() const { return transposed ? memory::dims{1, leading} : memory::dims{leading, 1}; }
};

/// Where the product goes: the activation is applied to it there, or on the way to y.
const ingot_tensor& product_of(const MatmulCall& c) {
    return c.activation && !c.backward && present(c.aux) ? c.aux : c.y;
}

bool is_fp32(const MatmulCall& c) {
    return c.a.dtype == INGOT_F32;
}

/// Fewest rows of a for which packing b pays.
constexpr int64_t kPackRows = 192;

/// The matmul primitive of a bf16 call; throws dnnl::error if there is none for this processor.
dnnl::matmul::primitive_desc describe(const MatmulCall& c) {
    const auto& product = product_of(c);
    const memory::desc a({c.m, c.k}, type_of(c.a), Layout(c.a).strides());
    const memory::desc y({c.m, c.n}, type_of(product), memory::dims{product.strides[0], 1});
    const memory::desc b = c.m >= kPackRows ? memory::desc({c.k, c.n}, type_of(c.b), memory::format_tag::any)
                                            : memory::desc({c.k, c.n}, type_of(c.b), Layout(c.b).strides());
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (c.accumulate) {
        dnnl::post_ops post;
        post.append_sum(1);
        attributes.set_post_ops(post);
    }
    if (!present(c.bias)) return {dnnl::matmul::desc(a, b, y), attributes, cpu()};
    const memory::desc bias({1, c.n}, type_of(c.bias), memory::dims{c.n, 1});
    return {dnnl::matmul::desc(a, b, bias, y), attributes, cpu()};
}

/// A primitive with its memories, made once; launch gives them their addresses.
struct State {
    explicit State(const MatmulCall& c) {
        const auto d = describe(c);
        primitive = dnnl::matmul(d);
        a = memory(d.src_desc(), cpu(), nullptr);
        b = memory(d.weights_desc(), cpu(), nullptr);
        if (present(c.bias)) bias = memory(d.bias_desc(), cpu(), nullptr);
        y = memory(d.dst_desc(), cpu(), nullptr);
        scratchpad = memory(d.scratchpad_desc(), cpu(), nullptr);
        scratchpad_bytes = (d.scratchpad_desc().get_size() + 63) / 64 * 64;
        const memory::desc given({c.k, c.n}, type_of(c.b), Layout(c.b).strides());
        if (d.weights_desc() == given) return;
        packs = true;
        unpacked = memory(given, cpu(), nullptr);
        const dnnl::reorder::primitive_desc pack_desc(unpacked, b);
        pack = dnnl::reorder(pack_desc);
        packed_bytes = d.weights_desc().get_size();
    }
    uint64_t workspace_bytes() const { return scratchpad_bytes + packed_bytes; }

    dnnl::stream stream{cpu()};
    dnnl::matmul primitive;
    dnnl::reorder pack;
    memory a, b, bias, y, scratchpad, unpacked;
    bool packs = false;
    uint64_t scratchpad_bytes = 0, packed_bytes = 0;
};

void run_primitive(const MatmulCall& c, State& s, char* workspace) {
    const auto place = [&](memory& m, void* address) { m.set_data_handle(address, s.stream); };
    place(s.a, c.a.data);
    place(s.y, product_of(c).data);
    place(s.scratchpad, workspace);
    if (present(c.bias)) place(s.bias, c.bias.data);
    if (s.packs) {
        place(s.unpacked, c.b.data);
        place(s.b, workspace + s.scratchpad_bytes);
        s.pack.execute(s.stream, s.unpacked, s.b);
    } else {
        place(s.b, c.b.data);
    }
    s.primitive.execute(s.stream, {{DNNL_ARG_SRC, s.a},
                                   {DNNL_ARG_WEIGHTS, s.b},
                                   {DNNL_ARG_BIAS, s.bias},
                                   {DNNL_ARG_DST, s.y},
                                   {DNNL_ARG_SCRATCHPAD, s.scratchpad}});
    s.stream.wait();
}

bool run_sgemm(const MatmulCall& c) {
    const Layout a(c.a), b(c.b);
    const auto& product = product_of(c);
    return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', c.m, c.n, c.k, 1, data<float>(c.a), a.leading,
                      data<float>(c.b), b.leading, c.accumulate ? 1 : 0, data<float>(product),
                      product.strides[0]) == dnnl_success;
}

char* row_of(const ingot_tensor& t, int64_t row) {
    return data<char>(t) + row * t.strides[0] * dtype_size(t.dtype);
}

/// Bias (that dnnl_sgemm leaves out) and activation.
void finish(const ingot_kernel_call* call, const MatmulCall& c) {
    const auto& product = product_of(c);
    const bool bias = is_fp32(c) && present(c.bias);
    if (!bias && !c.activation) return;
    parallel_for(call->threads, c.m, std::max<int64_t>(1, 8192 / c.n), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) {
            if (bias) {
                float* to = reinterpret_cast<float*>(row_of(product, row));
                const float* from = data<float>(c.bias);
                for (int64_t i = 0; i < c.n; i++) to[i] += from[i];
            }
            if (c.backward) {
                char* y = row_of(c.y, row);
                activate_backward(c.kind, c.aux.dtype, row_of(c.aux, row), c.y.dtype, y, y, c.n);
            } else if (c.activation) {
                activate(c.kind, product.dtype, row_of(product, row), c.y.dtype, row_of(c.y, row), c.n);
            }
        }
    });
}

int32_t supports(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    if (c.k == 0) return say(call, 0, "K is 0");
    if (!Layout(c.a).valid || !Layout(c.b).valid) return say(call, 0, "elements of a or b overlap");
    if (is_fp32(c))
        return c.y.dtype == INGOT_F32 ? 1 : say(call, 0, "fp32 operands with a bf16 result are not supported");
    try {
        const std::string name = describe(c).impl_info_str();
        if (name.rfind("ref", 0) == 0) return say(call, 0, "oneDNN has no fast bf16 matmul for this processor");
    } catch (const dnnl::error& e) {
        return say(call, 0, std::string("oneDNN: ") + e.what());
    }
    return 1;
}

uint64_t workspace(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    return is_fp32(c) ? 0 : State(c).workspace_bytes();
}

ingot_status prepare(const ingot_kernel_call* call, void** state) {
    const MatmulCall c(call);
    if (is_fp32(c)) return INGOT_OK;
    try {
        *state = new State(c);
    } catch (const std::exception& e) {
        return say(call, INGOT_ERROR_INTERNAL, std::string("oneDNN: ") + e.what());
    }
    return INGOT_OK;
}

void release(void* state) {
    delete static_cast<State*>(state);
}

ingot_status launch(const ingot_kernel_call* call) {
    const MatmulCall c(call);
    if (is_fp32(c)) {
        if (!run_sgemm(c)) return say(call, INGOT_ERROR_INTERNAL, "dnnl_sgemm failed");
    } else {
        try {
            run_primitive(c, *static_cast<State*>(call->state), static_cast<char*>(call->workspace));
        } catch (const std::exception& e) {
            return say(call, INGOT_ERROR_INTERNAL, std::string("oneDNN: ") + e.what());
        }
    }
    finish(call, c);
    return INGOT_OK;
}

}  // namespace

extern const ingot_kernel matmul_onednn = {
    .struct_size = sizeof(ingot_kernel),
    .device_kind = INGOT_DEVICE_CPU,
    .op = "matmul",
    .variant = "onednn",
    .description = "oneDNN, the activation in a pass of its own",
    .priority = 50,
    .reserved = 0,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .launch = launch,
    .cost = matmul_cost,
};
INGOT_REGISTER_KERNEL(matmul_onednn);

}  // namespace ingot
