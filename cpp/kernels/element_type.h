// From a dtype at run time to a template argument.
#pragma once

#include <cstdint>

#include "dlcore/dtype.h"
#include "kernels/float16.h"

namespace dlcore {

/// Calls body(T{}) with the element type.
template <class Body>
void with_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::Bool:
      return body(bool{});
    case DType::U8:
      return body(std::uint8_t{});
    case DType::I8:
      return body(std::int8_t{});
    case DType::I32:
      return body(std::int32_t{});
    case DType::I64:
      return body(std::int64_t{});
    case DType::F16:
      return body(Half{});
    case DType::BF16:
      return body(Bfloat{});
    case DType::F32:
      return body(float{});
    case DType::F64:
      return body(double{});
  }
}

}  // namespace dlcore
