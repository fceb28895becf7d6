// Models on disk: a safetensors file whose tensors are the variables and constants, and whose metadata holds the
// graphs.
#include <algorithm>
#include <cmath>
#include <mutex>

#include "dlcore/model_io.h"
#include "program/graph.h"
#include "program/json.h"
#include "program/safetensors.h"

namespace dlcore {

namespace {

constexpr const char* kFormat = "dlcore-model-1";

// ---- attributes: JSON tells integers from numbers by the decimal point; what JSON lacks is written as text

Json json_of(const Attr& attr) {
  return std::visit(
      [](const auto& x) -> Json {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, double>) {
          if (!std::isfinite(x)) return Json{{"number", std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf"}};
        }
        return x;
      },
      attr);
}

Attr attr_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return integer_of(json);
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object()) return std::stod(json.at("number").get<std::string>());
  const bool numbers = std::any_of(json.begin(), json.end(), [](const Json& item) { return item.is_number_float(); });
  if (numbers) return json.get<std::vector<double>>();
  return json.get<std::vector<std::int64_t>>();
}

// ---- graphs: values are numbered as they appear: inputs, variables, constants, then the nodes' outputs

class GraphWriter {
 public:
  GraphWriter(const Graph& graph, const std::vector<VariablePtr>& variables, TensorFile& file,
              const std::string& function)
      : graph_(graph), variables_(variables), file_(file), function_(function) {}

  Json write() {
    Json json;
    json["inputs"] = Json::array();
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) json["inputs"].push_back(write_input(i));
    json["variables"] = Json::array();
    for (std::size_t i = 0; i < graph_.variables.size(); ++i) {
      json["variables"].push_back(variable_index(graph_.variables[i]));
      number(graph_.variable_values[i]);
    }
    json["constants"] = Json::array();
    for (std::size_t v = 0; v < graph_.values.size(); ++v)
      if (graph_.values[v].source == Source::Constant) json["constants"].push_back(write_constant(static_cast<int>(v)));
    json["nodes"] = Json::array();
    for (const Node& node : graph_.nodes) json["nodes"].push_back(write_node(node));
    json["outputs"] = Json::array();
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
      const std::string name = i < graph_.output_names.size() ? graph_.output_names[i] : str("output_", i);
      json["outputs"].push_back({{"name", name}, {"value", numbers_.at(graph_.outputs[i])}});
    }
    json["assignments"] = Json::array();
    for (const Assignment& assignment : graph_.assignments)
      json["assignments"].push_back({{"variable", variable_index(graph_.variables[assignment.variable])},
                                     {"value", numbers_.at(assignment.value)}});
    return json;
  }

 private:
  int number(int value) { return numbers_.emplace(value, static_cast<int>(numbers_.size())).first->second; }

  std::int64_t variable_index(const VariablePtr& variable) const {
    return std::find(variables_.begin(), variables_.end(), variable) - variables_.begin();
  }

  Json write_input(std::size_t i) {
    const TensorSpec& spec = graph_.values[graph_.inputs[i]].spec;
    number(graph_.inputs[i]);
    return {{"name", graph_.input_names[i]},
            {"dtype", std::string(name_of(spec.dtype))},
            {"shape", std::vector<std::int64_t>(spec.shape.begin(), spec.shape.end())}};
  }

  std::string write_constant(int value) {
    const std::string name = str("constant/", function_, "/", number(value));
    file_.tensors.emplace_back(name, graph_.values[value].constant);
    return name;
  }

  Json write_node(const Node& node) {
    Json in = Json::array(), attrs = Json::object();
    for (int value : node.in) in.push_back(numbers_.at(value));
    for (const auto& [name, attr] : node.attrs.items()) attrs[name] = json_of(attr);
    for (int value : node.out) number(value);
    Json json{{"op", node.op->name}, {"in", in}, {"attrs", attrs}};
    if (node.caller) json["caller"] = *node.caller;
    return json;
  }

  const Graph& graph_;
  const std::vector<VariablePtr>& variables_;
  TensorFile& file_;
  const std::string& function_;
  std::map<int, int> numbers_;
};

// Rebuilds a graph through apply_all, so that every shape rule checks what the file says.
class GraphReader {
 public:
  GraphReader(const Json& json, const std::vector<VariablePtr>& variables, const std::map<std::string, Tensor>& tensors)
      : json_(json), variables_(variables), tensors_(tensors), graph_(std::make_shared<Graph>()) {}

