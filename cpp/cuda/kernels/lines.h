// Lines along the middle axis of x[outer, size, inner], each worked on by a group of threads that keep in step: a
// thread where neighbouring lines are neighbours in memory (inner > 1), else a warp, or a block where lines are long.
//
// Formulas over lines are written once, over values along a line: what line.load gives is in registers, read from
// memory once, or where lines are too long for that is read at each use. Only for kernels.
#pragma once

#include <initializer_list>

#include "cuda/kernels/device.h"

namespace dlcore::cuda {

inline constexpr int kKept = 16;  // elements of a line that a thread keeps in registers
inline constexpr int kMostLineThreads = 512;

struct LineShape {
  std::int64_t outer, size, inner;
  enum Group { Thread, Warp, Block } group;
  int threads;  // of a line
  bool kept;    // its elements fit into their registers
  bool packed;  // a thread's elements are neighbours by packs; else they are `threads` apart
  bool wide;    // memory is aligned for packs

  LineShape(std::int64_t outer, std::int64_t size, std::int64_t inner, int pack, bool aligned)
      : outer(outer),
        size(size),
        inner(inner),
        group(inner > 1               ? Thread
              : size <= kKept * kWarp ? Warp
                                      : Block),
        threads(kThreads),
        kept(inner == 1 && size <= kKept * kMostLineThreads),
        packed(inner == 1 && size % pack == 0),
        wide(packed && aligned) {
    if (group == Thread) threads = 1;
    if (group == Warp) threads = kWarp;
    if (group == Block && kept) threads = static_cast<int>(ceil_div(size, kKept * kWarp)) * kWarp;
  }
  std::int64_t lines() const { return outer * inner; }
  dim3 grid() const {
    return group == Block ? static_cast<unsigned>(lines()) : blocks_for(lines(), kThreads / threads);
  }
  dim3 block() const {
    return group == Thread ? dim3(kThreads) : group == Warp ? dim3(kWarp, kThreads / kWarp) : dim3(threads);
  }
};

template <class V, int W>
struct Tile {
  V v[W];
};
template <class F, class... V, int W>
__device__ auto map_tile(const F& f, const Tile<V, W>&... tiles) {
  Tile<decltype(f(tiles.v[0]...)), W> result;
#pragma unroll
  for (int w = 0; w < W; ++w) result.v[w] = f(tiles.v[w]...);
  return result;
}

// What a line's values may be. tile(line, j) gives this thread's j-th tile.

/// Registers.
template <class V, int W, int N>
struct Kept {
  Tile<V, W> tiles[N];
  template <class L>
  __device__ const Tile<V, W>& tile(const L&, int j) const {
    return tiles[j];
  }
};
/// Memory: elements `stride` apart from x.
template <class T>
struct Stored {
  const T* x;
  std::int64_t stride;
  template <class L>
  __device__ auto tile(const L& line, std::int64_t j) const {
    Tile<math_t<T>, L::kPack> tile;
    line.template read<1>(*this, j, &tile);
    return tile;
  }
};
/// Computed at each use.
template <class F>
struct Computed {
  F f;
  template <class L>
  __device__ auto tile(const L& line, std::int64_t j) const {
    return f(line, j);
  }
};
/// The elements' positions in the line.
struct Positions {
  template <class L>
  __device__ auto tile(const L& line, std::int64_t j) const {
    Tile<typename L::Index, L::kPack> tile;
#pragma unroll
    for (int w = 0; w < L::kPack; ++w) tile.v[w] = line.position(j, w);
    return tile;
  }
};

/// This thread's part of a line, in tiles of W elements. N: tiles that are kept in registers, whole packs; 0: none are,
/// and what lies where is known at run time.
template <class T, int W, int N>
struct Line {
  using M = math_t<T>;
  using Index = std::conditional_t<N == 0, std::int64_t, int>;
  static constexpr int kPack = W;

  std::int64_t number, offset, stride;
  Index size;
  Index tiles;
  int first, step, apart;
  bool exists;  // a thread without a line still takes part in its block's sums
  bool wide;
  LineShape::Group group;

  __device__ explicit Line(const LineShape& s)
      : stride(N == 0 ? s.inner : 1), size(static_cast<Index>(s.size)), wide(N > 0 || s.wide), group(s.group) {
    number = group == LineShape::Thread ? thread_index()
             : group == LineShape::Warp ? static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y
                                        : static_cast<std::int64_t>(blockIdx.x);
    exists = number < s.outer * s.inner;
    if (!exists) size = 0;
    offset = stride == 1 ? number * s.size : number / s.inner * s.size * s.inner + number % s.inner;
    const int thread = group == LineShape::Thread ? 0 : static_cast<int>(threadIdx.x);
    // A warp's part lies together, so that tiles are constants apart; read from memory again, in the same order.
    const bool by_warps = N > 0 || (s.kept && s.packed);
    first = by_warps ? thread / kWarp * (kWarp * kKept) + thread % kWarp * W : s.packed ? thread * W : thread;
    step = by_warps ? kWarp : s.threads;
    apart = N > 0 || s.packed ? 1 : step;
    tiles = by_warps ? kKept / W : static_cast<Index>(s.size);
  }
  /// Of element w of tile j.
  __device__ Index position(Index j, int w) const {
    return N > 0 ? first + j * (W * kWarp) + w : first + j * (W * step) + w * apart;
  }
  __device__ bool has(Index j, int w) const { return position(j, N > 0 ? 0 : w) < size; }
  __device__ std::int64_t at(std::int64_t i) const { return offset + i * stride; }
  /// One thread of the line's group.
  __device__ bool leads() const { return exists && first == 0; }

