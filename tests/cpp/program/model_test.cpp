#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "dlcore/model_io.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "program/graph.h"
#include "program/safetensors.h"
#include "testing.h"

namespace dlcore {
namespace {

using namespace ops;
using testing::error_text;
using testing::random_reals;

Tensor matrix(std::int64_t rows, std::int64_t cols, unsigned seed) {
  Tensor tensor = Tensor::empty(DType::F32, {rows, cols});
  const std::vector<float> numbers = random_reals<float>(rows * cols, seed);
  std::copy(numbers.begin(), numbers.end(), tensor.data<float>());
  return tensor;
}

/// A dense layer that "train_step" fits to targets by gradient descent with momentum, counting its steps.
Model make_model() {
  const auto weights = std::make_shared<Variable>(matrix(3, 2, 1), "weights");
  const auto velocity = std::make_shared<Variable>(Tensor::zeros(DType::F32, {3, 2}), "velocity");
  const auto steps = std::make_shared<Variable>(Tensor::scalar(DType::I64, 0), "steps");
  Model model;

  auto predict = std::make_shared<Graph>();
  predict->begin_recording();
  const Tensor rows = predict->input({DType::F32, {Shape::kUnknown, 3}}, "x");
  predict->set_outputs(std::vector{matmul(rows, predict->read(weights))}, {"y"});
  predict->end_recording();
  model.add("predict", predict);

  auto train = std::make_shared<Graph>();
  train->begin_recording();
  const Tensor x = train->input({DType::F32, {Shape::kUnknown, 3}}, "x");
  const Tensor y = train->input({DType::F32, {Shape::kUnknown, 2}}, "y");
  const Tensor w = train->read(weights), error = matmul(x, w) - y, loss = mean(error * error, {});
  const Tensor gradient = train->gradient({&loss, 1}, {}, {&w, 1})[0];
  train->assign(velocity, train->read(velocity) * 0.9 - gradient * 0.1);
  train->assign(weights, w + train->read(velocity));
  train->assign(steps, train->read(steps) + 1.0);
  train->set_outputs(std::vector{loss}, {"loss"});
  train->end_recording();
  model.add("train_step", train);
  return model;
}

class SavedModel : public ::testing::Test {
 protected:
  SavedModel() : path_(std::filesystem::temp_directory_path() / str("dlcore_model_test_", ::getpid(), ".dlcore")) {}
  ~SavedModel() override { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  Model saved_and_loaded(const Model& model) const {
    model.save(path());
    return Model::load(path());
  }

 private:
  std::filesystem::path path_;
};

std::vector<float> numbers(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.shape().elements()};
}

double train(Model& model, std::int64_t rows) {
  const std::vector<Tensor> batch{matrix(rows, 3, 5), matrix(rows, 2, 6)};
  return model.run("train_step", batch)[0].item();
}

TEST_F(SavedModel, GoesOnTrainingWhereItStopped) {
  Model model = make_model();
  const double first = train(model, 16);
  train(model, 16);
  Model loaded = saved_and_loaded(model);
  EXPECT_EQ(loaded.functions(), model.functions());
  for (std::int64_t rows : {16, 7}) EXPECT_EQ(train(loaded, rows), train(model, rows));
  const Tensor x = matrix(4, 3, 9);
  EXPECT_EQ(numbers(loaded.predict(x)), numbers(model.predict(x)));
  double last = first;
  for (int i = 0; i < 50; ++i) last = train(loaded, 16);
  EXPECT_LT(last, 0.9 * first);
}

TEST_F(SavedModel, KeepsTheNamesOfOutputs) {
  const Model model = make_model(), loaded = saved_and_loaded(model);
  for (const Model* m : {&model, &loaded}) {
    EXPECT_EQ(m->output_names("train_step"), std::vector<std::string>{"loss"});
    EXPECT_EQ(m->output_names("predict"), std::vector<std::string>{"y"});
  }
  EXPECT_THROW(model.output_names("nothing"), Error);
}

TEST_F(SavedModel, KeepsEveryVariable) {
  Model model = make_model();
  for (int i = 0; i < 3; ++i) train(model, 8);
  const Model loaded = saved_and_loaded(model);
  ASSERT_EQ(loaded.variables().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const Variable &a = *loaded.variables()[i], &b = *model.variables()[i];
    EXPECT_EQ(a.name(), b.name());
    ASSERT_EQ(a.spec(), b.spec());
    EXPECT_EQ(std::memcmp(a.value().bytes(), b.value().bytes(), a.spec().bytes()), 0) << a.name();
    if (a.name() == "steps") {
      EXPECT_EQ(a.value().item(), 3);
    }
  }
}

TEST_F(SavedModel, NamesItsInputs) {
  const Model model = make_model(), loaded = saved_and_loaded(model);
  for (const Model* m : {&model, &loaded}) {
    EXPECT_EQ(m->input_names("train_step"), (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(m->input_names("predict"), std::vector<std::string>{"x"});
  }
  EXPECT_THROW(model.input_names("nothing"), Error);
}

TEST_F(SavedModel, IsReadFromMemory) {
  Model model = make_model();
  model.save(path());
  std::ifstream in(path(), std::ios::binary);
  std::string whole{std::istreambuf_iterator<char>(in), {}};
  const auto load = [](std::string bytes) { return Model::load(std::as_bytes(std::span(bytes))); };
  const Tensor x = matrix(4, 3, 9);
  EXPECT_EQ(numbers(load(whole).predict(x)), numbers(model.predict(x)));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(error_text([&] { load(whole.substr(0, size)); }).find("The file in memory"), 0u) << size;
}

TEST_F(SavedModel, EveryFlippedBitIsReadOrRefused) {
  make_model().save(path());
  std::ifstream in(path(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 1 << at % 8);
    std::ofstream(path(), std::ios::binary) << broken;
    try {
      Model::load(path()).predict(matrix(2, 3, 1));
    } catch (const Error&) {
    }
  }
}

TEST_F(SavedModel, ADescriptionThatIsNestedDeeplyIsRefused) {
  const std::string nested = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  TensorFile file;
  file.metadata["format"] = "dlcore-model-1";
  for (const std::string& nodes :
       {R"({"op":)" + nested + R"(,"in":[],"attrs":{}})", R"({"op":"neg","in":[)" + nested + R"(],"attrs":{}})"}) {
    file.metadata["model"] = R"({"variables":[],"functions":{"predict":{"inputs":[],"variables":[],"constants":[],)"
                             R"("nodes":[)" +
                             nodes + "]}}}";
    write_safetensors(path(), file);
    EXPECT_NE(error_text([&] { Model::load(path()); }).find("more than 100 levels"), std::string::npos);
  }
}

TEST(MovedModel, IsRefused) {
  Model model;
  Model other = std::move(model);
  EXPECT_TRUE(other.functions().empty());
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { model.functions(); }, [&] { model.variables(); }, [&] { model.inputs("predict"); },
           [&] { model.save("nowhere"); }, [&] { model.add("f", std::make_shared<Graph>()); },
           [&] { model.run("predict", {}); }, [&] { model.predict(Tensor::scalar(DType::F32, 1)); }})
    EXPECT_EQ(error_text(use), "The Model was moved from. Use the one that it was moved to, or assign another.");
  model = std::move(other);
  EXPECT_TRUE(model.functions().empty());
}

TEST(TensorData, IsOfItsType) {
  const Tensor x = Tensor::zeros(DType::I32, {3});
  EXPECT_EQ(x.data<std::int32_t>()[2], 0);
  EXPECT_EQ(x.data<const std::int32_t>()[2], 0);
  EXPECT_EQ(Tensor::zeros(DType::BF16, {2}).data<std::uint16_t>()[1], 0);
  EXPECT_EQ(
      error_text([&] { x.data<float>(); }),
      "Tensor::data: the elements of int32(3,) were asked for as another type, of 4 bytes. Call data<T>() with the "
      "type of int32.");
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { x.data<std::uint16_t>(); }, [] { Tensor::zeros(DType::F16, {2}).data<float>(); },
           [] { Tensor::zeros(DType::Bool, {2}).data<std::uint8_t>(); }})
    EXPECT_NE(error_text(use).find("another type"), std::string::npos);
}

