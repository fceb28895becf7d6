#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

struct Optimizer {
  const char* name;
  int states;
  bool has_step;
  Attrs attrs;
};

std::vector<Optimizer> optimizers() {
  return {{"sgd_update", 0, false, {}},
          {"sgd_update", 1, false, {{"momentum", 0.9}}},
          {"sgd_update", 1, false, {{"momentum", 0.9}, {"nesterov", true}}},
          {"rmsprop_update", 1, false, {}},
          {"rmsprop_update", 2, false, {{"momentum", 0.5}}},
          {"rmsprop_update", 2, false, {{"centered", true}}},
          {"rmsprop_update", 3, false, {{"centered", true}, {"momentum", 0.5}}},
          {"adam_update", 2, true, {}},
          {"adam_update", 2, true, {{"weight_decay", 0.01}}},
          {"adam_update", 3, true, {{"amsgrad", true}}},
          {"adagrad_update", 1, false, {}}};
}

std::vector<Tensor> inputs(const Optimizer& optimizer, DType dtype, const std::vector<Shape>& shapes) {
  std::vector<Tensor> in;
  unsigned number = 1;
  for (int kind = 0; kind < 2 + optimizer.states; ++kind)  // second moments beyond the squares of first ones
    for (const Shape& shape : shapes)
      in.push_back(numbers(dtype, shape, number++, kind < 2 ? -1 : 0.1, kind == 3 ? 0.3 : 1));
  in.push_back(Tensor::scalar(DType::F32, 0.01));
  if (optimizer.has_step) in.push_back(Tensor::scalar(DType::I64, 3));
  return in;
}

TEST(Optimizers, ManyTensors) {
  std::vector<Shape> shapes{{1}, {3, 5}, {4097}, {0}, {16, 16}, {2048}, {8195}};
  std::vector<Shape> many(26, Shape{7});
  for (const Optimizer& optimizer : optimizers())
    for (DType dtype : kFloats)
      for (const auto& list : {shapes, many}) {
        Attrs attrs = optimizer.attrs;
        attrs.set("n", static_cast<std::int64_t>(list.size()));
        // The same operations in the same order, but for one power of Adam.
        const bool adam = optimizer.has_step;
        if (list.size() == many.size() && dtype != DType::F32) continue;
        expect_same(optimizer.name, inputs(optimizer, dtype, list), attrs,
                    dtype == DType::F16 || dtype == DType::BF16 ? ulps(1, dtype, 0.01)
                    : adam                                      ? ulps(2, dtype, 2)
                                                                : kExact);
      }
}

TEST(Optimizers, ManyLaunches) {
  for (const Optimizer& optimizer : optimizers()) {
    const std::vector<Shape> shapes(1000, Shape{3});
    Attrs attrs = optimizer.attrs;
    attrs.set("n", static_cast<std::int64_t>(shapes.size()));
    const std::vector<Tensor> in = inputs(optimizer, DType::F32, shapes);
    const std::vector<Tensor> got = run_on_device(optimizer.name, in, attrs),
                              expected = apply_all(optimizer.name, in, attrs);
    for (std::size_t i = 0; i < got.size(); ++i)
      for (int k = 0; k < 3; ++k) EXPECT_FLOAT_EQ(got[i].data<float>()[k], expected[i].data<float>()[k]);
  }
}

TEST(Optimizers, GradientsAsProducts) {
  for (const Optimizer& optimizer : optimizers())
    for (DType dtype : {DType::F32, DType::F64}) {
      Attrs attrs = optimizer.attrs;
      attrs.set("n", std::int64_t{2});
      attrs.set("products", std::vector<std::int64_t>{1});
      std::vector<Tensor> in = inputs(optimizer, dtype, {{5}, {6, 7}});
      in[3] = numbers(dtype, {4, 6}, 50, -1, 1);
      in.push_back(numbers(dtype, {4, 7}, 51, -1, 1));
      expect_same(optimizer.name, in, attrs, ulps(100, dtype, 100));
    }
}

}  // namespace
}  // namespace dlcore
