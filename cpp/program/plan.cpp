#include "program/plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace dlcore {

std::size_t place_intervals(std::vector<Interval>& intervals, std::size_t alignment) {
  std::vector<std::size_t> by_size(intervals.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return intervals[a].bytes > intervals[b].bytes; });
  std::vector<const Interval*> placed;  // by offset
  std::size_t arena = 0;
  for (std::size_t index : by_size) {
    Interval& interval = intervals[index];
    if (interval.bytes == 0) break;  // nor have those that follow any
    interval.bytes = (interval.bytes + alignment - 1) / alignment * alignment;
    std::size_t offset = 0;
    for (const Interval* other : placed) {
      if (other->last < interval.first || interval.last < other->first) continue;
      if (offset + interval.bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    interval.offset = offset;
    arena = std::max(arena, offset + interval.bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &interval,
                                   [](const Interval* a, const Interval* b) { return a->offset < b->offset; }),
                  &interval);
  }
  return arena;
}

namespace {

// The last step that may fail; until it has passed, variables keep what they hold. -1: none.
int last_to_fail(const std::vector<Kernel>& kernels) {
  for (int step = static_cast<int>(kernels.size()) - 1; step >= 0; --step)
    if (kernels[step].may_fail) return step;
  return -1;
}

// Values that share bytes form a group; the group's root decides where they live.
class Planner {
 public:
  Planner(const Graph& graph, const std::vector<Kernel>& kernels, std::size_t alignment)
      : graph_(graph), kernels_(kernels), alignment_(alignment) {
    const std::size_t count = graph.values.size();
    root_.resize(count);
    std::iota(root_.begin(), root_.end(), 0);
    first_.assign(count, 0);
    last_.assign(count, -1);
    pinned_.assign(count, Place{});
  }

  MemoryPlan plan() {
    find_lifetimes();
    share_aliases();
    pin_sources();
    MemoryPlan plan;
    pin_assignments(plan);
    pin_outputs(plan);
    share_in_place();
    place(plan);
    return plan;
  }

 private:
  int find(int value) const {
    while (root_[value] != value) value = root_[value];
    return value;
  }

  void find_lifetimes() {
    const int end = static_cast<int>(graph_.nodes.size());
    for (int step = 0; step < end; ++step) {
      const Node& node = graph_.nodes[step];
      for (int value : node.out) first_[value] = last_[value] = step;
      for (std::size_t i = 0; i < node.in.size(); ++i)
        if (reads_bytes(*node.op, i)) last_[node.in[i]] = step;
    }
    for (int value : graph_.outputs) last_[value] = end;
    for (const Assignment& assignment : graph_.assignments) last_[assignment.value] = end;
    // What settled nodes have made for others is there from the beginning.
    for (int step = 0; step < graph_.settled; ++step)
      for (int value : graph_.nodes[step].out)
        if (last_[value] >= graph_.settled) first_[value] = 0, last_[value] = end;
  }

  void merge(int value, int into) {
    const int root = find(into);
    root_[find(value)] = root;
    first_[root] = std::min(first_[root], first_[value]);
    last_[root] = std::max(last_[root], last_[value]);
  }

  void share_aliases() {
    for (const Node& node : graph_.nodes)
      if (node.op->is_alias) merge(node.out[0], node.in[0]);
  }

  void pin_sources() {
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      const int index = static_cast<int>(v);
      if (value.source == Source::Input) pinned_[v] = {Place::Input, 0, value.index};
      if (value.source == Source::Constant) pinned_[v] = {Place::Constant, 0, index};
      if (value.source == Source::Variable) pinned_[v] = {Place::Variable, 0, value.index};
    }
  }

  // The step, of every run, that makes a value which may live where the plan likes: not an alias, not pinned yet. -1
  // otherwise.
  int free_producer(int value) const {
    if (find(value) != value || pinned_[value].kind != Place::None || graph_.values[value].source != Source::Node)
      return -1;
    return graph_.values[value].index < graph_.settled ? -1 : graph_.values[value].index;
  }