TEST(TensorData, IsAskedOfTensorsThatHaveIt) {
  const Tensor empty;
  Variable variable(Tensor::scalar(DType::F32, 1), "v");
  Model model = make_model();
  const std::vector<TensorSpec> specs{{DType::F32, {2, 3}}};
  const auto program = model.program("predict", specs);
  for (const auto& use :
       std::vector<std::function<void()>>{[&] { empty.data<float>(); }, [&] { empty.bytes(); }, [&] { empty.shape(); },
                                          [&] { empty.item(); }, [&] { empty.clone(); }, [&] { empty.is_symbolic(); },
                                          [&] { variable.assign(empty); }, [&] { Variable(empty, "w"); },
                                          [&] {
                                            program->run({&empty, 1});
                                          }})
    EXPECT_EQ(error_text(use), "The Tensor is empty. Make it with Tensor::from.");

  const auto graph = std::make_shared<Graph>();
  const Tensor symbolic = graph->input({DType::F32, {}}, "x");
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { symbolic.data<float>(); }, [&] { symbolic.bytes(); }, [&] { symbolic.item(); },
           [&] { symbolic.clone(); }, [&] { variable.assign(symbolic); }, [&] { Variable(symbolic, "w"); }})
    EXPECT_EQ(error_text(use),
              "The Tensor float32() stands for a value of a graph. What runs the graph makes its elements.");
}

