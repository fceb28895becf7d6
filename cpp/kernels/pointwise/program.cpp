#include "kernels/pointwise/program.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>

#include "base/parallel.h"
#include "dlcore/error.h"

namespace dlcore {

namespace {

using enum OpcodeInfo::Domain;

// In the order of Opcode.
constexpr OpcodeInfo kOpcodeInfo[] = {
    {"neg", 1, Number, false, 0.05},
    {"abs", 1, Number, false, 0.05},
    {"sign", 1, Number, false, 0.1},
    {"sqrt", 1, Float, false, 0.3},
    {"rsqrt", 1, Float, false, 0.5},
    {"square", 1, Number, false, 0.05},
    {"reciprocal", 1, Float, false, 0.3},
    {"exp", 1, Float, false, 0.4},
    {"expm1", 1, Float, false, 0.5},
    {"log", 1, Float, false, 0.5},
    {"log1p", 1, Float, false, 0.7},
    {"log2", 1, Float, false, 0.5},
    {"log10", 1, Float, false, 0.5},
    {"sin", 1, Float, false, 2},
    {"cos", 1, Float, false, 2},
    {"tan", 1, Float, false, 15},
    {"asin", 1, Float, false, 15},
    {"acos", 1, Float, false, 15},
    {"atan", 1, Float, false, 15},
    {"sinh", 1, Float, false, 15},
    {"cosh", 1, Float, false, 15},
    {"tanh", 1, Float, false, 0.7},
    {"asinh", 1, Float, false, 20},
    {"acosh", 1, Float, false, 20},
    {"atanh", 1, Float, false, 20},
    {"erf", 1, Float, false, 0.7},
    {"floor", 1, Number, false, 0.1},
    {"ceil", 1, Number, false, 0.1},
    {"round", 1, Number, false, 0.1},
    {"trunc", 1, Number, false, 0.1},
    {"relu", 1, Number, false, 0.05},
    {"sigmoid", 1, Float, false, 0.6},
    {"softplus", 1, Float, false, 1.2},
    {"silu", 1, Float, false, 0.6},
    {"gelu", 1, Float, false, 0.9},
    {"gelu", 1, Float, false, 0.8},
    {"elu", 1, Float, false, 0.6},
    {"leaky_relu", 1, Float, false, 0.1},
    {"isnan", 1, Any, true, 0.1},
    {"isinf", 1, Any, true, 0.1},
    {"isfinite", 1, Any, true, 0.1},
    {"logical_not", 1, Any, true, 0.1},
    {"cast", 1, Any, false, 0.1},
    {"add", 2, Number, false, 0.05},
    {"sub", 2, Number, false, 0.05},
    {"mul", 2, Number, false, 0.05},
    {"div", 2, Float, false, 0.3},
    {"pow", 2, Number, false, 1.5},
    {"minimum", 2, Any, false, 0.05},
    {"maximum", 2, Any, false, 0.05},
    {"mod", 2, Number, false, 10},
    {"floor_divide", 2, Number, false, 10},
    {"atan2", 2, Float, false, 20},
    {"equal", 2, Any, true, 0.1},
    {"not_equal", 2, Any, true, 0.1},
    {"less", 2, Any, true, 0.1},
    {"less_equal", 2, Any, true, 0.1},
    {"greater", 2, Any, true, 0.1},
    {"greater_equal", 2, Any, true, 0.1},
    {"logical_and", 2, Boolean, true, 0.1},
    {"logical_or", 2, Boolean, true, 0.1},
    {"logical_xor", 2, Boolean, true, 0.1},
    {"relu_grad", 2, Float, false, 0.05},
    {"sigmoid_grad", 2, Float, false, 0.1},
    {"tanh_grad", 2, Float, false, 0.1},
    {"where", 3, Any, false, 0.1},
    {"clip", 3, Number, false, 0.1},
    {"bitwise_and", 2, Integer, false, 0.1},
    {"bitwise_or", 2, Integer, false, 0.1},
    {"bitwise_xor", 2, Integer, false, 0.1},
    {"shift_left", 2, Integer, false, 0.1},
    {"shift_right", 2, Integer, false, 0.1},
    {"gcd", 2, Integer, false, 50},
    {"gelu_grad", 2, Float, false, 0.6},
    {"gelu_grad", 2, Float, false, 0.6},
};
static_assert(std::size(kOpcodeInfo) == kOpcodes);

constexpr double kMemoryCost = 0.15;        // ns to stream one element
constexpr std::int64_t kChunk = 16384;      // elements that a thread takes at a time
constexpr std::int64_t kTileBytes = 16384;  // of all that a tile touches: it stays in the L1 cache, and the memory
                                            // of the next tile is read while the last steps of this one compute
constexpr std::int64_t kSmallestTile = 64, kLargestTile = 2048;
constexpr int kMaxSlots = 2 * kMaxInputs + kMaxInstructions;
constexpr std::size_t kSlotArea = 65536;
static_assert(kMaxSlots * kSmallestTile * sizeof(double) <= kSlotArea);

bool is_16_bit(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16; }
/// The type that a register computes in.
DType computed(DType dtype) { return is_16_bit(dtype) ? DType::F32 : dtype; }

}  // namespace

const OpcodeInfo& info_of(Opcode op) { return kOpcodeInfo[static_cast<int>(op)]; }

std::optional<Opcode> opcode_of(std::string_view primitive, bool approximate) {
  std::optional<Opcode> found;
  for (int i = 0; i < kOpcodes; ++i) {
    const auto op = static_cast<Opcode>(i);
    if (info_of(op).primitive == primitive && (!found || is_approximate(op) == approximate)) found = op;
  }
  return found;
}

// ---- attribute vectors: inputs, instructions, outputs, then (op, type, cast_to, 3 operands)..., then the outputs

std::vector<std::int64_t> encode_code(const PointwiseProgram& program) {
  std::vector<std::int64_t> code = {program.inputs, static_cast<std::int64_t>(program.code.size()),
                                    static_cast<std::int64_t>(program.outputs.size())};
  for (const Instruction& instruction : program.code) {
    code.push_back(static_cast<std::int64_t>(instruction.op));
    code.push_back(static_cast<std::int64_t>(instruction.type));
    code.push_back(static_cast<std::int64_t>(instruction.cast_to));
    for (int operand : instruction.operands) code.push_back(operand);
  }
  for (int output : program.outputs) code.push_back(output);
  return code;
}

std::vector<double> encode_immediates(const PointwiseProgram& program) {
  std::vector<double> immediates;
  for (const Instruction& instruction : program.code) immediates.push_back(instruction.immediate);
  return immediates;
}

namespace {

/// Reads whole numbers of a program one after another, each within its bounds.
class CodeReader {
 public:
  explicit CodeReader(std::span<const std::int64_t> code) : code_(code) {}
  int next(std::int64_t low, std::int64_t high, const char* what) {
    if (position_ == code_.size()) throw value_error("fused: the program ends where ", what, " was expected.");
    const std::int64_t number = code_[position_++];
    if (number < low || number > high)
      throw value_error("fused: ", what, " is ", number, "; expected ", low, " to ", high, ".");
    return static_cast<int>(number);
  }
  void expect_end() const {
    if (position_ != code_.size()) throw value_error("fused: the program has numbers after its last output.");
  }

