#include "cuda/kernels/optim.h"

#include <utility>

#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

template <class T>
__device__ T vsqrt(T x) {
  return sqrt(x);
}
template <class T>
__device__ T vmax(T a, T b) {
  return a > b ? a : b;
}
#define DLCORE_RULE __device__
#include "kernels/optim/rules.inc"

constexpr int kTensors = 24;  // of one launch: the table is a kernel parameter of less than 4 KB
constexpr std::int64_t kBlockElements = 4096;

/// Tensor i has the blocks [first_block[i], first_block[i + 1]) of the grid.
struct UpdateTable {
  int tensors;
  unsigned first_block[kTensors + 1];
  UpdateTensor tensor[kTensors];
};

/// c[k] in the weights' precision; lr and step are read here, as they change from step to step.
template <class M, int N>
__device__ void read_coefficients(const StepCoefficients& from, M* c) {
  for (int k = 0; k < N; ++k) c[k] = static_cast<M>(from.known[k]);
  const M lr = static_cast<M>(*from.lr);
  c[0] = lr;
  if (!from.step) return;
  // lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)
  const M t = static_cast<M>(*from.step + 1);
  const M beta_1 = static_cast<M>(1 - from.known[1]), beta_2 = static_cast<M>(1 - from.known[2]);
  c[0] = lr * sqrt(1 - static_cast<M>(pow(beta_2, t))) / (1 - static_cast<M>(pow(beta_1, t)));
  if (N > 5) c[5] = lr;
}

template <class T, int W, class Rule>
__device__ void update_pack(const UpdateTile& tile, std::int64_t i, const math_t<T>* c) {
  constexpr int kinds = 1 + Rule::states;
  using P = Pack<T, W>;
  const P g = *reinterpret_cast<const P*>(static_cast<const T*>(tile.gradient) + i);
  P x[kinds];
#pragma unroll
  for (int k = 0; k < kinds; ++k) x[k] = *reinterpret_cast<const P*>(static_cast<const T*>(tile.in[k]) + i);
#pragma unroll
  for (int w = 0; w < W; ++w) {
    math_t<T> v[kinds];
#pragma unroll
    for (int k = 0; k < kinds; ++k) v[k] = to_math(x[k].v[w]);
    Rule::step(v[0], to_math(g.v[w]), v + 1, c);
#pragma unroll
    for (int k = 0; k < kinds; ++k) x[k].v[w] = from_math<T>(v[k]);
  }
#pragma unroll
  for (int k = 0; k < kinds; ++k) *reinterpret_cast<P*>(static_cast<T*>(tile.out[k]) + i) = x[k];
}

/// wide: all tensors are aligned to 16 bytes.
template <class T, class Rule>
__global__ void update_kernel(UpdateTable table, StepCoefficients coefficients, bool wide) {
  using M = math_t<T>;
  constexpr int kWidth = 16 / sizeof(T);
  __shared__ M c[Rule::coefficients];
  if (threadIdx.x == 0) read_coefficients<M, Rule::coefficients>(coefficients, c);
  __syncthreads();
  int t = 0;
  while (blockIdx.x >= table.first_block[t + 1]) ++t;
  const UpdateTensor& tensor = table.tensor[t];
  const std::int64_t first = (blockIdx.x - table.first_block[t]) * kBlockElements;
  const std::int64_t last = first + kBlockElements < tensor.n ? first + kBlockElements : tensor.n;
  const std::int64_t whole = wide ? first + (last - first) / kWidth * kWidth : first;
  for (std::int64_t i = first + threadIdx.x * kWidth; i < whole; i += blockDim.x * kWidth)
    update_pack<T, kWidth, Rule>(tensor.tile, i, c);
  for (std::int64_t i = whole + threadIdx.x; i < last; i += blockDim.x) update_pack<T, 1, Rule>(tensor.tile, i, c);
}

template <class T, class... Rules>
auto kernel_of(UpdateRule rule) {
  using Kernel = void (*)(UpdateTable, StepCoefficients, bool);
  constexpr Kernel kernels[] = {update_kernel<T, Rules>...};
  static_assert(sizeof...(Rules) == kUpdateRules);
  return kernels[static_cast<int>(rule)];
}

bool is_wide(const UpdateTensor& tensor, int states) {
  bool wide = is_aligned(tensor.tile.gradient, 16);
  for (int k = 0; k <= states; ++k)
    wide = wide && is_aligned(tensor.tile.in[k], 16) && is_aligned(tensor.tile.out[k], 16);
  return wide;
}

constexpr int kStates[] = {0, 1, 1, 1, 2, 2, 3, 2, 3, 1};  // by rule

}  // namespace

void update_tensors(cudaStream_t stream, UpdateRule rule, DType dtype, const std::vector<UpdateTensor>& tensors,
                    const StepCoefficients& coefficients) {
  std::size_t next = 0;
  while (next < tensors.size()) {
    UpdateTable table{};
    bool wide = true;
    unsigned blocks = 0;
    for (; next < tensors.size() && table.tensors < kTensors; ++next) {
      if (tensors[next].n == 0) continue;
      table.tensor[table.tensors] = tensors[next];
      blocks += blocks_for(tensors[next].n, kBlockElements);
      table.first_block[++table.tensors] = blocks;
      wide = wide && is_wide(tensors[next], kStates[static_cast<int>(rule)]);
    }
    with_float(dtype, [&]<class T>(T) {
      launch(kernel_of<T, DLCORE_UPDATE_RULES>(rule), blocks, kThreads, 0, stream, table, coefficients, wide);
    });
  }
}

}  // namespace dlcore::cuda