  std::shared_ptr<Graph> read() {
    for (const Json& input : json_.at("inputs"))
      values_.push_back(graph_->input(spec_of(input), input.at("name").get<std::string>()));
    for (const Json& index : json_.at("variables")) values_.push_back(graph_->initial(variable(index)));
    for (const Json& name : json_.at("constants")) {
      const auto at = tensors_.find(name.get<std::string>());
      if (at == tensors_.end()) throw value_error("the constant ", name.dump(), " is missing");
      values_.push_back(graph_->constant(at->second));
    }
    for (const Json& node : json_.at("nodes")) read_node(node);
    for (const Json& output : json_.at("outputs")) {
      graph_->outputs.push_back(value(output.at("value")).value());
      graph_->output_names.push_back(output.at("name").get<std::string>());
    }
    for (const Json& assignment : json_.at("assignments"))
      graph_->assign(variable(assignment.at("variable")), value(assignment.at("value")));
    return graph_;
  }

 private:
  static TensorSpec spec_of(const Json& input) {
    return {dtype_from_name(input.at("dtype").get<std::string>()), shape_of(input.at("shape"))};
  }

  const Tensor& value(const Json& number) const {
    const auto index = static_cast<std::size_t>(integer_of(number));
    if (index >= values_.size()) throw value_error("value ", index, " is used before it is made");
    return values_[index];
  }

  const VariablePtr& variable(const Json& number) const {
    const auto index = static_cast<std::size_t>(integer_of(number));
    if (index >= variables_.size()) throw value_error("there is no variable ", index);
    return variables_[index];
  }

  void read_node(const Json& node) {
    std::vector<Tensor> in;
    for (const Json& number : node.at("in")) in.push_back(value(number));
    Attrs attrs;
    for (const auto& [name, attr] : node.at("attrs").items()) attrs.set(name, attr_of(attr));
    if (in.empty()) throw value_error("a node of op ", node.at("op").dump(), " has no inputs");
    const auto caller = node.find("caller");
    const CallerScope scope(caller == node.end() ? nullptr : std::make_shared<std::string>(*caller));
    // One input that is symbolic is enough for the node to be recorded, and all values here are.
    for (Tensor& out : apply_all(node.at("op").get<std::string>(), in, attrs)) values_.push_back(std::move(out));
  }

  const Json& json_;
  const std::vector<VariablePtr>& variables_;
  const std::map<std::string, Tensor>& tensors_;
  std::shared_ptr<Graph> graph_;
  std::vector<Tensor> values_;
};

}  // namespace

struct Model::Impl {
  std::map<std::string, std::shared_ptr<Graph>> graphs;
  std::vector<VariablePtr> variables;

  struct Plan {
    std::string function;
    Specs inputs;
    std::shared_ptr<Program> program;
  };
  static constexpr std::size_t kKeptPlans = 64;  // each holds the memory of its intermediate values
  std::mutex planning;                           // of plans
  std::vector<Plan> plans;                       // the one used last is the last

  const Graph& graph(const std::string& function) const {
    const auto at = graphs.find(function);
    if (at != graphs.end()) return *at->second;
    if (graphs.empty()) throw value_error("The model has no functions: read it from a file with Model::load.");
    std::string known;
    for (const auto& [name, graph] : graphs) known += (known.empty() ? "" : ", ") + name;
    throw value_error("The model has no function '", function, "'; it has: ", known, ".");
  }
};

Model::Model() : impl_(std::make_unique<Impl>()) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model::Impl& Model::impl() const {
  if (!impl_) throw value_error("The Model was moved from. Use the one that it was moved to, or assign another.");
  return *impl_;
}

Model Model::share() const {
  Model model;
  model.impl_->graphs = impl().graphs;
  model.impl_->variables = impl().variables;
  return model;
}

void Model::add(const std::string& function, std::shared_ptr<Graph> graph) {
  if (!graph) throw value_error("Model::add: there is no graph for '", function, "'. Record one first.");
  for (const auto& variable : graph->variables)
    if (std::find(impl().variables.begin(), impl().variables.end(), variable) == impl().variables.end())
      impl().variables.push_back(variable);
  std::erase_if(impl().plans, [&](const Impl::Plan& plan) { return plan.function == function; });
  impl().graphs[function] = std::move(graph);
}