 private:
  std::span<const std::int64_t> code_;
  std::size_t position_ = 0;
};

}  // namespace

PointwiseProgram decode_program(std::span<const std::int64_t> code, std::span<const double> immediates) {
  CodeReader reader(code);
  PointwiseProgram program;
  program.inputs = reader.next(1, kMaxInputs, "the number of inputs");
  const int instructions = reader.next(1, kMaxInstructions, "the number of instructions");
  const int outputs = reader.next(1, kMaxInstructions, "the number of outputs");
  if (immediates.size() != static_cast<std::size_t>(instructions))
    throw value_error("fused: got ", immediates.size(), " immediates for ", instructions, " instructions.");
  for (int i = 0; i < instructions; ++i) {
    Instruction instruction;
    instruction.op = static_cast<Opcode>(reader.next(0, kOpcodes - 1, "an opcode"));
    instruction.type = static_cast<DType>(reader.next(0, kDTypes - 1, "a dtype"));
    instruction.cast_to = static_cast<DType>(reader.next(0, kDTypes - 1, "a dtype"));
    for (int& operand : instruction.operands) operand = reader.next(0, program.inputs + i - 1, "an operand");
    instruction.immediate = immediates[i];
    program.code.push_back(instruction);
  }
  for (int i = 0; i < outputs; ++i) {
    const int output = reader.next(program.inputs, program.inputs + instructions - 1, "an output");
    if (std::find(program.outputs.begin(), program.outputs.end(), output) != program.outputs.end())
      throw value_error("fused: register ", output, " is an output twice.");
    program.outputs.push_back(output);
  }
  reader.expect_end();
  return program;
}

// ---- making a program ready

/// Assigns places (tile slots, output memory, input memory) to registers and picks the functions, instruction by
/// instruction. A slot is free again after the last instruction that reads its register.
struct TiledProgram::Compiler {
  TiledProgram& out;
  const PointwiseProgram& program;
  std::span<const Input> inputs;

