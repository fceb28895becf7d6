// Resampling by definition. The oracle of the tests.
#pragma once

#include "kernels/resample/resample.h"

namespace dlcore {

template <class X, class T>
void resample_ref(const ResampleShape& s, const X* x, const T* w, double* y) {
  for (std::int64_t a = 0; a < s.outer; ++a)
    for (std::int64_t j = 0; j < s.out; ++j)
      for (std::int64_t b = 0; b < s.inner; ++b) {
        double sum = 0;
        for (std::int64_t i = 0; i < s.size; ++i)
          if (w[i * s.out + j] != 0)
            sum += static_cast<double>(w[i * s.out + j]) * static_cast<double>(x[(a * s.size + i) * s.inner + b]);
        y[(a * s.out + j) * s.inner + b] = sum;
      }
}

}  // namespace dlcore
