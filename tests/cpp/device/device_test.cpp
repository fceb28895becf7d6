// Programs on a device: where bytes lie, what is copied when, that nothing waits, and that results are the processor's.
#include "program/device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <optional>

#include "device/test_device.h"
#include "dlcore/ops.h"
#include "dlcore/program.h"
#include "program/graph.h"
#include "program/passes.h"
#include "program/process_group.h"
#include "testing.h"

namespace dlcore {
namespace {

using namespace ops;
using testing::TestDevice;

Tensor reals(const Shape& shape, unsigned seed) {
  return Tensor::from<float>(testing::random_reals<float>(shape.elements(), seed), shape);
}

std::vector<float> floats(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.shape().elements()};
}

std::string error_of(const std::function<void()>& work, ErrorKind kind) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

constexpr std::int64_t kRows = 40, kBatch = 8, kFeatures = 5;

/// A network with two layers, dropout and Adam, as a train step; its loss is summed in a variable.
struct Training {
  std::vector<float> x = testing::random_reals<float>(kRows * kFeatures, 1);
  std::vector<std::int32_t> y;
  std::vector<std::int64_t> order;
  std::vector<VariablePtr> weights;
  VariablePtr loss_sum, step, seed;
  std::shared_ptr<Program> program;

  explicit Training(Device& device) {
    for (std::int64_t i = 0; i < kRows; ++i) {
      y.push_back(static_cast<std::int32_t>(i * 7 % 3));
      order.push_back(i * 11 % kRows);
    }
    auto variable = [](const Tensor& value, const char* name) { return std::make_shared<Variable>(value, name); };
    weights = {variable(reals({kFeatures, 16}, 2), "w1"), variable(reals({16}, 3), "b1"),
               variable(reals({16, 3}, 4), "w2")};
    std::vector<VariablePtr> state;
    for (int moment = 0; moment < 2; ++moment)
      for (const VariablePtr& w : weights) state.push_back(variable(Tensor::zeros(DType::F32, w->spec().shape), "m"));
    loss_sum = variable(Tensor::scalar(DType::F32, 0), "loss");
    step = variable(Tensor::scalar(DType::I64, 0), "step");
    const std::vector<std::int64_t> start{7, 0}, one{0, 1};
    seed = variable(Tensor::from<std::int64_t>(start, {2}), "seed");

    auto graph = std::make_shared<Graph>();
    graph->begin_recording();
    const Tensor in = graph->input({DType::F32, {kBatch, kFeatures}}, "x");
    const Tensor labels = graph->input({DType::I32, {kBatch}}, "y");
    std::vector<Tensor> w;
    for (const VariablePtr& weight : weights) w.push_back(graph->read(weight));
    const Tensor seed_now = graph->read(seed);
    const Tensor hidden = apply("dropout", {unary("relu", matmul(in, w[0]) + w[1]), seed_now}, {{"rate", 0.25}});
    const Tensor logits = matmul(hidden, w[2]);
    const Tensor loss = mean(apply("sparse_softmax_xent", {logits, labels}), {});
    std::vector<Tensor> updated = w;
    for (const Tensor& d : graph->gradient(std::vector{loss}, {}, w)) updated.push_back(d);
    for (const VariablePtr& s : state) updated.push_back(graph->read(s));
    updated.push_back(Tensor::scalar(DType::F32, 0.05));
    updated.push_back(graph->read(step));
    const std::vector<Tensor> out = apply_all(
        "adam_update", updated, {{"n", std::int64_t{3}}, {"beta_1", 0.9}, {"beta_2", 0.999}, {"epsilon", 1e-7}});
    for (std::size_t i = 0; i < 3; ++i) graph->assign(weights[i], out[i]);
    for (std::size_t i = 0; i < 6; ++i) graph->assign(state[i], out[3 + i]);
    graph->assign(step, graph->read(step) + Tensor::scalar(DType::I64, 1));
    graph->assign(seed, seed_now + Tensor::from<std::int64_t>(one, {2}));
    graph->assign(loss_sum, graph->read(loss_sum) + loss);
    graph->set_outputs(std::vector{logits}, {"logits"});
    graph->end_recording();
    const DeviceScope scope(device);
    program = Program::compile(*graph);
  }

