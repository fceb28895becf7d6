// Whether the tests have compared the gradient of every primitive with central differences.
#include "gradient_check.h"

namespace dlcore::testing {
namespace {

/// Without a gradient that check_gradient could compare: the caller gives it, or it is refused.
const std::set<std::string> kUnchecked{"custom_gradient", "lstm_grad", "gru_grad", "simple_rnn_grad", "cumprod_grad"};

class GradientCoverage : public ::testing::Environment {
  void TearDown() override {
    const ::testing::UnitTest& tests = *::testing::UnitTest::GetInstance();
    if (tests.test_to_run_count() < tests.total_test_count()) return;  // a filter leaves some out
    std::vector<std::string> missing;
    for (const std::string& name : primitive_names())
      if (primitive(name).vjp && !checked_gradients().contains(name) && !kUnchecked.contains(name))
        missing.push_back(name);
    EXPECT_EQ(missing, std::vector<std::string>{}) << "have a gradient that no test checks";
  }
};

[[maybe_unused]] const auto* const kCoverage = ::testing::AddGlobalTestEnvironment(new GradientCoverage);

}  // namespace
}  // namespace dlcore::testing
