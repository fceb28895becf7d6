// A chain of elementwise operations over one result shape, run as one loop over tiles that stay in the L1 cache.
//
// A PointwiseProgram is what the primitive `fused` carries, and what every elementwise primitive plans (of one
// instruction). To fuse nodes of a graph:
//   1. A node can join when instruction_of(its primitive, its attributes) has a value and its result has the shape of
//      the whole chain. Inputs of the chain may be smaller: they are broadcast as NumPy does. Constants of rank 0 stay
//      inputs. At most kMaxInputs inputs and kMaxInstructions instructions.
//   2. Number the registers: inputs 0 ... inputs-1, each value once; instruction k makes register inputs + k.
//      instruction.type is the dtype of the node's operand 0 (of `where`: of operand 1); set instruction.operands.
//   3. List the registers that leave the chain, each made by an instruction, in `outputs`. All have the chain's shape.
//   4. The node is fused(values..., attributes {"code": encode_code(p), "immediates": encode_immediates(p)}).
// Registers of 16-bit floats are kept as float32 inside the chain and rounded where they leave it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dlcore/dtype.h"
#include "dlcore/shape.h"
#include "kernels/pointwise/pointwise.h"

namespace dlcore {

inline constexpr int kMaxInputs = 32;
inline constexpr int kMaxInstructions = 64;

struct OpcodeInfo {
  std::string_view primitive;
  int operands;
  enum Domain { Float, Integer, Number, Boolean, Any } domain;  // element types of the operands
  bool makes_bool;
  double cost;  // ns per element when everything is in the L1 cache, about
};
const OpcodeInfo& info_of(Opcode op);
/// Whether it is the form of its primitive that the attribute `approximate` asks for.
constexpr bool is_approximate(Opcode op) { return op == Opcode::GeluTanh || op == Opcode::GeluTanhGrad; }
/// The opcode of a primitive's name, in that form or the other; of most there is only the other.
std::optional<Opcode> opcode_of(std::string_view primitive, bool approximate = false);

struct Instruction {
  Opcode op;
  DType type;                     // of the operands that are not a condition
  std::array<int, 3> operands{};  // registers
  double immediate = 0;
  DType cast_to = DType::F32;  // of Cast
  DType result() const { return op == Opcode::Cast ? cast_to : info_of(op).makes_bool ? DType::Bool : type; }
};

struct PointwiseProgram {
  int inputs = 0;
  std::vector<Instruction> code;
  std::vector<int> outputs;
};

/// The program as attribute vectors, and back; decode throws a Value error on anything that is not a program.
std::vector<std::int64_t> encode_code(const PointwiseProgram& program);
std::vector<double> encode_immediates(const PointwiseProgram& program);
PointwiseProgram decode_program(std::span<const std::int64_t> code, std::span<const double> immediates);

/// A program made ready for given input dtypes and shapes.
class TiledProgram {
 public:
  struct Input {
    DType dtype;
    Shape shape;
  };
  TiledProgram(const PointwiseProgram& program, std::span<const Input> inputs, const Shape& shape);
  /// in[i] and out[i] in the order of the program. Threads: over fixed chunks of tiles.
  void run(const void* const* in, void* const* out) const;
  /// Pairs (output, input) that may be the same buffer, given that the inputs are distinct values.
  const std::vector<std::pair<int, int>>& in_place() const { return in_place_; }

 private:
  /// How an input reaches the tiles: its own memory, a pattern filled in once per chunk, or filled in for every tile.
  enum class Access { Direct, Periodic, Pattern, Gather };
  struct InputPlan {
    Access access;
    int bytes;
    std::int64_t period;                                // elements; Periodic and Pattern
    std::array<std::int64_t, Shape::kMaxRank> strides;  // elements, by collapsed axis; 0 where broadcast
    int buffer;                                         // slot for filled tiles; unused by Direct
  };
  struct Step {
    TileFn fn;
    int y, a, b, c;  // places: slots, then inputs, then outputs
    double immediate;
  };
  struct Compiler;

  void run_chunk(const void* const* in, void* const* out, std::int64_t chunk) const;
  const void* input_tile(const InputPlan& plan, const void* in, std::byte* buffer, std::int64_t first,
                         std::int64_t n) const;

  std::vector<std::int64_t> sizes_;  // the result shape, axes collapsed
  std::int64_t total_ = 0, tile_ = 0, chunk_ = 0;
  std::vector<InputPlan> inputs_;
  std::vector<int> output_bytes_;  // per element
  std::vector<Step> steps_;
  std::vector<std::pair<int, int>> in_place_;
  int slots_ = 0, slot_bytes_ = 0;
  double cost_ = 0;
};

}  // namespace dlcore