  // (value, input that it may be made in the bytes of, for its node reads it but once), sorted. A step that updates all
  // variables has thousands.
  std::vector<std::pair<int, int>> overwrites() const {
    std::vector<std::pair<int, int>> found;
    std::vector<int> reads(graph_.values.size(), 0);
    for (std::size_t step = 0; step < graph_.nodes.size(); ++step) {
      const Node& node = graph_.nodes[step];
      if (kernels_[step].in_place.empty()) continue;
      for (int value : node.in) ++reads[value];
      for (const auto& [out, in] : kernels_[step].in_place)
        if (reads[node.in[in]] == 1) found.emplace_back(node.out[out], node.in[in]);
      for (int value : node.in) --reads[value];
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  // A new value of a variable is made in the variable's own bytes when nothing reads the old value from then on, no
  // step fails any more, and its kernel leaves it alone behind the failure of an earlier run.
  void pin_assignments(MemoryPlan& plan) {
    const int safe = last_to_fail(kernels_) + 1;
    const std::vector<std::pair<int, int>> overwritten = overwrites();
    for (std::size_t a = 0; a < graph_.assignments.size(); ++a) {
      const Assignment& assignment = graph_.assignments[a];
      const int old_value = graph_.variable_values[assignment.variable];
      const int step = free_producer(assignment.value);
      const bool direct =
          step >= safe && kernels_[step].has_guard &&
          (last_[find(old_value)] < step ||
           (last_[find(old_value)] == step &&
            std::binary_search(overwritten.begin(), overwritten.end(), std::pair(assignment.value, old_value))));
      if (direct)
        pinned_[assignment.value] = {Place::Variable, 0, assignment.variable};
      else
        plan.assignment_copies.push_back({assignment.value, static_cast<int>(a)});
    }
  }

  void pin_outputs(MemoryPlan& plan) {
    for (std::size_t o = 0; o < graph_.outputs.size(); ++o) {
      const int value = graph_.outputs[o];
      if (free_producer(value) >= 0)
        pinned_[value] = {Place::Output, 0, static_cast<int>(o)};
      else
        plan.output_copies.push_back({value, static_cast<int>(o)});
    }
  }

  // An output takes over the bytes of an input that dies at the same step, where the kernel allows it.
  void share_in_place() {
    for (std::size_t step = 0; step < graph_.nodes.size(); ++step) {
      const Node& node = graph_.nodes[step];
      std::vector<int> taken;
      for (const auto& [out, in] : kernels_[step].in_place) {
        const int result = node.out[out], source = find(node.in[in]);
        if (free_producer(result) < 0 || pinned_[source].kind != Place::None) continue;
        if (graph_.values[source].source != Source::Node || last_[source] != static_cast<int>(step)) continue;
        if (graph_.values[result].spec.bytes() > graph_.values[source].spec.bytes()) continue;
        int uses = 0;
        for (std::size_t i = 0; i < node.in.size(); ++i) uses += reads_bytes(*node.op, i) && find(node.in[i]) == source;
        if (uses != 1 || std::count(taken.begin(), taken.end(), source)) continue;
        taken.push_back(source);
        merge(result, source);
      }
    }
  }

  void place(MemoryPlan& plan) {
    std::vector<Interval> intervals;
    std::vector<int> interval_of(graph_.values.size(), -1);
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const int value = static_cast<int>(v);
      if (graph_.values[v].source != Source::Node || find(value) != value || pinned_[v].kind != Place::None) continue;
      interval_of[v] = static_cast<int>(intervals.size());
      intervals.push_back({graph_.values[v].spec.bytes(), first_[v], std::max(first_[v], last_[v])});
    }
    const std::size_t scratch_begin = intervals.size();
    for (std::size_t step = 0; step < graph_.nodes.size(); ++step)
      intervals.push_back({kernels_[step].scratch_bytes, static_cast<int>(step), static_cast<int>(step)});
    plan.arena_bytes = place_intervals(intervals, alignment_);

    plan.places.resize(graph_.values.size());
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const int root = find(static_cast<int>(v));
      plan.places[v] = pinned_[root];
      if (interval_of[root] >= 0) plan.places[v] = {Place::Arena, intervals[interval_of[root]].offset, -1};
    }
    for (std::size_t step = 0; step < graph_.nodes.size(); ++step)
      plan.scratch_offsets.push_back(intervals[scratch_begin + step].offset);
  }

  const Graph& graph_;
  const std::vector<Kernel>& kernels_;
  std::size_t alignment_;
  std::vector<int> root_, first_, last_;
  std::vector<Place> pinned_;
};

}  // namespace

void delay_updates(Graph& graph, std::vector<Kernel>& kernels) {
  std::vector<bool> is_read(graph.values.size(), false), is_assigned(graph.values.size(), false);
  for (const Node& node : graph.nodes)
    for (int value : node.in) is_read[value] = true;
  for (const Assignment& assignment : graph.assignments) is_assigned[assignment.value] = true;
  const auto is_update = [&](int n) {
    const std::vector<int>& out = graph.nodes[n].out;
    return std::any_of(out.begin(), out.end(), [&](int value) { return is_assigned[value]; }) &&
           std::none_of(out.begin(), out.end(), [&](int value) { return is_read[value]; });
  };
  std::vector<int> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  const int first = graph.settled, behind = std::max(first, last_to_fail(kernels) + 1);
  std::stable_partition(order.begin() + first, order.begin() + behind, [&](int n) { return !is_update(n); });
  std::vector<Node> nodes;
  std::vector<Kernel> moved;
  for (int n : order) {
    for (int value : graph.nodes[n].out) graph.values[value].index = static_cast<int>(nodes.size());
    nodes.push_back(std::move(graph.nodes[n]));
    moved.push_back(std::move(kernels[n]));
  }
  graph.nodes = std::move(nodes);
  kernels = std::move(moved);
}

MemoryPlan plan_memory(const Graph& graph, const std::vector<Kernel>& kernels, std::size_t alignment) {
  return Planner(graph, kernels, alignment).plan();
}

}  // namespace dlcore