TEST(Model, RunsOnSeveralThreads) {
  Model model = make_model();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 200; ++i) {
        const std::int64_t rows = 1 + (7 * i + thread) % 90;
        wrong += model.predict(matrix(rows, 3, 4)).shape() != Shape{rows, 2};
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Model, SharesItsVariables) {
  Model model = make_model(), other = model.share();
  const Tensor x = matrix(4, 3, 9), before = model.predict(x);
  train(other, 16);
  EXPECT_NE(numbers(model.predict(x)), numbers(before));
  EXPECT_EQ(numbers(model.predict(x)), numbers(other.predict(x)));
  EXPECT_EQ(other.variables(), model.variables());
  const std::vector<TensorSpec> specs{x.spec()};
  EXPECT_NE(other.program("predict", specs), model.program("predict", specs));
}

TEST(Model, IsSharedByThreads) {
  const Model model = make_model();
  const std::vector<float> expected = numbers(model.share().predict(matrix(9, 3, 4)));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      Model own = model.share();
      for (int i = 0; i < 100; ++i) wrong += numbers(own.predict(matrix(9, 3, 4))) != expected;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Model, KeepsThePlansThatWereUsedLast) {
  Model model = make_model();
  const auto plan = [&](std::int64_t rows) {
    const std::vector<TensorSpec> specs{{DType::F32, {rows, 3}}};
    return model.program("predict", specs);
  };
  const std::weak_ptr<Program> used = plan(1), unused = plan(2);
  for (std::int64_t rows = 3; rows <= 65; ++rows) {
    plan(rows);
    EXPECT_EQ(plan(1), used.lock());
  }
  EXPECT_TRUE(unused.expired());
}

TEST(Model, RunsTheFunctionThatWasAddedLast) {
  Model model;
  EXPECT_EQ(error_text([&] { model.add("predict", nullptr); }),
            "Model::add: there is no graph for 'predict'. Record one first.");
  const Tensor x = Tensor::scalar(DType::F32, 5);
  for (const double factor : {2.0, 3.0}) {
    const auto graph = std::make_shared<Graph>();
    const Tensor input = graph->input({DType::F32, {}}, "x");
    graph->set_outputs(std::vector{input * factor}, {"y"});
    model.add("predict", graph);
    EXPECT_EQ(model.predict(x).item(), 5 * factor);
  }
}

// Reads, plans, runs and saves a model when static objects are destroyed, those first that were made later.
struct UserUntilTheEnd {
  std::string path;
  ~UserUntilTheEnd() {
    if (path.empty()) return;
    Model model = Model::load(path);
    if (model.predict(matrix(4, 3, 5)).shape() == Shape{4, 2}) std::fputs("predicted", stderr);
    model.save(path);
    std::filesystem::remove(path);
  }
};

