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

/// m, exp(x - m) and its sum, of a line.
template <class M, class V>
struct Normaliser {
  M m, sum;
  V exps;
};
template <class L, class V>
__device__ auto normaliser(const L& line, const V& x) {
  const auto m = line.maximum(x);
  const auto exps = line.map([=](auto v) { return exp(v - m); }, x);
  const auto sum = line.sum(exps);
  return Normaliser<decltype(sum), decltype(exps)>{m, sum, exps};
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2) softmax_kernel(LineShape s, const T* x, T* y) {
  const Line<T, W, N> line(s);
  const auto n = normaliser(line, line.load(x));
  const auto scale = 1 / n.sum;
  line.store(y, line.map([=](auto e) { return e * scale; }, n.exps));
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2) log_softmax_kernel(LineShape s, const T* x, T* y) {
  const Line<T, W, N> line(s);
  const auto values = line.load(x);
  const auto n = normaliser(line, values);
  const auto m = n.m, log_sum = log(n.sum);
  line.store(y, line.map([=](auto v) { return (v - m) - log_sum; }, values));
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    softmax_grad_kernel(LineShape s, const T* dy, const T* y, T* dx) {
  const Line<T, W, N> line(s);
  const auto d = line.load(dy), p = line.load(y);
  const auto dot = line.sum(line.map([](auto d, auto p) { return d * p; }, d, p));
  line.store(dx, line.map([=](auto d, auto p) { return p * (d - dot); }, d, p));
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    log_softmax_grad_kernel(LineShape s, const T* dy, const T* y, T* dx) {
  const Line<T, W, N> line(s);
  const auto d = line.load(dy), log_p = line.load(y);
  const auto total = line.sum(d);
  line.store(dx, line.map([=](auto d, auto log_p) { return d - exp(log_p) * total; }, d, log_p));
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    xent_kernel(LineShape s, const T* logits, const T* target, T* loss) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const auto x = line.load(logits), t = line.load(target);
  const auto n = normaliser(line, x);
  const M m = n.m, weight = line.sum(t);
  const M score = line.sum(line.map([=](M x, M t) { return t == M(0) ? M(0) : t * (x - m); }, x, t));
  if (line.leads()) put(loss, line.number, weight * log(n.sum) - score);
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    xent_grad_kernel(LineShape s, const T* dloss, const T* logits, const T* target, T* dlogits) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const auto x = line.load(logits), t = line.load(target);
  const auto n = normaliser(line, x);
  const M d = line.exists ? to_math(dloss[line.number]) : M(0);
  const M scale = d * line.sum(t) / n.sum;
  line.store(dlogits, line.map([=](M e, M t) { return e * scale - d * t; }, n.exps, t));
}

// ---- class numbers

/// The label of a line: a class, or none where the row counts nothing.
struct Class {
  std::int64_t label;
  bool counts;
};
template <class L>
__device__ Class class_of(const L& line, const LabelRows& rows, std::int64_t size) {
  if (!line.exists) return {0, false};
  const Labels& labels = rows.labels;
  const std::int64_t label = labels.wide ? static_cast<const std::int64_t*>(labels.data)[line.number]
                                         : static_cast<const std::int32_t*>(labels.data)[line.number];
  if (labels.has_ignored && label == labels.ignored) return {0, false};
  if (label >= 0 && label < size) return {label, true};
  report(rows.fault, label, line.number);
  return {0, false};
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    sparse_softmax_xent_kernel(LineShape s, const T* logits, LabelRows labels, T* loss) {
  const Line<T, W, N> line(s);
  const Class c = class_of(line, labels, s.size);
  const auto n = normaliser(line, line.load(logits));
  if (line.leads()) put(loss, line.number, c.counts ? log(n.sum) - (to_math(logits[line.at(c.label)]) - n.m) : 0);
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    sparse_softmax_xent_grad_kernel(LineShape s, const T* dloss, const T* logits, LabelRows labels, T* dlogits) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const Class c = class_of(line, labels, s.size);
  const auto n = normaliser(line, line.load(logits));
  const M d = c.counts ? to_math(dloss[line.number]) : M(0), scale = d / n.sum;
  line.store(dlogits, line.map(
                          [=](M e, auto i) {
                            const M p = c.counts ? e * scale : M(0);
                            return i == c.label ? p - d : p;
                          },
                          n.exps, Positions()));
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    sparse_xent_kernel(LineShape s, math_t<T> low, math_t<T> high, const T* probs, LabelRows labels, T* loss) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const Class c = class_of(line, labels, s.size);
  const M total = line.sum(line.load(probs));
  if (!line.leads()) return;
  const M q = c.counts ? to_math(probs[line.at(c.label)]) / total : M(1);
  put(loss, line.number, c.counts ? -log(q < low ? low : q > high ? high : q) : M(0));
}

template <class T, int W, int N>
__global__ void __launch_bounds__(kMostLineThreads, 2)
    sparse_xent_grad_kernel(LineShape s, math_t<T> low, math_t<T> high, const T* dloss, const T* probs,
                            LabelRows labels, T* dprobs) {
  using M = math_t<T>;
  const Line<T, W, N> line(s);
  const Class c = class_of(line, labels, s.size);
  const M total = line.sum(line.load(probs));
  const M of_label = c.counts ? to_math(probs[line.at(c.label)]) : M(1), q = of_label / total;
  const M d = c.counts && !(q < low || q > high) ? to_math(dloss[line.number]) : M(0);
  const M all = d == M(0) ? M(0) : d / total, hit = d == M(0) ? M(0) : d / of_label;
  line.store(dprobs, line.map([=](auto i) { return i == c.label ? all - hit : all; }, Positions()));
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

/// keep: what kernels that read their lines more than once ask for.
template <bool keep = true, class Body>
void over_lines(DType dtype, std::int64_t outer, std::int64_t size, std::int64_t inner,
                std::initializer_list<const void*> memory, const Body& body) {
  with_float(dtype, [&]<class T>(T) { with_lines<T, keep>(outer, size, inner, memory, body); });
}

}  // namespace

#define DLCORE_LAUNCH(kernel, ...) launch_lines(kernel<T, W, N>, stream, s, __VA_ARGS__)

void softmax(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* x, void* y) {
  over_lines(dtype, v.outer, v.size, v.inner, {x, y}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(softmax_kernel, static_cast<const T*>(x), static_cast<T*>(y));
  });
}
void log_softmax(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* x, void* y) {
  over_lines(dtype, v.outer, v.size, v.inner, {x, y}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(log_softmax_kernel, static_cast<const T*>(x), static_cast<T*>(y));
  });
}
void softmax_grad(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* dy, const void* y, void* dx) {
  over_lines(dtype, v.outer, v.size, v.inner, {dy, y, dx}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(softmax_grad_kernel, static_cast<const T*>(dy), static_cast<const T*>(y), static_cast<T*>(dx));
  });
}
void log_softmax_grad(cudaStream_t stream, DType dtype, const SoftmaxView& v, const void* dy, const void* y, void* dx) {
  over_lines(dtype, v.outer, v.size, v.inner, {dy, y, dx}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(log_softmax_grad_kernel, static_cast<const T*>(dy), static_cast<const T*>(y), static_cast<T*>(dx));
  });
}
void softmax_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* logits,
                  const void* target, void* loss) {
  over_lines(dtype, rows, size, 1, {logits, target}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(xent_kernel, static_cast<const T*>(logits), static_cast<const T*>(target), static_cast<T*>(loss));
  });
}
void softmax_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* dloss,
                       const void* logits, const void* target, void* dlogits) {
  over_lines(dtype, rows, size, 1, {logits, target, dlogits}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(xent_grad_kernel, static_cast<const T*>(dloss), static_cast<const T*>(logits),
                  static_cast<const T*>(target), static_cast<T*>(dlogits));
  });
}
void sparse_softmax_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* logits,
                         const LabelRows& labels, void* loss) {
  over_lines(dtype, rows, size, 1, {logits}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(sparse_softmax_xent_kernel, static_cast<const T*>(logits), labels, static_cast<T*>(loss));
  });
}
void sparse_softmax_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* dloss,
                              const void* logits, const LabelRows& labels, void* dlogits) {
  over_lines(dtype, rows, size, 1, {logits, dlogits}, [&]<class T, int W, int N>(const LineShape& s) {
    DLCORE_LAUNCH(sparse_softmax_xent_grad_kernel, static_cast<const T*>(dloss), static_cast<const T*>(logits), labels,
                  static_cast<T*>(dlogits));
  });
}
void sparse_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon,
                 const void* probs, const LabelRows& labels, void* loss) {
  over_lines<false>(dtype, rows, size, 1, {probs}, [&]<class T, int W, int N>(const LineShape& s) {
    const auto low = static_cast<math_t<T>>(epsilon), high = 1 - low;
    DLCORE_LAUNCH(sparse_xent_kernel, low, high, static_cast<const T*>(probs), labels, static_cast<T*>(loss));
  });
}
void sparse_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon,
                      const void* dloss, const void* probs, const LabelRows& labels, void* dprobs) {
  over_lines<false>(dtype, rows, size, 1, {probs, dprobs}, [&]<class T, int W, int N>(const LineShape& s) {
    const auto low = static_cast<math_t<T>>(epsilon), high = 1 - low;
    DLCORE_LAUNCH(sparse_xent_grad_kernel, low, high, static_cast<const T*>(dloss), static_cast<const T*>(probs),
                  labels, static_cast<T*>(dprobs));
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