  /// Tiles j to j + count of the elements that lie from.stride apart; 0 where there is none.
  template <int count, class Element>
  __device__ void read(const Stored<Element>& from, Index j, Tile<M, W>* tiles) const {
    Pack<Element, W> packs[count] = {};
    if (wide) {
#pragma unroll
      for (int k = 0; k < count; ++k)
        if (has(j + k, 0)) packs[k] = *reinterpret_cast<const Pack<Element, W>*>(from.x + position(j + k, 0));
    } else {
#pragma unroll
      for (int k = 0; k < count; ++k)
#pragma unroll
        for (int w = 0; w < W; ++w)
          if (has(j + k, w)) packs[k].v[w] = from.x[position(j + k, w) * from.stride];
    }
#pragma unroll
    for (int k = 0; k < count; ++k)
#pragma unroll
      for (int w = 0; w < W; ++w) tiles[k].v[w] = to_math(packs[k].v[w]);
  }
  /// Values of x along this line, in registers if this line keeps any.
  __device__ auto load(const T* x) const { return keep(Stored<T>{x + offset, stride}); }
  /// p[i] for element i of each line; of T, or of the type that T is computed in.
  template <class Element>
  __device__ auto load_same(const Element* p) const {
    return keep(Stored<Element>{p, 1});
  }
  template <class Element>
  __device__ auto keep(const Stored<Element>& from) const {
    if constexpr (N == 0) {
      return from;
    } else {
      Kept<M, W, N> kept;
      read<N>(from, 0, kept.tiles);
      return kept;
    }
  }

  template <class Body>
  __device__ void for_tiles(const Body& body) const {
    if constexpr (N == 0) {
      for (Index j = 0; j < tiles && has(j, 0); ++j) body(j);
    } else {
#pragma unroll
      for (int j = 0; j < N; ++j)
        if (W == 1 || has(j, 0)) body(j);  // short lines have fewer packs
    }
  }
  /// f(value...) along the line.
  template <class F, class... V>
  __device__ auto map(const F& f, const V&... values) const {
    if constexpr (N == 0) {
      const auto tile = [f, values...](const auto& line, Index j) { return map_tile(f, values.tile(line, j)...); };
      return Computed<decltype(tile)>{tile};
    } else {
      using Result = decltype(map_tile(f, values.tile(*this, 0)...).v[0]);
      Kept<std::remove_reference_t<Result>, W, N> kept;
      for_tiles([&](int j) { kept.tiles[j] = map_tile(f, values.tile(*this, j)...); });
      return kept;
    }
  }
  /// op over the values, in every thread of the group.
  template <class V, class Op>
  __device__ M fold(M result, const V& values, const Op& op) const {
    for_tiles([&](Index j) {
      const auto tile = values.tile(*this, j);
#pragma unroll
      for (int w = 0; w < W; ++w)
        if (has(j, w)) result = op(tile.v[w], result);
    });
    if (N == 0 && group == LineShape::Thread) return result;
    return group == LineShape::Warp ? warp_reduce(result, op) : block_reduce(result, op);
  }
  template <class V>
  __device__ M sum(const V& values) const {
    return fold(M(0), values, Add());
  }
  template <class V>
  __device__ M maximum(const V& values) const {
    return fold(M(-INFINITY), values, Greater());
  }
  template <class V>
  __device__ void store(T* y, const V& values) const {
    y += offset;
    for_tiles([&](Index j) {
      const auto tile = values.tile(*this, j);
      Pack<T, W> pack;
#pragma unroll
      for (int w = 0; w < W; ++w) pack.v[w] = from_math<T>(tile.v[w]);
      if (wide) {
        if (has(j, 0)) *reinterpret_cast<Pack<T, W>*>(y + position(j, 0)) = pack;
      } else {
#pragma unroll
        for (int w = 0; w < W; ++w)
          if (has(j, w)) y[position(j, w) * stride] = pack.v[w];
      }
    });
  }
};

// ---- the launch

/// Calls body<T, W, N>(shape) with the Line for the shape. memory: what is read and written along lines.
/// Registers and compile time are for what is common: no lines of double are kept, and of 16-bit floats only packs.
template <class T, bool keep = true, class Body>
void with_lines(std::int64_t outer, std::int64_t size, std::int64_t inner, std::initializer_list<const void*> memory,
                const Body& body) {
  constexpr int pack = sizeof(T) > 4 ? 2 : 4;
  bool aligned = true;
  for (const void* p : memory) aligned = aligned && is_aligned(p, sizeof(Pack<math_t<T>, pack>));
  const LineShape shape(outer, size, inner, pack, aligned);
  if constexpr (keep && sizeof(T) <= 4)
    if (shape.kept && shape.wide) return body.template operator()<T, pack, kKept / pack>(shape);
  if constexpr (keep && sizeof(T) == 4)
    if (shape.kept && !shape.packed) return body.template operator()<T, 1, kKept>(shape);
  body.template operator()<T, pack, 0>(shape);
}

/// kernel(shape, args...) over its lines.
template <class... Parameters, class... Args>
void launch_lines(void (*kernel)(LineShape, Parameters...), cudaStream_t stream, const LineShape& shape,
                  const Args&... args) {
  launch(kernel, shape.grid(), shape.block(), 0, stream, shape, args...);
}

}  // namespace dlcore::cuda