  struct Register {
    DType dtype;
    int raw = -1;       // place of 16-bit elements not yet widened
    int place = -1;     // place of the computed type
    int last_use = -1;  // instruction
    int output = -1;
    bool owns_slot = false;
  };
  std::vector<Register> registers{};
  std::vector<int> free_slots{};
  int slots = 0, slot_bytes = 1;

  // Places: slots first. Their number is known last, so other places are counted from these bases until then.
  static constexpr int kInputBase = 1000, kOutputBase = 2000;

  int new_slot(DType dtype) {
    slot_bytes = std::max(slot_bytes, static_cast<int>(size_of(dtype)));
    if (free_slots.empty()) return slots++;
    const int slot = free_slots.back();
    free_slots.pop_back();
    return slot;
  }

  void declare_registers() {
    for (const Input& input : inputs) registers.push_back({input.dtype});
    for (const Instruction& instruction : program.code) registers.push_back({instruction.result()});
    for (std::size_t i = 0; i < program.code.size(); ++i)
      for (int k = 0; k < info_of(program.code[i].op).operands; ++k)
        registers[program.code[i].operands[k]].last_use = static_cast<int>(i);
    for (std::size_t j = 0; j < program.outputs.size(); ++j) {
      registers[program.outputs[j]].output = static_cast<int>(j);
    }
  }

  void place_inputs() {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const int place = kInputBase + static_cast<int>(i);
      (is_16_bit(inputs[i].dtype) ? registers[i].raw : registers[i].place) = place;
      InputPlan& plan = out.inputs_[i];
      if (plan.access != Access::Direct) plan.buffer = new_slot(inputs[i].dtype);
    }
  }

  int operand_place(Register& reg) {
    if (reg.place < 0) {
      reg.place = new_slot(DType::F32);
      reg.owns_slot = true;
      out.steps_.push_back({converter(reg.dtype, DType::F32), reg.place, reg.raw, 0, 0, 0});
    }
    return reg.place;
  }

  void compile_instruction(int index) {
    const Instruction& instruction = program.code[index];
    const int operands = info_of(instruction.op).operands;
    Register& result = registers[inputs.size() + index];
    Step step{nullptr, -1, 0, 0, 0, instruction.immediate};
    Register& first = registers[instruction.operands[0]];
    if (instruction.op == Opcode::Cast && first.place < 0 && computed(result.dtype) == DType::F32) {
      step.a = first.raw;
      step.fn = converter(first.dtype, DType::F32);
    } else {
      int* places[] = {&step.a, &step.b, &step.c};
      for (int k = 0; k < operands; ++k) *places[k] = operand_place(registers[instruction.operands[k]]);
      step.fn = instruction.op == Opcode::Cast
                    ? converter(computed(first.dtype), computed(result.dtype))
                    : pointwise_kernels()
                          .tile[static_cast<int>(instruction.op)][static_cast<int>(computed(instruction.type))];
    }
    assert(step.fn);
    const bool rounded_output = result.output >= 0 && is_16_bit(result.dtype);
    if (rounded_output && instruction.op == Opcode::Cast && first.dtype == DType::F32 && result.last_use < 0) {
      step.fn = converter(DType::F32, result.dtype);
      step.y = kOutputBase + result.output;
      out.steps_.push_back(step);
    } else {
      result.owns_slot = result.output < 0 || rounded_output;
      result.place = step.y = result.owns_slot ? new_slot(computed(result.dtype)) : kOutputBase + result.output;
      out.steps_.push_back(step);
      if (rounded_output)
        out.steps_.push_back({converter(DType::F32, result.dtype), kOutputBase + result.output, result.place, 0, 0, 0});
    }
    release_after(index);
  }

  void release_after(int index) {
    for (std::size_t r = 0; r < inputs.size() + index + 1; ++r) {
      Register& reg = registers[r];
      if (!reg.owns_slot || reg.last_use > index) continue;
      free_slots.push_back(reg.place);
      reg.owns_slot = false;
    }
  }

  void number_places() {
    const int input_count = static_cast<int>(inputs.size());
    auto final_place = [&](int& place) {
      if (place >= kOutputBase)
        place += slots + input_count - kOutputBase;
      else if (place >= kInputBase)
        place += slots - kInputBase;
    };
    for (Step& step : out.steps_)
      for (int* place : {&step.y, &step.a, &step.b, &step.c}) final_place(*place);
    out.slots_ = slots;
    out.slot_bytes_ = slot_bytes;
  }

