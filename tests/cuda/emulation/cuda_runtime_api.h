// The few names of the CUDA runtime that host code uses, for building the tests without CUDA.
#pragma once

#include <cstddef>
#include <cstring>

typedef struct CUstream_st* cudaStream_t;
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
