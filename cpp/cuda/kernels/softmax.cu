#include "cuda/kernels/softmax.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/lines.h"
#include "cuda/kernels/pointwise_math.cuh"

namespace dlcore::cuda {

namespace {

/// The numbers of a tensor as they are computed with.
template <class T>
struct In {
  const T* p;
  __device__ math_t<T> operator[](std::int64_t i) const { return to_math(p[i]); }
};
template <class T>
__device__ void put(T* p, std::int64_t i, math_t<T> v) {
  p[i] = from_math<T>(v);
}

/// m and sum exp(x - m) of a line.
template <class M>
struct Normaliser {
  M m, sum;
};
template <class T>
__device__ Normaliser<math_t<T>> normaliser(const Line& line, In<T> x) {
  using M = math_t<T>;
  const M m = line.maximum<M>([&](std::int64_t i) { return x[line.at(i)]; });
  return {m, line.sum<M>([&](std::int64_t i) { return exp(x[line.at(i)] - m); })};
}

template <class T>
__global__ void softmax_kernel(LineShape s, In<T> x, T* y) {
  const Line line(s);
  const auto n = normaliser(line, x);
  const auto scale = 1 / n.sum;
  line.each([&](std::int64_t i) { put(y, line.at(i), exp(x[line.at(i)] - n.m) * scale); });
}

template <class T>
__global__ void log_softmax_kernel(LineShape s, In<T> x, T* y) {
  const Line line(s);
  const auto n = normaliser(line, x);
  const auto log_sum = log(n.sum);
  line.each([&](std::int64_t i) { put(y, line.at(i), (x[line.at(i)] - n.m) - log_sum); });
}

template <class T>
__global__ void softmax_grad_kernel(LineShape s, In<T> dy, In<T> y, T* dx) {
  const Line line(s);
  const auto dot = line.sum<math_t<T>>([&](std::int64_t i) { return dy[line.at(i)] * y[line.at(i)]; });
  line.each([&](std::int64_t i) { put(dx, line.at(i), y[line.at(i)] * (dy[line.at(i)] - dot)); });
}

template <class T>
__global__ void log_softmax_grad_kernel(LineShape s, In<T> dy, In<T> y, T* dx) {
  const Line line(s);
  const auto total = line.sum<math_t<T>>([&](std::int64_t i) { return dy[line.at(i)]; });
  line.each([&](std::int64_t i) { put(dx, line.at(i), dy[line.at(i)] - exp(y[line.at(i)]) * total); });
}

template <class T>
__global__ void xent_kernel(LineShape s, In<T> logits, In<T> target, T* loss) {
  using M = math_t<T>;
  const Line line(s);
  const auto n = normaliser(line, logits);
  const M weight = line.sum<M>([&](std::int64_t i) { return target[line.at(i)]; });
  const M score = line.sum<M>([&](std::int64_t i) {
    const M t = target[line.at(i)];
    return t == M(0) ? M(0) : t * (logits[line.at(i)] - n.m);
  });
  if (line.leads()) put(loss, line.number, weight * log(n.sum) - score);
}

template <class T>
__global__ void xent_grad_kernel(LineShape s, In<T> dloss, In<T> logits, In<T> target, T* dlogits) {
  using M = math_t<T>;
  const Line line(s);
  const auto n = normaliser(line, logits);
  const M d = line.exists ? dloss[line.number] : M(0);
  const M weight = line.sum<M>([&](std::int64_t i) { return target[line.at(i)]; });
  const M scale = d * weight / n.sum;
  line.each([&](std::int64_t i) {
    put(dlogits, line.at(i), exp(logits[line.at(i)] - n.m) * scale - d * target[line.at(i)]);
  });
}

// ---- class numbers

/// The label of a line: a class, or none where the row counts nothing.
struct Class {
  std::int64_t label;
  bool counts;
};
__device__ Class class_of(const Line& line, const LabelRows& rows, std::int64_t size) {
  if (!line.exists) return {0, false};
  const Labels& labels = rows.labels;
  const std::int64_t label = labels.wide ? static_cast<const std::int64_t*>(labels.data)[line.number]
                                         : static_cast<const std::int32_t*>(labels.data)[line.number];
  if (labels.has_ignored && label == labels.ignored) return {0, false};
  if (label >= 0 && label < size) return {label, true};
  *rows.fault = rows.fault_code;
  return {0, false};
}

template <class T>
__global__ void sparse_softmax_xent_kernel(LineShape s, In<T> logits, LabelRows labels, T* loss) {
  const Line line(s);
  const Class c = class_of(line, labels, s.size);
  const auto n = normaliser(line, logits);
  if (line.leads()) put(loss, line.number, c.counts ? log(n.sum) - (logits[line.at(c.label)] - n.m) : 0);
}

template <class T>
__global__ void sparse_softmax_xent_grad_kernel(LineShape s, In<T> dloss, In<T> logits, LabelRows labels, T* dlogits) {
  using M = math_t<T>;
  const Line line(s);
  const Class c = class_of(line, labels, s.size);
  const auto n = normaliser(line, logits);
  const M d = c.counts ? dloss[line.number] : M(0), scale = d / n.sum;
  line.each([&](std::int64_t i) {
    const M p = c.counts ? exp(logits[line.at(i)] - n.m) * scale : M(0);
    put(dlogits, line.at(i), i == c.label ? p - d : p);
  });
}

template <class T>
__global__ void sparse_xent_kernel(LineShape s, math_t<T> low, math_t<T> high, In<T> probs, LabelRows labels, T* loss) {
  using M = math_t<T>;
  const Line line(s);
  const Class c = class_of(line, labels, s.size);
  const M total = line.sum<M>([&](std::int64_t i) { return probs[line.at(i)]; });
  if (!line.leads()) return;
  const M q = c.counts ? probs[line.at(c.label)] / total : M(1);
  put(loss, line.number, c.counts ? -log(q < low ? low : q > high ? high : q) : M(0));
}

template <class T>
__global__ void sparse_xent_grad_kernel(LineShape s, math_t<T> low, math_t<T> high, In<T> dloss, In<T> probs,
                                        LabelRows labels, T* dprobs) {
  using M = math_t<T>;
  const Line line(s);
  const Class c = class_of(line, labels, s.size);
  const M total = line.sum<M>([&](std::int64_t i) { return probs[line.at(i)]; });
  const M of_label = c.counts ? probs[line.at(c.label)] : M(1), q = of_label / total;
  const M d = c.counts && !(q < low || q > high) ? dloss[line.number] : M(0);
  const M all = d == M(0) ? M(0) : d / total, hit = d == M(0) ? M(0) : d / of_label;
  line.each([&](std::int64_t i) { put(dprobs, line.at(i), i == c.label ? all - hit : all); });
}

// ---- elementwise

template <class T>
__global__ void sigmoid_xent_kernel(std::int64_t n, In<T> logits, In<T> target, T* loss) {
  const std::int64_t i = thread_index();
  if (i >= n) return;
  const auto x = logits[i];
  put(loss, i, (x > 0 ? x : x * 0) - x * target[i] + log1p(exp(-fabs(x))));
}

template <class T>
__global__ void sigmoid_xent_grad_kernel(std::int64_t n, In<T> dloss, In<T> logits, In<T> target, T* dlogits) {
  const std::int64_t i = thread_index();
  if (i < n) put(dlogits, i, dloss[i] * (dlcore_math::op_sigmoid(logits[i]) - target[i]));
}

template <class T>
In<T> in(const void* p) {
  return {static_cast<const T*>(p)};
}

/// Launches `kernel` over lines; T is the element type that body gets.
template <class Body>
void over_lines(DType dtype, std::int64_t outer, std::int64_t size, std::int64_t inner, const Body& body) {
  const LineShape shape(outer, size, inner);
  with_float(dtype, [&]<class T>(T type) { body(type, shape); });
}

}  // namespace

#define DLCORE_LAUNCH(kernel, ...) launch(kernel<T>, s.grid(), s.block(), 0, stream, s, __VA_ARGS__)

void softmax(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* x, void* y) {
  over_lines(dtype, v.outer, v.size, v.inner,
             [&]<class T>(T, const LineShape& s) { DLCORE_LAUNCH(softmax_kernel, in<T>(x), static_cast<T*>(y)); });
}
void log_softmax(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* x, void* y) {
  over_lines(dtype, v.outer, v.size, v.inner,
             [&]<class T>(T, const LineShape& s) { DLCORE_LAUNCH(log_softmax_kernel, in<T>(x), static_cast<T*>(y)); });
}
void softmax_grad(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* dy, const void* y, void* dx) {
  over_lines(dtype, v.outer, v.size, v.inner, [&]<class T>(T, const LineShape& s) {
    DLCORE_LAUNCH(softmax_grad_kernel, in<T>(dy), in<T>(y), static_cast<T*>(dx));
  });
}
void log_softmax_grad(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* dy, const void* y, void* dx) {
  over_lines(dtype, v.outer, v.size, v.inner, [&]<class T>(T, const LineShape& s) {
    DLCORE_LAUNCH(log_softmax_grad_kernel, in<T>(dy), in<T>(y), static_cast<T*>(dx));
  });
}
void softmax_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* logits,
                  const void* target, void* loss) {
  over_lines(dtype, rows, size, 1, [&]<class T>(T, const LineShape& s) {
    DLCORE_LAUNCH(xent_kernel, in<T>(logits), in<T>(target), static_cast<T*>(loss));
  });
}
void softmax_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* dloss,
                       const void* logits, const void* target, void* dlogits) {
  over_lines(dtype, rows, size, 1, [&]<class T>(T, const LineShape& s) {
    DLCORE_LAUNCH(xent_grad_kernel, in<T>(dloss), in<T>(logits), in<T>(target), static_cast<T*>(dlogits));
  });
}
void sparse_softmax_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* logits,
                         const LabelRows& labels, void* loss) {
  over_lines(dtype, rows, size, 1, [&]<class T>(T, const LineShape& s) {
    DLCORE_LAUNCH(sparse_softmax_xent_kernel, in<T>(logits), labels, static_cast<T*>(loss));
  });
}
void sparse_softmax_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* dloss,
                              const void* logits, const LabelRows& labels, void* dlogits) {
  over_lines(dtype, rows, size, 1, [&]<class T>(T, const LineShape& s) {
    DLCORE_LAUNCH(sparse_softmax_xent_grad_kernel, in<T>(dloss), in<T>(logits), labels, static_cast<T*>(dlogits));
  });
}
void sparse_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon,
                 const void* probs, const LabelRows& labels, void* loss) {
  over_lines(dtype, rows, size, 1, [&]<class T>(T, const LineShape& s) {
    const auto low = static_cast<math_t<T>>(epsilon), high = 1 - low;
    DLCORE_LAUNCH(sparse_xent_kernel, low, high, in<T>(probs), labels, static_cast<T*>(loss));
  });
}
void sparse_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon,
                      const void* dloss, const void* probs, const LabelRows& labels, void* dprobs) {
  over_lines(dtype, rows, size, 1, [&]<class T>(T, const LineShape& s) {
    const auto low = static_cast<math_t<T>>(epsilon), high = 1 - low;
    DLCORE_LAUNCH(sparse_xent_grad_kernel, low, high, in<T>(dloss), in<T>(probs), labels, static_cast<T*>(dprobs));
  });
}
#undef DLCORE_LAUNCH

void sigmoid_xent(cudaStream_t stream, DType dtype, std::int64_t n, const void* logits, const void* target,
                  void* loss) {
  with_float(dtype, [&]<class T>(T) {
    launch(sigmoid_xent_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, n, in<T>(logits), in<T>(target),
           static_cast<T*>(loss));
  });
}
void sigmoid_xent_grad(cudaStream_t stream, DType dtype, std::int64_t n, const void* dloss, const void* logits,
                       const void* target, void* dlogits) {
  with_float(dtype, [&]<class T>(T) {
    launch(sigmoid_xent_grad_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, n, in<T>(dloss), in<T>(logits),
           in<T>(target), static_cast<T*>(dlogits));
  });
}

}  // namespace dlcore::cuda