  void find_in_place_pairs() {
    for (std::size_t j = 0; j < program.outputs.size(); ++j) {
      const int made_by = program.outputs[j] - static_cast<int>(inputs.size());
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (out.inputs_[i].access == Access::Direct && inputs[i].dtype == registers[program.outputs[j]].dtype &&
            registers[i].last_use <= made_by)
          out.in_place_.emplace_back(static_cast<int>(j), static_cast<int>(i));
    }
  }

  void compile() {
    declare_registers();
    place_inputs();
    for (std::size_t i = 0; i < program.code.size(); ++i) compile_instruction(static_cast<int>(i));
    number_places();
    find_in_place_pairs();
    for (int output : program.outputs) out.output_bytes_.push_back(static_cast<int>(size_of(registers[output].dtype)));
  }
};

namespace {

/// Axes of `shape`, neighbours merged where every input either has both or is broadcast along both; size-1 axes
/// dropped.
struct CollapsedAxes {
  std::vector<std::int64_t> sizes;
  std::vector<unsigned> present;  // bit i: input i has this axis
};

CollapsedAxes collapse(std::span<const TiledProgram::Input> inputs, const Shape& shape) {
  CollapsedAxes axes;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    unsigned present = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const int own = axis - shape.rank() + inputs[i].shape.rank();
      if (own >= 0 && inputs[i].shape[own] != 1) present |= 1u << i;
    }
    if (!axes.sizes.empty() && axes.present.back() == present) {
      axes.sizes.back() *= shape[axis];
    } else {
      axes.sizes.push_back(shape[axis]);
      axes.present.push_back(present);
    }
  }
  return axes;
}

}  // namespace

TiledProgram::TiledProgram(const PointwiseProgram& program, std::span<const Input> inputs, const Shape& shape)
    : total_(shape.elements()) {
  static_assert(kMaxInputs <= 32, "CollapsedAxes holds a bit per input");
  const CollapsedAxes axes = collapse(inputs, shape);
  sizes_ = axes.sizes;
  const int rank = static_cast<int>(sizes_.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    InputPlan plan{Access::Direct, static_cast<int>(size_of(inputs[i].dtype)), 1, {}, 0};
    bool broadcast = false, suffix = true;
    std::int64_t stride = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const bool present = axes.present[axis] >> i & 1u;
      plan.strides[axis] = present ? stride : 0;
      if (present) stride *= sizes_[axis];
      if (present && broadcast) suffix = false;
      broadcast |= !present;
    }
    plan.period = stride;
    if (broadcast) plan.access = suffix ? Access::Periodic : Access::Gather;
    inputs_.push_back(plan);
  }

  Compiler{*this, program, inputs}.compile();

  std::int64_t tile_bytes = std::int64_t{slots_} * slot_bytes_;  // of one element
  if (steps_.size() > 1) {
    for (const InputPlan& plan : inputs_) tile_bytes += plan.access == Access::Direct ? plan.bytes : 0;
    for (int bytes : output_bytes_) tile_bytes += bytes;
  }
  tile_ = kChunk;
  if (tile_bytes > 0) tile_ = std::clamp(kTileBytes / tile_bytes / 64 * 64, kSmallestTile, kLargestTile);
  std::int64_t longest = 1;
  for (InputPlan& plan : inputs_) {
    if (plan.access != Access::Periodic || plan.period > tile_) continue;
    plan.access = Access::Pattern;
    longest = std::max(longest, plan.period);
  }
  if (const std::int64_t whole_vectors = std::lcm(longest, std::int64_t{16}); whole_vectors <= tile_)
    longest = whole_vectors;
  tile_ = tile_ / longest * longest;
  chunk_ = std::max<std::int64_t>(1, kChunk / tile_) * tile_;

  cost_ = 0;
  for (const Instruction& instruction : program.code) cost_ += info_of(instruction.op).cost;
  for (const InputPlan& plan : inputs_) cost_ += plan.access == Access::Pattern ? 0 : kMemoryCost;
  cost_ = (cost_ + kMemoryCost * static_cast<double>(output_bytes_.size())) * static_cast<double>(total_);
}

// ---- running it

