// All of dlcore for native apps.
#pragma once

#include "dlcore/dtype.h"
#include "dlcore/error.h"
#include "dlcore/model_io.h"
#include "dlcore/ops.h"
#include "dlcore/program.h"
#include "dlcore/shape.h"
#include "dlcore/tensor.h"
#include "dlcore/threads.h"
#include "dlcore/version.h"
