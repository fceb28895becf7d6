#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/movement.h"
#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

namespace {

bool is(const Node& node, std::string_view name) { return node.op->name == name; }

/// A gradient that a slice_grad puts at [first, last) of an axis, into zeros.
struct Piece {
  int gradient;
  std::int64_t first, last;

  bool is_at(const Piece& other) const { return first == other.first && last == other.last; }
};

/// Each follows the one before it, or has the same place.
using Run = std::vector<Piece>;

std::vector<Run> runs_of(std::vector<Piece> pieces) {
  std::ranges::stable_sort(pieces, {}, &Piece::first);
  std::vector<Run> runs;
  for (const Piece& piece : pieces) {
    const bool goes_on = !runs.empty() && (piece.first == runs.back().back().last || piece.is_at(runs.back().back()));
    if (!goes_on) runs.emplace_back();
    runs.back().push_back(piece);
  }
  return runs;
}

class SliceGradientJoiner {
 public:
  explicit SliceGradientJoiner(Graph& graph)
      : uses_(count_uses(graph)), is_inner_(graph.values.size(), false), rewriter_(graph) {
    for (const Node& node : graph.nodes)
      if (is_sum(node))
        for (int value : node.in) is_inner_[value] = uses_[value] == 1;
  }

  void run() {
    rewriter_.run([this](Node& node) {
      if (!is_sum(node) || is_inner_[node.out[0]]) return true;
      const int sum = joined(terms_of(node));
      if (sum < 0) return true;
      rewriter_.replace(node.out[0], sum);
      return false;
    });
  }

 private:
  const TensorSpec& spec(int value) const { return rewriter_.spec(value); }
  bool is_sum(const Node& node) const {
    return is(node, "add") && spec(node.in[0]) == spec(node.out[0]) && spec(node.in[1]) == spec(node.out[0]);
  }
  bool is_read_once(int value) const { return value < std::ssize(uses_) && uses_[value] == 1; }

  /// What a sum of sums adds up, in order.
  std::vector<int> terms_of(const Node& sum) const {
    std::vector<int> terms, rest{sum.in[1], sum.in[0]};
    while (!rest.empty()) {
      const int value = rest.back();
      rest.pop_back();
      const Node* const maker = is_read_once(value) ? rewriter_.maker(value) : nullptr;
      if (maker && is_sum(*maker))
        rest.insert(rest.end(), {maker->in[1], maker->in[0]});
      else
        terms.push_back(value);
    }
    return terms;
  }

  /// The sum of the terms, or -1 where no two pieces among them lie side by side or at the same place.
  int joined(const std::vector<int>& terms) {
    std::map<int, std::vector<Piece>> pieces;  // by axis
    std::vector<int> parts;
    int whole = -1;
    for (const int term : terms) {
      const Node* const maker = is_read_once(term) ? rewriter_.maker(term) : nullptr;
      const auto slice =
          maker && is(*maker, "slice_grad") ? sliced_axis(spec(maker->in[1]), maker->attrs) : std::nullopt;
      if (!slice) {
        parts.push_back(term);
        continue;
      }
      pieces[slice->axis].push_back({maker->in[0], slice->first, slice->last});
      whole = maker->in[1];
    }
    std::vector<std::pair<int, Run>> runs;
    for (const auto& [axis, along] : pieces)
      for (Run& run : runs_of(along)) runs.emplace_back(axis, std::move(run));
    if (parts.size() + runs.size() == terms.size()) return -1;
    for (const auto& [axis, run] : runs) parts.push_back(placed(run, axis, whole));
    return sum_of(parts);
  }

  int sum_of(const std::vector<int>& parts) {
    int sum = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) sum = rewriter_.emit("add", {sum, parts[i]}, {});
    return sum;
  }

  /// The run's pieces side by side, where they belong in a tensor like `whole`.
  int placed(const Run& run, int axis, int whole) {
    std::vector<int> places;
    for (auto at = run.begin(); at != run.end();) {
      std::vector<int> gradients;
      for (const Piece& place = *at; at != run.end() && at->is_at(place); ++at) gradients.push_back(at->gradient);
      places.push_back(sum_of(gradients));
    }
    const int joined = places.size() == 1 ? places[0] : rewriter_.emit("concat", places, {{"axis", axis}});
    const int rank = spec(whole).shape.rank();
    if (spec(joined).shape == spec(whole).shape) return joined;
    Integers starts(rank, 0), stops(rank, kToTheEnd);
    starts[axis] = run.front().first, stops[axis] = run.back().last;
    return rewriter_.emit("slice_grad", {joined, whole}, {{"starts", starts}, {"stops", stops}});
  }

  std::vector<int> uses_;
  std::vector<bool> is_inner_;  // by value: read by a larger sum and by nothing else
  Rewriter rewriter_;
};

}  // namespace

void join_slice_gradients(Graph& graph) { SliceGradientJoiner(graph).run(); }

}  // namespace dlcore
