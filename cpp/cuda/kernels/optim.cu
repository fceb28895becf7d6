#include "cuda/kernels/optim.h"

#include <algorithm>

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

constexpr std::int64_t kBlockElements = 2048;
// Bytes of a launch's parameters: few for few tensors, the most (from CUDA 12.1 on) for the weights of most models.
constexpr int kFewBytes = 4096;
template <class T>
constexpr int kMostBytes = std::is_same_v<T, float> ? 32764 : kFewBytes;

template <int kinds>
struct TableTensor {
  std::int64_t n;
  const void *gradient, *in[kinds];
  void* out[kinds];
};

/// A launch's tensors: number i has the blocks [first_block[i], first_block[i + 1]) of the grid.
template <int kinds, int bytes>
struct UpdateTable {
  static constexpr int capacity =
      (bytes - 128) / static_cast<int>(sizeof(TableTensor<kinds>) + sizeof(unsigned));  // 128: the other parameters
  TableTensor<kinds> tensor[capacity];
  unsigned first_block[capacity + 1];
  int tensors;
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

/// Neighbouring elements of a tensor's gradient, weights and states.
template <class T, int W, int kinds>
struct Elements {
  Pack<T, W> g, x[kinds];

  __device__ void load(const TableTensor<kinds>& tensor, std::int64_t i) {
    g = *reinterpret_cast<const Pack<T, W>*>(static_cast<const T*>(tensor.gradient) + i);
#pragma unroll
    for (int k = 0; k < kinds; ++k)
      x[k] = *reinterpret_cast<const Pack<T, W>*>(static_cast<const T*>(tensor.in[k]) + i);
  }
  template <class Rule>
  __device__ void update(const math_t<T>* c) {
#pragma unroll
    for (int w = 0; w < W; ++w) {
      math_t<T> v[kinds];
#pragma unroll
      for (int k = 0; k < kinds; ++k) v[k] = to_math(x[k].v[w]);
      Rule::step(v[0], to_math(g.v[w]), v + 1, c);
#pragma unroll
      for (int k = 0; k < kinds; ++k) x[k].v[w] = from_math<T>(v[k]);
    }
  }
  __device__ void store(const TableTensor<kinds>& tensor, std::int64_t i) const {
#pragma unroll
    for (int k = 0; k < kinds; ++k) *reinterpret_cast<Pack<T, W>*>(static_cast<T*>(tensor.out[k]) + i) = x[k];
  }
};

/// wide: all tensors are aligned to 16 bytes.
template <class T, class Rule, int bytes>
__global__ void update_kernel(const UpdateTable<1 + Rule::states, bytes> __grid_constant__ table,
                              const StepCoefficients coefficients, const int* guard, bool wide) {
  using M = math_t<T>;
  constexpr int kWidth = 16 / sizeof(T), kinds = 1 + Rule::states;
  int t = 0;
  for (int end = table.tensors; end - t > 1;) {
    const int middle = (t + end) / 2;
    if (blockIdx.x < table.first_block[middle])
      end = middle;
    else
      t = middle;
  }
  const TableTensor<kinds>& tensor = table.tensor[t];
  const std::int64_t first = (blockIdx.x - table.first_block[t]) * kBlockElements;
  const std::int64_t last = first + kBlockElements < tensor.n ? first + kBlockElements : tensor.n;
  const std::int64_t whole = wide ? first + (last - first) / kWidth * kWidth : first;
  std::int64_t i = first + threadIdx.x * kWidth;
  // The first loads are under way while the coefficients are made, the next ones while these are used.
  const bool shut = is_shut(guard);
  Elements<T, kWidth, kinds> now, next;
  if (i < whole) now.load(tensor, i);
  __shared__ M c[Rule::coefficients];
  if (threadIdx.x == 0) read_coefficients<M, Rule::coefficients>(coefficients, c);
  __syncthreads();
  if (shut) return;
  for (; i < whole; i += blockDim.x * kWidth) {
    const std::int64_t after = i + blockDim.x * kWidth;
    if (after < whole) next.load(tensor, after);
    now.template update<Rule>(c);
    now.store(tensor, i);
    now = next;
  }
  for (i = whole + threadIdx.x; i < last; i += blockDim.x) {
    Elements<T, 1, kinds> one;
    one.load(tensor, i);
    one.template update<Rule>(c);
    one.store(tensor, i);
  }
}

template <int kinds>
bool is_wide(const TableTensor<kinds>& tensor) {
  bool wide = is_aligned(tensor.gradient, 16);
  for (int k = 0; k < kinds; ++k) wide = wide && is_aligned(tensor.in[k], 16) && is_aligned(tensor.out[k], 16);
  return wide;
}

/// One launch for as many tensors as its table holds, from *next on.
template <class T, class Rule, int bytes>
void update_some(cudaStream_t stream, const std::vector<const UpdateTensor*>& tensors,
                 const StepCoefficients& coefficients, const int* guard, std::size_t* next) {
  constexpr int kinds = 1 + Rule::states;
  UpdateTable<kinds, bytes> table{};
  static_assert(sizeof table + sizeof coefficients + sizeof guard + sizeof(bool) <= bytes);
  bool wide = true;
  for (; *next < tensors.size() && table.tensors < table.capacity; ++*next) {
    const auto& [n, tile] = *tensors[*next];
    TableTensor<kinds>& entry = table.tensor[table.tensors];
    entry.n = n;
    entry.gradient = tile.gradient;
    std::copy_n(tile.in, kinds, entry.in);
    std::copy_n(tile.out, kinds, entry.out);
    table.first_block[table.tensors + 1] = table.first_block[table.tensors] + blocks_for(n, kBlockElements);
    ++table.tensors;
    wide = wide && is_wide(entry);
  }
  launch(update_kernel<T, Rule, bytes>, table.first_block[table.tensors], kThreads, 0, stream, table, coefficients,
         guard, wide);
}

template <class T, class Rule>
void update_all(cudaStream_t stream, const std::vector<const UpdateTensor*>& tensors,
                const StepCoefficients& coefficients, const int* guard) {
  for (std::size_t next = 0; next < tensors.size();)
    if (tensors.size() - next <= UpdateTable<1 + Rule::states, kFewBytes>::capacity)
      update_some<T, Rule, kFewBytes>(stream, tensors, coefficients, guard, &next);
    else
      update_some<T, Rule, kMostBytes<T>>(stream, tensors, coefficients, guard, &next);
}

template <class T, class... Rules>
auto update_of(UpdateRule rule) {
  static_assert(sizeof...(Rules) == kUpdateRules);
  constexpr decltype(&update_all<T, Sgd>) updates[] = {update_all<T, Rules>...};
  return updates[static_cast<int>(rule)];
}

}  // namespace

void update_tensors(cudaStream_t stream, UpdateRule rule, DType dtype, const std::vector<UpdateTensor>& tensors,
                    const StepCoefficients& coefficients, const int* guard) {
  std::vector<const UpdateTensor*> filled;
  for (const UpdateTensor& tensor : tensors)
    if (tensor.n > 0) filled.push_back(&tensor);
  with_float(dtype, [&]<class T>(T) { update_of<T, DLCORE_UPDATE_RULES>(rule)(stream, filled, coefficients, guard); });
}

}  // namespace dlcore::cuda
