#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "kernels/pointwise/program.h"
#include "ops/pointwise.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

// With more, a kernel takes longer than its launch.
constexpr std::int64_t kFewElements = 1 << 13;

/// Nodes that become one.
struct Group {
  std::vector<int> nodes, inputs;
  std::vector<PointwiseProgram> programs;  // of the nodes
  std::size_t instructions = 0;
};

class UpdateJoiner {
 public:
  explicit UpdateJoiner(Graph& graph) : graph_(graph), is_read_(graph.values.size(), false) {
    for (const Node& node : graph.nodes)
      for (int value : node.in) is_read_[value] = true;
  }

  void run() {
    std::vector<int> group_of(graph_.nodes.size(), -1);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      if (std::optional<PointwiseProgram> program = update(graph_.nodes[n]))
        group_of[n] = place(static_cast<int>(n), std::move(*program));
    std::vector<Node> nodes;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Group* group = group_of[n] < 0 ? nullptr : &groups_[group_of[n]];
      if (!group || group->nodes.size() == 1)
        nodes.push_back(graph_.nodes[n]);
      else if (group->nodes.back() == static_cast<int>(n))
        nodes.push_back(joined(*group));
    }
    graph_.nodes = std::move(nodes);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      for (int value : graph_.nodes[n].out) graph_.values[value].index = static_cast<int>(n);
  }

 private:
  const TensorSpec& spec(int value) const { return graph_.values[value].spec; }

  /// The node's program, when it is pointwise and small and no other node reads what it makes.
  std::optional<PointwiseProgram> update(const Node& node) const {
    if (node.out.empty() || spec(node.out[0]).shape.elements() > kFewElements) return std::nullopt;
    for (int value : node.out)
      if (is_read_[value]) return std::nullopt;
    if (node.op->name == "fused")
      return decode_program(node.attrs.integers("code", {}), node.attrs.numbers("immediates", {}));
    Specs in;
    for (int value : node.in) in.push_back(spec(value));
    std::optional<Instruction> instruction = instruction_of(*node.op, in, node.attrs);
    if (!instruction) return std::nullopt;
    const int operands = static_cast<int>(node.in.size());
    for (int k = 0; k < operands; ++k) instruction->operands[k] = k;
    return PointwiseProgram{operands, {*instruction}, {operands}};
  }

  /// Into the last group of its shape that has room.
  int place(int n, PointwiseProgram program) {
    const Shape& shape = spec(graph_.nodes[n].out[0]).shape;
    const auto [at, is_new] = last_of_.try_emplace({shape.begin(), shape.end()}, -1);
    if (is_new || !has_room(groups_[at->second], n, program)) {
      at->second = static_cast<int>(groups_.size());
      groups_.emplace_back();
    }
    Group& group = groups_[at->second];
    group.nodes.push_back(n);
    group.inputs = with_inputs(group.inputs, n);
    group.instructions += program.code.size();
    group.programs.push_back(std::move(program));
    return at->second;
  }

  bool has_room(const Group& group, int n, const PointwiseProgram& program) const {
    return group.instructions + program.code.size() <= kMaxInstructions &&
           with_inputs(group.inputs, n).size() <= kMaxInputs;
  }

  /// The values and those that node n reads, each once.
  std::vector<int> with_inputs(std::vector<int> values, int n) const {
    for (int value : graph_.nodes[n].in)
      if (!std::count(values.begin(), values.end(), value)) values.push_back(value);
    return values;
  }

  Node joined(const Group& group) const {
    Node result{&primitive("fused"), group.inputs, {}, {}};
    PointwiseProgram program;
    program.inputs = static_cast<int>(group.inputs.size());
    for (std::size_t g = 0; g < group.nodes.size(); ++g) {
      const Node& node = graph_.nodes[group.nodes[g]];
      const PointwiseProgram& own = group.programs[g];
      const int first = program.inputs + static_cast<int>(program.code.size());
      const auto renumbered = [&](int from) {
        if (from >= own.inputs) return first + from - own.inputs;
        const auto at = std::find(group.inputs.begin(), group.inputs.end(), node.in[from]);
        return static_cast<int>(at - group.inputs.begin());
      };
      for (Instruction instruction : own.code) {
        for (int k = 0; k < info_of(instruction.op).operands; ++k)
          instruction.operands[k] = renumbered(instruction.operands[k]);
        program.code.push_back(instruction);
      }
      for (int output : own.outputs) program.outputs.push_back(renumbered(output));
      result.out.insert(result.out.end(), node.out.begin(), node.out.end());
    }
    result.attrs.set("code", encode_code(program));
    result.attrs.set("immediates", encode_immediates(program));
    return result;
  }

  Graph& graph_;
  std::vector<bool> is_read_;  // by nodes
  std::vector<Group> groups_;
  std::map<std::vector<std::int64_t>, int> last_of_;  // by shape
};

}  // namespace

void join_small_updates(Graph& graph) { UpdateJoiner(graph).run(); }

}  // namespace dlcore
