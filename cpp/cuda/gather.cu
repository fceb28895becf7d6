#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <type_traits>

#include "cuda/check.h"
#include "cuda/gather.h"

namespace dlcore::cuda {

namespace {

template <class T>
__device__ auto widen(T x) {
  if constexpr (std::is_same_v<T, __half>)
    return __half2float(x);
  else if constexpr (std::is_same_v<T, __nv_bfloat16>)
    return __bfloat162float(x);
  else
    return x;
}

// As convert() of the core's feed.cpp: numbers that an integer can't hold become its least value.
template <class To, class From>
__device__ To convert(From from) {
  const auto x = widen(from);
  using X = std::remove_const_t<decltype(x)>;
  if constexpr (std::is_same_v<To, __half>)
    return __float2half_rn(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, __nv_bfloat16>)
    return __float2bfloat16_rn(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, bool>)
    return x != X(0);
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<X>)
    return x >= X(-9.2e18) && x <= X(9.2e18) ? static_cast<To>(static_cast<std::int64_t>(x))
                                             : static_cast<To>(INT64_MIN);
  else
    return static_cast<To>(x);
}

template <class To>
__device__ To load(const void* source, DType dtype, std::int64_t i) {
  switch (dtype) {  // the same for all threads
    case DType::Bool:
      return convert<To>(static_cast<const bool*>(source)[i]);
    case DType::U8:
      return convert<To>(static_cast<const std::uint8_t*>(source)[i]);
    case DType::I8:
      return convert<To>(static_cast<const std::int8_t*>(source)[i]);
    case DType::I32:
      return convert<To>(static_cast<const std::int32_t*>(source)[i]);
    case DType::I64:
      return convert<To>(static_cast<const std::int64_t*>(source)[i]);
    case DType::F16:
      return convert<To>(static_cast<const __half*>(source)[i]);
    case DType::BF16:
      return convert<To>(static_cast<const __nv_bfloat16*>(source)[i]);
    case DType::F32:
      return convert<To>(static_cast<const float*>(source)[i]);
    case DType::F64:
      return convert<To>(static_cast<const double*>(source)[i]);
  }
  return To();
}

// One thread per element, in a loop over the grid.
template <class To>
__global__ void gather_kernel(const void* source, DType dtype, const std::int64_t* order, std::int64_t first,
                              std::int64_t count, std::int64_t row_elements, To* to) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count * row_elements;
       i += stride) {
    const std::int64_t batch_row = i / row_elements, column = i - batch_row * row_elements;
    const std::int64_t row = order ? order[first + batch_row] : first + batch_row;
    to[i] = load<To>(source, dtype, row * row_elements + column);
  }
}

}  // namespace

void gather_rows(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
                 std::byte* to, cudaStream_t stream) {
  constexpr int kThreads = 256;
  const std::int64_t elements = count * source.row_elements;
  if (elements == 0) return;
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>((elements + kThreads - 1) / kThreads, 1 << 14));
  const auto launch = [&]<class To>(To*) {
    gather_kernel<<<blocks, kThreads, 0, stream>>>(source.data, source.dtype, order, first, count, source.row_elements,
                                                   reinterpret_cast<To*>(to));
    DLCORE_CUDA_CHECK(cudaGetLastError());
  };
  switch (dtype) {
    case DType::Bool:
      return launch(static_cast<bool*>(nullptr));
    case DType::U8:
      return launch(static_cast<std::uint8_t*>(nullptr));
    case DType::I8:
      return launch(static_cast<std::int8_t*>(nullptr));
    case DType::I32:
      return launch(static_cast<std::int32_t*>(nullptr));
    case DType::I64:
      return launch(static_cast<std::int64_t*>(nullptr));
    case DType::F16:
      return launch(static_cast<__half*>(nullptr));
    case DType::BF16:
      return launch(static_cast<__nv_bfloat16*>(nullptr));
    case DType::F32:
      return launch(static_cast<float*>(nullptr));
    case DType::F64:
      return launch(static_cast<double*>(nullptr));
  }
}

}  // namespace dlcore::cuda
