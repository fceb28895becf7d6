#include "program/primitive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace dlcore {
namespace {

TEST(Attrs, KeepsNamesSortedAndChecksTypes) {
  Attrs attrs{{"b", std::int64_t{2}}, {"a", 1.5}, {"name", std::string("x")}};
  EXPECT_EQ(attrs.items()[0].first, "a");
  EXPECT_EQ(attrs.integer("b", 0), 2);
  EXPECT_EQ(attrs.number("b", 0), 2.0) << "an integer is a number";
  EXPECT_EQ(attrs.integer("missing", 7), 7);
  EXPECT_THROW(attrs.integer("a", 0), Error);
  EXPECT_THROW(attrs.boolean("name", false), Error);
}

TEST(Primitive, AnUnknownNameNamesTheNearest) {
  try {
    primitive("softmx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'softmax'"), std::string::npos) << error.what();
  }
}

// Files and users may ask for anything: a shape rule takes it or throws dlcore::Error. What it takes can be computed.
TEST(Primitive, ShapeRulesRefuseWhatDoesNotFit) {
  const std::int64_t huge = 1ll << 62;
  const TensorSpec x{DType::F32, {4, 6}}, row{DType::F32, {6}};
  const auto refuses = [](const char* name, const Specs& in, const Attrs& attrs = {}) {
    EXPECT_THROW(infer_specs(primitive(name), in, attrs), Error) << name;
  };
  refuses("reshape", {x}, {{"shape", std::vector<std::int64_t>{8, huge}}});
  const Attrs strided{{"starts", std::vector<std::int64_t>{0, 5}},
                      {"stops", std::vector<std::int64_t>{4, INT64_MAX}},
                      {"strides", std::vector<std::int64_t>{INT64_MAX, INT64_MIN}}};
  EXPECT_EQ(infer_specs(primitive("slice"), Specs{x}, strided)[0].shape, (Shape{1, 1}));
  refuses("tile", {x}, {{"repeats", std::vector<std::int64_t>{huge, 1}}});
  // The sum of the sizes would wrap to 6.
  refuses("split", {x}, {{"axis", std::int64_t{1}}, {"sizes", std::vector<std::int64_t>{huge, huge, huge, huge, 6}}});
  refuses("sgd_update", {x, x}, {{"n", huge}});
  refuses("cumprod_grad", {x, row});
  refuses("matmul_panels", {row});
  refuses("pad", {x}, {{"low", std::vector<std::int64_t>{huge, 0}}, {"high", std::vector<std::int64_t>{huge, 0}}});
  for (const char* name : {"argmax", "argmin", "argsort"}) refuses(name, {{DType::U8, {3ll << 30}}});  // int32 indices
  refuses("conv2d", {{DType::F32, {1, 4, 4, 8}}, {DType::F32, {3, 3, 8, 4}}}, {{"groups", huge}});
  const Specs image_and_kernel{{DType::F32, {1, 4, 4, 1}}, {DType::F32, {3, 3, 1, 1}}};
  const std::vector<std::int64_t> far{1ll << 30, 1ll << 30}, too_far{huge, 1};
  refuses("conv2d", image_and_kernel, {{"padding", std::string("same")}, {"dilation", far}});
  refuses("conv2d", image_and_kernel, {{"padding", std::string("same")}, {"dilation", too_far}});
  refuses("conv2d", image_and_kernel,
          {{"padding", std::string("explicit")}, {"pads", std::vector<std::int64_t>{huge, huge, 0, 0}}});
  refuses("max_pool2d", {image_and_kernel[0]},
          {{"window", std::vector<std::int64_t>{huge, 1}}, {"padding", std::string("same")}});
}

TEST(Primitive, TheGradientOfARecurrentLayerChecksWhatTheForwardPassLeft) {
  const TensorSpec x{DType::F32, {2, 3, 4}}, w_x{DType::F32, {4, 5}}, w_h{DType::F32, {5, 5}};
  const Specs forward{x, w_x, w_h, {DType::F32, {5}}, {DType::F32, {2, 5}}};
  const Specs results = infer_specs(primitive("simple_rnn"), forward, {});
  const Specs in{x, w_x, w_h, results.back(), results[0]};
  const Primitive& op = primitive("simple_rnn_grad");
  EXPECT_EQ(infer_specs(op, in, {{"has_dh_T", false}}).size(), 5u);
  for (const std::int64_t rows : {0, 2, 3})
    EXPECT_THROW(infer_specs(op, in, {{"has_dh_T", false}, {"bias_rows", rows}}), Error) << rows;
  for (const std::size_t i : {3, 4}) {
    Specs wrong = in;
    wrong[i].dtype = DType::F64;
    EXPECT_THROW(infer_specs(op, wrong, {{"has_dh_T", false}}), Error) << "dtype of input " << i;
    wrong[i] = {DType::F32, {1, 1, 1}};
    EXPECT_THROW(infer_specs(op, wrong, {{"has_dh_T", false}}), Error) << "shape of input " << i;
  }
}

TEST(Primitive, EveryShapeRuleTakesOrRefusesAnyInputs) {
  std::mt19937 random(1);
  const DType dtypes[] = {DType::F32, DType::I32, DType::Bool, DType::F64, DType::I64, DType::BF16};
  const std::int64_t sizes[] = {0, 1, 2, 3, 8, -1};
  const std::vector<std::string> words{"", "relu", "same", "valid", "explicit", "float32", "raise", "bogus"};
  const std::vector<std::string> names{"axis",       "axes",       "shape",      "permutation", "sizes",   "starts",
                                       "stops",      "low",        "high",       "repeats",     "strides", "padding",
                                       "pads",       "groups",     "n",          "k",           "depth",   "window",
                                       "dtype",      "dilation",   "mode",       "code",        "value",   "has_mask",
                                       "immediates", "noise_axes", "activation", "rate",        "epsilon", "momentum"};
  const auto number = [&] { return random() % 32 ? static_cast<std::int64_t>(random() % 9) - 3 : 1ll << 62; };
  const auto is_small = [](const TensorSpec& spec) { return spec.shape.known() && spec.bytes() < 1 << 20; };
  for (const std::string& name : primitive_names()) {
    const Primitive& op = primitive(name);
    const bool can_run = !op.meets_processes && name != "custom_gradient";
    for (int round = 0; round < 400; ++round) {
      Specs in(random() % 8);
      for (TensorSpec& spec : in) {
        spec.dtype = round % 2 ? DType::F32 : dtypes[random() % 6];
        for (unsigned axis = 0, rank = random() % 5; axis < rank; ++axis) spec.shape.push_back(sizes[random() % 6]);
      }
      Attrs attrs;
      for (const std::string& attribute : names) {
        if (random() % 3) continue;
        switch (random() % 4) {
          case 0:
            attrs.set(attribute, number());
            break;
          case 1: {
            std::vector<std::int64_t> list(random() % 5);
            for (auto& item : list) item = number();
            attrs.set(attribute, list);
            break;
          }
          case 2:
            attrs.set(attribute, words[random() % words.size()]);
            break;
          default:
            attrs.set(attribute, random() % 2 == 0);
        }
      }
      try {
        const Specs out = infer_specs(op, in, attrs);
        if (!can_run || !std::all_of(in.begin(), in.end(), is_small) || !std::all_of(out.begin(), out.end(), is_small))
          continue;
        std::vector<Tensor> inputs;
        for (const TensorSpec& spec : in) inputs.push_back(Tensor::zeros(spec.dtype, spec.shape));
        apply_all(op, inputs, attrs);
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace dlcore