namespace {

template <class T>
void fill_run(std::byte* to, const std::byte* from, std::int64_t n) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  for (std::int64_t i = 0; i < n; ++i) std::memcpy(to + i * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
}

/// n copies of one element.
void fill(std::byte* to, const std::byte* from, std::int64_t n, int bytes) {
  switch (bytes) {
    case 1:
      return fill_run<std::uint8_t>(to, from, n);
    case 2:
      return fill_run<std::uint16_t>(to, from, n);
    case 4:
      return fill_run<std::uint32_t>(to, from, n);
    default:
      return fill_run<std::uint64_t>(to, from, n);
  }
}

/// to[i] = from[(first + i) % period]
void fill_periodic(std::byte* to, const std::byte* from, std::int64_t first, std::int64_t n, std::int64_t period,
                   int bytes) {
  if (period == 1) return fill(to, from, n, bytes);
  for (std::int64_t position = first % period; n > 0; position = 0) {
    const std::int64_t run = std::min(n, period - position);
    std::memcpy(to, from + position * bytes, static_cast<std::size_t>(run * bytes));
    to += run * bytes;
    n -= run;
  }
}

/// Elements [first, first + n) of the broadcast of `from`, whose axes have the given sizes and strides.
void fill_strided(std::byte* to, const std::byte* from, std::int64_t first, std::int64_t n,
                  std::span<const std::int64_t> sizes, const std::int64_t* strides, int bytes) {
  const int rank = static_cast<int>(sizes.size()), inner = rank - 1;
  std::int64_t index[Shape::kMaxRank], offset = 0;
  for (int axis = inner; axis >= 0; --axis) {
    index[axis] = first % sizes[axis];
    first /= sizes[axis];
    offset += index[axis] * strides[axis];
  }
  while (n > 0) {
    const std::int64_t run = std::min(n, sizes[inner] - index[inner]);
    if (strides[inner] == 0)
      fill(to, from + offset * bytes, run, bytes);
    else
      std::memcpy(to, from + offset * bytes, static_cast<std::size_t>(run * bytes));
    to += run * bytes;
    n -= run;
    offset -= index[inner] * strides[inner];
    index[inner] = 0;
    for (int axis = inner - 1; axis >= 0; --axis) {
      offset += strides[axis];
      if (++index[axis] < sizes[axis]) break;
      offset -= sizes[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

const void* TiledProgram::input_tile(const InputPlan& plan, const void* in, std::byte* buffer, std::int64_t first,
                                     std::int64_t n) const {
  const std::byte* bytes = static_cast<const std::byte*>(in);
  switch (plan.access) {
    case Access::Direct:
      return bytes + first * plan.bytes;
    case Access::Pattern:
      return buffer;
    case Access::Periodic:
      if (first % plan.period + n <= plan.period) return bytes + first % plan.period * plan.bytes;
      fill_periodic(buffer, bytes, first, n, plan.period, plan.bytes);
      return buffer;
    case Access::Gather:
      fill_strided(buffer, bytes, first, n, sizes_, plan.strides.data(), plan.bytes);
      return buffer;
  }
  return nullptr;
}

void TiledProgram::run_chunk(const void* const* in, void* const* out, std::int64_t chunk) const {
  alignas(64) std::byte area[kSlotArea];
  void* places[kMaxSlots + kMaxInputs + kMaxInstructions];
  const std::int64_t begin = chunk * chunk_, end = std::min(total_, begin + chunk_);
  const std::int64_t slot_stride = tile_ * slot_bytes_;
  for (int slot = 0; slot < slots_; ++slot) places[slot] = area + slot * slot_stride;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const InputPlan& plan = inputs_[i];
    if (plan.access == Access::Pattern)
      fill_periodic(area + plan.buffer * slot_stride, static_cast<const std::byte*>(in[i]), 0,
                    std::min(tile_, end - begin), plan.period, plan.bytes);
  }
  void** input_places = places + slots_;
  void** output_places = input_places + inputs_.size();
  for (std::int64_t first = begin; first < end; first += tile_) {
    const std::int64_t n = std::min(tile_, end - first);
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      input_places[i] =
          const_cast<void*>(input_tile(inputs_[i], in[i], area + inputs_[i].buffer * slot_stride, first, n));
    for (std::size_t j = 0; j < output_bytes_.size(); ++j)
      output_places[j] = static_cast<std::byte*>(out[j]) + first * output_bytes_[j];
    for (const Step& step : steps_)
      step.fn(places[step.y], places[step.a], places[step.b], places[step.c], n, step.immediate);
  }
}

void TiledProgram::run(const void* const* in, void* const* out) const {
  if (total_ == 0) return;
  const std::int64_t chunks = (total_ + chunk_ - 1) / chunk_;
  parallel_for(chunks, cost_, [&](std::int64_t chunk) { run_chunk(in, out, chunk); });
}

}  // namespace dlcore