  /// The arrays as sources; kept: a device may keep them.
  std::vector<Rows> sources(bool kept) {
    std::vector<Rows> rows{{reinterpret_cast<std::byte*>(x.data()), DType::F32, kRows, kFeatures},
                           {reinterpret_cast<std::byte*>(y.data()), DType::I32, kRows, 1}};
    if (kept)
      for (Rows& r : rows)
        r.storage = std::make_shared<Storage>(
            r.data, static_cast<std::size_t>(r.rows * r.row_elements) * size_of(r.dtype), nullptr);
    return rows;
  }

  std::int64_t epoch(std::span<const Rows> rows) { return program->run_batches(rows, {order, 0, kRows / kBatch, 0}); }

  std::vector<float> result() const {
    std::vector<float> all = floats(loss_sum->value());
    for (const VariablePtr& w : weights)
      for (float number : floats(w->value())) all.push_back(number);
    return all;
  }
};

std::vector<float> trained_on_the_processor(int epochs) {
  Training training(cpu());
  const std::vector<Rows> rows = training.sources(false);
  for (int epoch = 0; epoch < epochs; ++epoch) training.epoch(rows);
  return training.result();
}

// ---- tensors

TEST(Device, StorageIsCopiedWhenAskedForAndOnce) {
  TestDevice device;
  const Tensor tensor = reals({3, 4}, 1);
  const std::vector<float> numbers = floats(tensor);
  std::byte* const there = tensor.storage()->on(device);
  EXPECT_TRUE(device.owns(there));
  EXPECT_EQ(tensor.storage()->on(device), there);
  EXPECT_EQ(device.counts.uploads, 1);
  EXPECT_EQ(floats(tensor), numbers);
  EXPECT_EQ(device.counts.downloads, 0);

  tensor.storage()->writable_on(device);
  EXPECT_EQ(floats(tensor), numbers);
  EXPECT_EQ(floats(tensor), numbers);
  EXPECT_EQ(device.counts.downloads, 1);
  tensor.storage()->writable_on(cpu());
  EXPECT_EQ(tensor.storage()->device(), nullptr);
  EXPECT_EQ(device.used_bytes(), 0u);
}

TEST(Device, OpsRunWhereTheScopeSays) {
  TestDevice device;
  const Tensor x = reals({4, 6}, 1), y = reals({6, 3}, 2);
  const std::vector<float> expected = floats(unary("tanh", matmul(x, y)) * 2.0);
  std::optional<Tensor> result;
  {
    const DeviceScope scope(device);
    EXPECT_EQ(&current_device(), &device);
    result = unary("tanh", matmul(x, y)) * 2.0;
  }
  EXPECT_NE(&current_device(), &device);
  EXPECT_EQ(result->storage()->device(), &device);
  EXPECT_EQ(device.counts.waits, 0);
  EXPECT_EQ(floats(*result), expected);
  EXPECT_EQ(device.counts.waits, 1);
  EXPECT_EQ(floats(*result + 1.0), floats(Tensor::from<float>(expected, {4, 3}) + 1.0));  // the processor takes it too
}

TEST(Device, AssigningKeepsTheValueInPlaceUnlessItIsHeld) {
  TestDevice device;
  Variable variable(reals({4}, 1), "v");
  std::byte* const place = variable.writable(device);
  const Tensor next = reals({4}, 2);
  variable.assign(next);
  EXPECT_EQ(variable.value().storage()->on(device), place);
  EXPECT_EQ(floats(variable.value()), floats(next));
  const Tensor held = variable.value();
  variable.assign(reals({4}, 3));
  EXPECT_EQ(floats(held), floats(next));
  EXPECT_EQ(floats(variable.value()), floats(reals({4}, 3)));
}

// ---- training

TEST(Device, TrainsToTheProcessorsBits) {
  const std::vector<float> expected = trained_on_the_processor(3);
  for (bool kept : {true, false})
    for (bool can_record : {true, false}) {
      TestDevice device;
      device.can_record = can_record;
      Training training(device);
      const std::vector<Rows> rows = training.sources(kept);
      for (int epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(training.epoch(rows), kRows / kBatch);
      EXPECT_EQ(training.result(), expected) << "kept " << kept << ", recorded " << can_record;
    }
}

TEST(Device, NothingWaitsAndVariablesStay) {
  TestDevice device;
  Training training(device);
  const std::vector<Rows> rows = training.sources(true);
  training.epoch(rows);
  const TestDevice::Counts first = device.counts;
  EXPECT_EQ(first.waits, 0);
  EXPECT_EQ(first.gathers, 2 * kRows / kBatch);
  EXPECT_EQ(first.copies, 0) << "new values of variables are made where they lie";
  for (int epoch = 0; epoch < 3; ++epoch) training.epoch(rows);
  EXPECT_EQ(device.counts.waits, 0);
  EXPECT_EQ(device.counts.downloads, 0);
  EXPECT_EQ(device.counts.uploads - first.uploads, 3) << "the order of the rows, once for each call";
  EXPECT_EQ(device.counts.allocations - first.allocations, 3);
  for (const VariablePtr& w : training.weights) EXPECT_EQ(w->value().storage()->device(), &device);
}

TEST(Device, TheSecondRunIsRecordedAndReplayed) {
  TestDevice device;
  Training training(device);
  const std::vector<Rows> rows = training.sources(true);
  training.epoch(rows);
  EXPECT_EQ(device.counts.recordings, 1);
  EXPECT_EQ(device.counts.replays, kRows / kBatch - 1);
  const std::int64_t kernels = device.counts.kernels;
  training.loss_sum->assign(Tensor::scalar(DType::F32, 0));  // as a metric that is reset
  training.epoch(rows);
  EXPECT_EQ(device.counts.recordings, 1);
  EXPECT_EQ(device.counts.replays, 2 * kRows / kBatch - 1);
  EXPECT_EQ(device.counts.kernels, kernels);

  const Tensor held = training.weights[0]->value();
  const std::vector<float> before = floats(held);
  training.epoch(rows);
  EXPECT_EQ(device.counts.recordings, 2) << "the weight had to move, since its old value is held";
  EXPECT_EQ(floats(held), before);
  EXPECT_NE(floats(training.weights[0]->value()), before);
}

TEST(Device, RowsThatAreNotKeptStream) {
  TestDevice device;
  Training training(device);
  const std::vector<Rows> rows = training.sources(false);
  training.epoch(rows);
  EXPECT_EQ(device.counts.waits, 0);
  EXPECT_EQ(device.counts.gathers, 0);
  EXPECT_LE(device.counts.uploader_waits, kRows / kBatch);
}

TEST(Device, DataThatIsLargeForTheDeviceStreams) {
  TestDevice device;
  Training training(device);
  training.epoch(training.sources(false));  // everything else has its place
  device.memory_bytes = device.used_bytes() + 2048;
  const std::vector<Rows> rows = training.sources(true);  // x has 800 bytes, y 160: beyond and within a quarter of them
  training.epoch(rows);
  EXPECT_EQ(rows[0].storage->device(), nullptr);
  EXPECT_EQ(rows[1].storage->device(), &device);
  EXPECT_EQ(training.result(), trained_on_the_processor(2));
}

TEST(Device, AStretchEndsAfterItsTimeAndGoesOn) {
  TestDevice device;
  Training training(device);
  const std::vector<Rows> rows = training.sources(true);
  std::int64_t done = 0, calls = 0;
  for (; done < kRows / kBatch; ++calls)
    done += training.program->run_batches(rows, {training.order, done * kBatch, kRows / kBatch - done, 1e-9});
  EXPECT_EQ(calls, kRows / kBatch);
  EXPECT_EQ(training.result(), trained_on_the_processor(1));
}

// ---- other programs

std::shared_ptr<Graph> trace(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& function,
                             const std::vector<TensorSpec>& inputs) {
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  std::vector<Tensor> symbolic;
  for (const TensorSpec& spec : inputs) symbolic.push_back(graph->input(spec, "x"));
  graph->set_outputs(function(symbolic), {});
  graph->end_recording();
  return graph;
}

TEST(Device, ResultsOfAllBatchesAreWrittenConverted) {
  TestDevice device;
  const auto graph = trace(
      [](const auto& x) {
        return std::vector{x[0] * 2.0, cast(x[0], DType::I32)};
      },
      {{DType::F32, {4, 3}}});
  std::vector<std::uint8_t> x(24 * 3);
  std::iota(x.begin(), x.end(), std::uint8_t{0});
  const Rows source{reinterpret_cast<std::byte*>(x.data()), DType::U8, 24, 3};
  std::vector<double> doubled(x.size());
  std::vector<std::int32_t> same(x.size());
  const std::vector<Rows> results{{reinterpret_cast<std::byte*>(doubled.data()), DType::F64, 24, 3},
                                  {reinterpret_cast<std::byte*>(same.data()), DType::I32, 24, 3}};
  const DeviceScope scope(device);
  const auto program = Program::compile(*graph);
  EXPECT_EQ(program->run_batches({&source, 1}, {std::nullopt, 0, 6, 0}, results), 6);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(doubled[i], 2.0 * x[i]);
    EXPECT_EQ(same[i], x[i]);
  }
  EXPECT_EQ(device.counts.waits, 2) << "one for each output";
}

TEST(Device, OutputsMayBeInputsAndConstants) {
  TestDevice device;
  const Tensor number = reals({2}, 5), x = reals({2, 3}, 1);
  const auto graph = trace(
      [&](const auto& in) {
        return std::vector{in[0], number, reshape(in[0], {6})};
      },
      {{DType::F32, {2, 3}}});
  const DeviceScope scope(device);
  const auto program = Program::compile(*graph);
  for (int run = 0; run < 3; ++run) {
    const std::vector<Tensor> out = program->run({&x, 1});
    EXPECT_EQ(floats(out[0]), floats(x));
    EXPECT_EQ(floats(out[1]), floats(number));
    EXPECT_EQ(floats(out[2]), floats(x));
  }
}

TEST(Device, VariablesMayTakeEachOthersValues) {
  TestDevice device;
  const auto a = std::make_shared<Variable>(reals({3}, 1), "a"), b = std::make_shared<Variable>(reals({3}, 2), "b");
  const std::vector<float> first = floats(a->value()), second = floats(b->value());
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  const Tensor old_a = graph->read(a), old_b = graph->read(b);
  graph->assign(a, old_b);
  graph->assign(b, old_a);
  graph->end_recording();
  const DeviceScope scope(device);
  const auto program = Program::compile(*graph);
  for (int run = 0; run < 3; ++run) program->run({});
  EXPECT_EQ(floats(a->value()), second);
  EXPECT_EQ(floats(b->value()), first);
}

TEST(Device, SmallUpdatesOfAShapeAreOneNode) {
  // Five scalars of two dtypes that read each other's old values, an average that is an output too, a vector.
  struct Metrics {
    std::vector<VariablePtr> v;
    std::shared_ptr<Graph> graph = std::make_shared<Graph>();
    Metrics() {
      const Tensor two = Tensor::scalar(DType::F32, 2), one = Tensor::scalar(DType::I64, 1);
      for (int i = 0; i < 4; ++i)
        v.push_back(std::make_shared<Variable>(Tensor::scalar(DType::F32, i + 0.25), str("v", i)));
      v.push_back(std::make_shared<Variable>(Tensor::scalar(DType::I64, 7), "step"));
      v.push_back(std::make_shared<Variable>(reals({5}, 1), "vector"));
      graph->begin_recording();
      const Tensor a = graph->read(v[0]), b = graph->read(v[1]), c = graph->read(v[2]), d = graph->read(v[3]);
      const Tensor total = sum(graph->read(v[5]), {0});
      graph->assign(v[0], b * two + total);
      graph->assign(v[1], a - two);
      graph->assign(v[2], c * c);
      const Tensor average = d / cast(graph->read(v[4]), DType::F32);
      graph->assign(v[3], average);
      graph->assign(v[4], graph->read(v[4]) + one);
      graph->assign(v[5], graph->read(v[5]) * two);
      graph->set_outputs(std::vector{average}, {"average"});
      graph->end_recording();
    }
  };
  TestDevice device;
  Metrics here, there;
  std::vector<std::string> ops;
  for (const Node& node : optimise(*there.graph, device).nodes) ops.push_back(node.op->name);
  EXPECT_EQ(ops, (std::vector<std::string>{"reduce_sum", "fused", "mul"}));
  const auto at_home = Program::compile(*here.graph);
  const DeviceScope scope(device);
  const auto away = Program::compile(*there.graph);
  for (int run = 0; run < 4; ++run) EXPECT_EQ(floats(at_home->run({})[0]), floats(away->run({})[0]));
  for (std::size_t i : {0, 1, 2, 3, 5}) EXPECT_EQ(floats(here.v[i]->value()), floats(there.v[i]->value())) << i;
  EXPECT_EQ(there.v[4]->value().item(), 11);
}

TEST(Device, UpdatesBeyondTheInputsOfANodeAreSeveral) {
  TestDevice device;
  std::vector<VariablePtr> variables;
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  for (int i = 0; i < 70; ++i) {
    variables.push_back(std::make_shared<Variable>(reals({9}, i), str("v", i)));
    graph->assign(variables[i], graph->read(variables[i]) + Tensor::scalar(DType::F32, i));
  }
  graph->end_recording();
  EXPECT_EQ(optimise(*graph, device).nodes.size(), 5u) << "16 of 32 inputs, then 16, 16, 16 and 6";
  const DeviceScope scope(device);
  Program::compile(*graph)->run({});
  for (int i = 0; i < 70; ++i) {
    std::vector<float> expected = floats(reals({9}, i));
    for (float& number : expected) number += static_cast<float>(i);
    EXPECT_EQ(floats(variables[i]->value()), expected) << i;
  }
}

TEST(Device, AVariableIsReadBeforeBetweenAndAfterItsAssignments) {
  TestDevice device;
  const auto a = std::make_shared<Variable>(reals({3}, 1), "a"), b = std::make_shared<Variable>(reals({3}, 2), "b");
  const std::vector<float> first = floats(a->value());
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  const Tensor before = graph->read(a), one = Tensor::scalar(DType::F32, 1);
  graph->assign(a, before + one);
  const Tensor between = graph->read(a);
  graph->assign(a, between + between);
  const Tensor after = graph->read(a);
  graph->assign(b, after);
  graph->set_outputs(std::vector{before, between, after}, {"before", "between", "after"});
  graph->end_recording();
  const DeviceScope scope(device);
  const auto program = Program::compile(*graph);
  std::vector<float> expected = first;
  for (int run = 0; run < 3; ++run) {
    const std::vector<Tensor> results = program->run({});
    EXPECT_EQ(floats(results[0]), expected);
    for (float& number : expected) number += 1;
    EXPECT_EQ(floats(results[1]), expected);
    for (float& number : expected) number += number;
    EXPECT_EQ(floats(results[2]), expected);
  }
  EXPECT_EQ(floats(a->value()), expected);
  EXPECT_EQ(floats(b->value()), expected);
}

TEST(Device, VariablesComeBackFromTheProcessor) {
  TestDevice device;
  Training training(device);
  training.epoch(training.sources(true));
  for (const VariablePtr& w : training.weights) w->writable(cpu());  // as a program of the processor does
  training.epoch(training.sources(true));
  EXPECT_EQ(training.result(), trained_on_the_processor(2));
}

TEST(Device, SumsOverProcessesBeginEarlyInMessages) {
  TestDevice device;
  // As if two processes with the same numbers summed.
  set_process_group({0, 2, [](void* data, std::int64_t count, DType) {
                       for (std::int64_t i = 0; i < count; ++i) static_cast<float*>(data)[i] *= 2;
                     }});
  const std::int64_t large = 1 << 20;  // 4 MiB
  const auto graph = trace(
      [&](const auto& x) {
        const Tensor a = apply("cumsum", {x[0]}), b = apply("cumsum", {a}), c = apply("cumsum", {x[1]});
        const std::vector<Tensor> sums = apply_all("all_reduce", std::vector{c, b, a});
        return std::vector{sums[0] + 1.0, sums[1] - sums[2]};
      },
      {{DType::F32, {large}}, {DType::F32, {3}}});
  std::vector<std::string> names;
  for (const Node& node : optimise(*graph, device).nodes) names.push_back(node.op->name);
  EXPECT_EQ(names, (std::vector<std::string>{"cumsum", "all_reduce_start", "cumsum", "all_reduce_start", "cumsum",
                                             "all_reduce_start", "all_reduce_wait", "all_reduce_wait",
                                             "all_reduce_wait", "add", "sub"}));
  const std::vector<Tensor> inputs{reals({large}, 1), reals({3}, 2)};
  const std::vector<Tensor> expected = Program::compile(*graph)->run(inputs);
  const DeviceScope scope(device);
  const auto program = Program::compile(*graph);
  for (int run = 0; run < 3; ++run) {
    const std::vector<Tensor> got = program->run(inputs);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(floats(got[i]), floats(expected[i]));
  }
  set_process_group({});
}

// ---- what goes wrong

TEST(Device, OutOfMemoryLeavesTheModelUsable) {
  TestDevice device;
  Training training(device);
  device.memory_bytes = device.used_bytes() + 100;
  const std::string message = error_of([&] { training.epoch(training.sources(true)); }, ErrorKind::OutOfMemory);
  EXPECT_NE(message.find("gpu:0"), std::string::npos);
  EXPECT_NE(message.find(" bytes were asked for, "), std::string::npos);
  device.memory_bytes = 1 << 20;
  for (int epoch = 0; epoch < 2; ++epoch) training.epoch(training.sources(true));
  EXPECT_EQ(training.result(), trained_on_the_processor(2));
}

TEST(Device, OutOfMemoryOfAnEagerOpGivesAllBack) {
  TestDevice device;
  const Tensor x = reals({100}, 1);
  x.storage()->on(device);
  device.memory_bytes = device.used_bytes() + 16;
  const DeviceScope scope(device);
  const std::string message = error_of([&] { x + 1.0; }, ErrorKind::OutOfMemory);
  EXPECT_NE(message.find("400 bytes were asked for, 12 are free"), std::string::npos) << message;
  EXPECT_EQ(device.used_bytes(), 400u) << "x alone";
}

TEST(Device, AMissingKernelIsNamed) {
  TestDevice device;
  device.without = {"tanh", "sort", "fused"};
  EXPECT_EQ(missing_kernels(device), (std::vector<std::string>{"fused", "sort", "tanh"}));
  const Tensor x = reals({4}, 1);
  const auto graph = trace(
      [](const auto& in) { return std::vector{apply("sort", {unary("tanh", unary("exp", in[0]))})}; }, {x.spec()});
  const DeviceScope scope(device);
  const std::string at_once = error_of([&] { unary("tanh", x); }, ErrorKind::NotImplemented);
  EXPECT_EQ(at_once.find("gpu:0 has no kernel for 'tanh'. "), 0u) << at_once;
  const std::string program = error_of([&] { Program::compile(*graph); }, ErrorKind::NotImplemented);
  EXPECT_EQ(program.find("gpu:0 has no kernel for 'tanh', 'sort'. "), 0u) << program;
  EXPECT_EQ(device.used_bytes(), 0u);
}

TEST(Device, PassesMakeOnlyWhatTheDeviceRuns) {
  TestDevice device;
  const auto graph =
      trace([](const auto& in) { return std::vector{unary("tanh", unary("exp", in[0]))}; }, {{DType::F32, {4}}});
  EXPECT_EQ(optimise(*graph, device).nodes.size(), 1u);
  device.without = {"fused"};
  EXPECT_EQ(optimise(*graph, device).nodes.size(), 2u);
}

TEST(Device, AnIndexOutOfRangeIsReportedWhenTheHostWaits) {
  TestDevice device;
  const Tensor x = reals({4, 2}, 1);
  const std::vector<std::int32_t> numbers{1, 4};
  const Tensor beyond = Tensor::from<std::int32_t>(numbers, {2});
  const auto graph = trace(
      [](const auto& in) {
        return std::vector{apply("gather", {in[0], in[1]})};
      },
      {x.spec(), beyond.spec()});
  const DeviceScope scope(device);
  const std::vector<Tensor> inputs{x, beyond}, rows = Program::compile(*graph)->run(inputs);
  EXPECT_NE(error_of([&] { rows[0].bytes(); }, ErrorKind::Index).find("4"), std::string::npos);
  error_of([&] { apply("gather", {x, beyond}); }, ErrorKind::Index);  // an eager op waits if it may fail
  EXPECT_EQ(floats(x + 0.0), floats(x));
}

TEST(Device, AFailedStepAndThoseBehindItChangeNothing) {
  TestDevice device;
  const auto after_two_steps = [](Training& training) {
    training.order.resize(2 * kBatch);
    training.program->run_batches(training.sources(true), {training.order, 0, 2, 0});
    return training.result();
  };
  Training expected(cpu());
  const std::vector<float> good = after_two_steps(expected);
  // The third of five, both where runs are enqueued one by one and where they are replayed.
  for (bool recorded : {false, true}) {
    device.can_record = recorded;
    Training training(device);
    training.y[training.order[2 * kBatch]] = 3;
    training.epoch(training.sources(true));
    const std::string error = error_of([&] { training.loss_sum->value().bytes(); }, ErrorKind::Index);
    EXPECT_NE(error.find("label 3"), std::string::npos) << error;
    EXPECT_EQ(training.result(), good);
    EXPECT_EQ(training.step->value().item(), 2);
    training.y[training.order[2 * kBatch]] = 0;
    training.epoch(training.sources(true));
    EXPECT_EQ(training.step->value().item(), 7);
  }
}

TEST(Device, VariablesAreWrittenInPlaceBehindAllThatMayFail) {
  TestDevice device;
  const auto count = std::make_shared<Variable>(Tensor::scalar(DType::I64, 0), "count");
  const Tensor x = reals({4, 2}, 1);
  const std::vector<std::int32_t> within{1, 3}, beyond{1, 4};
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  const Tensor table = graph->input(x.spec(), "x"), at = graph->input({DType::I32, {2}}, "at");
  graph->assign(count, graph->read(count) + Tensor::scalar(DType::I64, 1));  // the update comes first
  graph->set_outputs(std::vector{apply("gather", {table, at})}, {"rows"});
  graph->end_recording();
  const DeviceScope scope(device);
  const auto program = Program::compile(*graph);
  const std::vector<Tensor> good{x, Tensor::from<std::int32_t>(within, {2})};
  const std::vector<Tensor> bad{x, Tensor::from<std::int32_t>(beyond, {2})};
  program->run(good);
  EXPECT_EQ(device.counts.copies, 1);  // the output
  program->run(bad);
  program->run(good);
  error_of([&] { device.synchronize(); }, ErrorKind::Index);
  program->run(good);
  EXPECT_EQ(count->value().item(), 2);
}

TEST(Device, RowsBeyondTheArrayAreAnErrorBeforeAnythingRuns) {
  TestDevice device;
  Training training(device);
  const std::vector<Rows> rows = training.sources(true);
  training.order[3] = kRows;
  error_of([&] { training.epoch(rows); }, ErrorKind::Index);
  EXPECT_EQ(device.counts.kernels, 0);
  EXPECT_EQ(training.step->value().item(), 0);
}

TEST(Device, ALostDeviceSaysSo) {
  TestDevice device;
  Training training(device);
  const std::vector<Rows> rows = training.sources(true);
  training.epoch(rows);
  device.lost = true;
  EXPECT_NE(error_of([&] { training.epoch(rows); }, ErrorKind::Runtime).find("lost"), std::string::npos);
}

TEST(Device, APluginOfAnotherVersionIsRefused) {
  EXPECT_NE(error_of([] { expect_plugin_version("1.2", "1.1"); }, ErrorKind::Runtime).find("1.1"), std::string::npos);
}

TEST(Device, AnUnknownDeviceListsThoseThereAre) {
  EXPECT_NE(error_of([] { device("npu:3"); }, ErrorKind::Value).find("Devices: cpu:0"), std::string::npos);
  EXPECT_EQ(&device("cpu"), &cpu());
}

}  // namespace
}  // namespace dlcore
