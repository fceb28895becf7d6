// Graph: recorded primitives in static single assignment form. Passes rewrite it; a Program runs it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dlcore/tensor.h"
#include "program/primitive.h"

namespace dlcore {

struct Node {
  const Primitive* op;
  std::vector<int> in, out;  // values
  Attrs attrs;
  int region = 0;   // the RematRegion it was recorded in, or 0
  Caller caller{};  // whose call it was recorded in
};

/// While one lives, what this thread records is computed again where gradients need it, instead of being kept from the
/// forward pass (rematerialisation, Chen et al. 2016). Inside of another it changes nothing.
class RematRegion {
 public:
  RematRegion();
  ~RematRegion();
  RematRegion(const RematRegion&) = delete;
  RematRegion& operator=(const RematRegion&) = delete;

 private:
  int outer_;
};

/// While one lives, this thread records into no graph: what is read and assigned is so at once, as by code that makes
/// variables while a function is traced.
class Unrecorded {
 public:
  Unrecorded();
  ~Unrecorded();
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;
};

/// What a value is when no node makes it.
enum class Source { Node, Input, Constant, Variable, Dropped };

struct Value {
  TensorSpec spec;
  Source source = Source::Node;
  int index = -1;     // of the node, the input or the variable
  Tensor constant{};  // Source::Constant
};

/// The value that a variable takes when the program has run.
struct Assignment {
  int variable;  // its place among the graph's
  int value;
};

/// Primitives under recording, or being rewritten. A Graph belongs to one thread.
class Graph : public std::enable_shared_from_this<Graph> {
 public:
  /// The graph that this thread records into, or null; variables read while there is one are symbolic.
  static std::shared_ptr<Graph> current();
  void begin_recording();
  void end_recording();

  // ---- recording
  Tensor input(const TensorSpec& spec, std::string name);
  Tensor constant(const Tensor& tensor);
  /// The variable's value at this point of the recording: what was assigned last, else what it holds when the program
  /// starts.
  Tensor read(const VariablePtr& variable);
  /// The variable's value when the program starts.
  Tensor initial(const VariablePtr& variable);
  void assign(const VariablePtr& variable, const Tensor& value);
  std::vector<Tensor> append(const Primitive& op, std::span<const Tensor> inputs, const Attrs& attrs, const Specs& out);
  /// What the program returns; concrete tensors as constants.
  void set_outputs(std::span<const Tensor> tensors, std::vector<std::string> names);
  /// Gradients of the targets, appended to this graph, through the nodes [first, last); last < 0: all from first on.
  std::vector<Tensor> gradient(std::span<const Tensor> targets, std::span<const Tensor> dtargets,
                               std::span<const Tensor> sources, std::ptrdiff_t first = 0, std::ptrdiff_t last = -1);

  // ---- contents; passes change them
  std::vector<Value> values;
  std::vector<Node> nodes;  // in an order in which every value is made before it is used
  int settled = 0;          // so many of the first nodes run again only when a variable has changed
  std::vector<int> inputs;
  std::vector<std::string> input_names;
  std::vector<VariablePtr> variables;  // those that are read or assigned
  std::vector<int> variable_values;    // the value that reads variables[i]
  std::vector<Assignment> assignments;
  std::vector<int> outputs;
  std::vector<std::string> output_names;

  Tensor handle(int value);
  /// What a node makes, of what, with attributes, in one line.
  std::string describe(const Node& node) const;
  /// The outputs and assignments, a line each.
  std::string describe_results() const;
  /// All of it.
  std::string dump() const;

 private:
  /// Where a variable is in the tables above.
  struct Known {
    int variable;
    int assignment = -1;  // none yet
  };

  Known& known(const VariablePtr& variable);
  int add_value(Value value);
  /// The tensor's value in this graph: a concrete tensor becomes a constant, one of another graph is a Value error.
  int value_of(const Tensor& tensor);
  std::string describe(int value) const;

  std::unordered_map<const Variable*, Known> known_;
};

/// The graph with inputs of these specs, all shapes inferred anew. Sizes that the graph's inputs fix must agree.
Graph specialise(const Graph& graph, std::span<const TensorSpec> inputs);

}  // namespace dlcore
