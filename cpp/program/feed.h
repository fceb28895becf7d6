// Gathering a batch's rows from the user's arrays, and scattering outputs back, converting dtypes on the way.
#pragma once

#include <cstdint>

#include "dlcore/program.h"

namespace dlcore {

/// Throws an Index error unless the rows order[first + i], or first + i without an order, i < count, are all there.
void expect_rows(const Rows& rows, const std::int64_t* order, std::int64_t first, std::int64_t count);

/// out[i] = source row (order ? order[first + i] : first + i), i < count, converted to dtype. Throws an Index error
/// when a row is not in the source.
void gather_rows(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
                 void* out);

/// Rows [first, first + count) of destination = in, converted from dtype. Throws as gather_rows does.
void write_rows(const Rows& destination, std::int64_t first, std::int64_t count, DType dtype, const void* in);

}  // namespace dlcore