void Model::save(const std::string& path) const {
  TensorFile file;
  Json functions = Json::object(), names = Json::array();
  for (std::size_t i = 0; i < impl().variables.size(); ++i) {
    names.push_back(impl().variables[i]->name());
    file.tensors.emplace_back(str("variable/", i, "/", impl().variables[i]->name()), impl().variables[i]->value());
  }
  for (const auto& [name, graph] : impl().graphs)
    functions[name] = GraphWriter(*graph, impl().variables, file, name).write();
  file.metadata["format"] = kFormat;
  file.metadata["model"] = Json{{"variables", names}, {"functions", functions}}.dump();
  write_safetensors(path, file);
}

Model Model::load(const std::string& path) { return read(read_safetensors(path), "'" + path + "'"); }
Model Model::load(std::span<const std::byte> bytes) { return read(read_safetensors(bytes), kInMemory); }

Model Model::read(const TensorFile& file, const std::string& name_of_file) {
  const auto format = file.metadata.find("format"), text = file.metadata.find("model");
  if (format == file.metadata.end() || text == file.metadata.end() || format->second != kFormat)
    throw value_error(name_of_file, " is a safetensors file, but not a model written by dlcore's model.export (format ",
                      kFormat, ").");
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : file.tensors) tensors[name] = tensor;

  Model model;
  try {
    const Json json = parse_json(text->second);
    const Json& names = json.at("variables");
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string name = names[i].get<std::string>();
      const auto at = tensors.find(str("variable/", i, "/", name));
      if (at == tensors.end()) throw value_error("the variable '", name, "' is missing");
      model.impl_->variables.push_back(std::make_shared<Variable>(at->second, name));
    }
    for (const auto& [name, graph] : json.at("functions").items())
      model.impl_->graphs[name] = GraphReader(graph, model.impl_->variables, tensors).read();
  } catch (const Json::exception& error) {
    throw value_error(name_of_file, " has a broken description of its functions: ", error.what());
  } catch (const std::logic_error& error) {
    throw value_error(name_of_file, " has a broken attribute: ", error.what());
  } catch (const Error& error) {
    throw Error(error.kind(), str(name_of_file, ": ", error.what()));
  }
  return model;
}

std::vector<std::string> Model::functions() const {
  std::vector<std::string> names;
  for (const auto& [name, graph] : impl().graphs) names.push_back(name);
  return names;
}

namespace {

Specs specs_of(const Graph& graph, const std::vector<int>& values) {
  Specs specs;
  for (int value : values) specs.push_back(graph.values[value].spec);
  return specs;
}

}  // namespace

std::vector<TensorSpec> Model::inputs(const std::string& function) const {
  return specs_of(impl().graph(function), impl().graph(function).inputs);
}
std::vector<TensorSpec> Model::outputs(const std::string& function) const {
  return specs_of(impl().graph(function), impl().graph(function).outputs);
}
const std::vector<std::string>& Model::input_names(const std::string& function) const {
  return impl().graph(function).input_names;
}
const std::vector<std::string>& Model::output_names(const std::string& function) const {
  return impl().graph(function).output_names;
}
const std::vector<VariablePtr>& Model::variables() const { return impl().variables; }

std::shared_ptr<Program> Model::program(const std::string& function, std::span<const TensorSpec> inputs) {
  const std::lock_guard lock(impl().planning);
  std::vector<Impl::Plan>& plans = impl().plans;
  const auto known = std::find_if(plans.rbegin(), plans.rend(), [&](const Impl::Plan& plan) {
    return plan.function == function &&
           std::equal(inputs.begin(), inputs.end(), plan.inputs.begin(), plan.inputs.end());
  });
  if (known != plans.rend()) {
    std::rotate(plans.rbegin(), known, std::next(known));
    return plans.back().program;
  }
  auto program = Program::compile(specialise(impl().graph(function), inputs));
  if (plans.size() == Impl::kKeptPlans) plans.erase(plans.begin());
  plans.push_back({function, {inputs.begin(), inputs.end()}, program});
  return program;
}

std::vector<Tensor> Model::run(const std::string& function, std::span<const Tensor> inputs) {
  Specs specs;
  for (const Tensor& input : inputs) {
    if (!input)
      throw value_error("Input ", specs.size(), " of '", function, "' is an empty Tensor. Make it with Tensor::from.");
    specs.push_back(input.spec());
  }
  return program(function, specs)->run(inputs);
}

Tensor Model::predict(const Tensor& x) {
  std::vector<Tensor> outputs = run("predict", {&x, 1});
  if (outputs.empty()) throw value_error("The function 'predict' returns nothing; call it with run().");
  return std::move(outputs[0]);
}

}  // namespace dlcore
