// What matmul and conv2d do to their result on the way out: a bias per column, then an activation.
#pragma once

#include "kernels/activation.h"
#include "program/primitive.h"

namespace dlcore {

/// The attribute "activation"; none by default. Throws on a name that is none of the epilogue's.
Activation read_activation(const Attrs& attrs);

/// Gradient in front of the activation of a primitive with that attribute: dout[0] times its derivative.
Tensor before_activation(const VjpContext& context, std::string_view op);

/// The attributes without "activation".
Attrs without_activation(const Attrs& attrs);

}  // namespace dlcore
