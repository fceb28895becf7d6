#include "program/primitive.h"

#include <gtest/gtest.h>

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

// Files and users may ask for anything: a shape rule takes it or throws dlcore::Error.
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
  for (const std::string& name : primitive_names()) {
    const Primitive& op = primitive(name);
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
            attrs.set(attribute, static_cast<std::int64_t>(random() % 9) - 3);
            break;
          case 1: {
            std::vector<std::int64_t> list(random() % 5);
            for (auto& item : list) item = static_cast<std::int64_t>(random() % 9) - 3;
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
        infer_specs(op, in, attrs);
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace dlcore
