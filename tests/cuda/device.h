// The device that the tests run on: the emulator, or a real one.
#pragma once

#include <cstddef>

#include "cuda/context.h"
#include "program/primitive.h"

namespace dlcore::testing {

/// Registers the kernels and makes the context, at the first call.
const cuda::Context& device_context();
/// The registered kernel of a primitive; null when there is none.
const cuda::PlanKernel* device_kernel(std::string_view primitive);

/// Device memory, 256-byte aligned.
void* device_allocate(std::size_t bytes);
void device_free(void* pointer, std::size_t bytes);
void upload(void* device, const void* host, std::size_t bytes);
/// Waits for what is enqueued.
void download(void* host, const void* device, std::size_t bytes);

}  // namespace dlcore::testing