TEST_F(SavedModel, IsUsedUntilTheProcessEnds) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        static UserUntilTheEnd user;
        user.path = path();
        make_model().save(user.path);
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "predicted");
}

TEST_F(SavedModel, PredictsOnlyWhereTheFunctionReturnsATensor) {
  auto graph = std::make_shared<Graph>();
  graph->input({DType::F32, {2}}, "x");
  Model model;
  model.add("predict", graph);
  EXPECT_TRUE(model.run("predict", std::vector{Tensor::zeros(DType::F32, {2})}).empty());
  EXPECT_THROW(model.predict(Tensor::zeros(DType::F32, {2})), Error);
}

TEST_F(SavedModel, SaysHowToCallIt) {
  Model model = make_model();
  const auto text_of = [&](const Tensor& x) { return error_text([&] { model.predict(x); }); };
  EXPECT_EQ(text_of(Tensor()), "Input 0 of 'predict' is an empty Tensor. Make it with Tensor::from.");
  EXPECT_EQ(text_of(Tensor::zeros(DType::F64, {2, 3})),
            "The input 'x' is float32(None, 3) (None: any size); got float64(2, 3). Cast it.");
  EXPECT_EQ(text_of(Tensor::zeros(DType::F32, {6})),
            "The input 'x' is float32(None, 3) (None: any size); got float32(6,). Reshape it.");
  EXPECT_NE(error_text([&] { model.program("predict", model.inputs("predict")); }).find("Its sizes must be known."),
            std::string::npos);
  EXPECT_EQ(error_text([] { Model().predict(Tensor::zeros(DType::F32, {1})); }),
            "The model has no functions: read it from a file with Model::load.");
  EXPECT_EQ(error_text([] { matmul(Tensor(), Tensor()); }),
            "matmul: an input is an empty Tensor. Make it with Tensor::from.");
}

TEST_F(SavedModel, SaysWhichInputsAFunctionHas) {
  EXPECT_EQ(error_text([] { make_model().run("train_step", {matrix(2, 3, 1)}); }),
            "The function has 2 inputs: 'x' float32(None, 3), 'y' float32(None, 2); got 1.");
  auto graph = std::make_shared<Graph>();
  graph->set_outputs({}, {});
  Model model;
  model.add("nothing", graph);
  EXPECT_EQ(error_text([&] { model.run("nothing", {Tensor::scalar(DType::F32, 1)}); }),
            "The function has 0 inputs; got 1.");
}

TEST_F(SavedModel, KnowsAnArchiveOfKeras) {
  std::ofstream(path(), std::ios::binary) << "PK" << '\3' << '\4' << '\24' << std::string(100, '\0');
  EXPECT_NE(error_text([&] { Model::load(path()); }).find("what model.export writes"), std::string::npos);
}

TEST(Model, NamesTheLayersWhoseShapesDoNotFit) {
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  const Tensor a = graph->input({DType::F32, {Shape::kUnknown, 3}}, "a");
  const Tensor b = graph->input({DType::F32, {Shape::kUnknown, 3}}, "b");
  const CallerScope scope(std::make_shared<std::string>("Add \"sum\""));
  graph->set_outputs(std::vector{a + b}, {"y"});
  graph->end_recording();
  Model model;
  model.add("predict", graph);
  EXPECT_EQ(error_text([&] {
              model.run("predict", {matrix(2, 3, 1), matrix(4, 3, 1)});
            }).find("Add \"sum\": add: "),
            0u);
}

TEST_F(SavedModel, NamesTheLayersInErrors) {
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  const Tensor at = graph->input({DType::I64, {Shape::kUnknown}}, "at");
  const CallerScope scope(std::make_shared<std::string>("Embedding \"words\""));
  graph->set_outputs(std::vector{apply("gather", {matrix(5, 3, 1), at})}, {"y"});
  graph->end_recording();
  Model model;
  model.add("predict", graph);
  try {
    saved_and_loaded(model).predict(Tensor::from<std::int64_t>(std::vector<std::int64_t>{7}, {1}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("Embedding \"words\": index 7"), 0u) << error.what();
  }
}

}  // namespace
}  // namespace dlcore
