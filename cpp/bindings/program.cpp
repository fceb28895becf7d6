#include "dlcore/program.h"

#include "bindings/bindings.h"
#include "program/device.h"

namespace dlcore::python {

namespace {

// The array must be C-contiguous with rows along axis 0; the caller keeps it alive.
Rows rows_of(const py::array& array, bool writable) {
  if (!(array.flags() & py::array::c_style) || array.ndim() < 1)
    throw value_error("run_batches: expected C-contiguous arrays with rows along axis 0.");
  if (writable && !array.writeable()) throw value_error("run_batches: a result array is read-only.");
  std::int64_t row_elements = 1;
  for (py::ssize_t axis = 1; axis < array.ndim(); ++axis) row_elements *= array.shape(axis);
  return {static_cast<std::byte*>(const_cast<void*>(array.data())), dtype_of_array(array), array.shape(0),
          row_elements};
}

/// Rows that keep the array alive, as a device may keep a copy of them from one call to the next; on the host, which
/// needs no copy, the array itself.
py::object kept_rows_of(const py::array& array) {
  if (current_device().is_host()) return array;
  Rows rows = rows_of(array, false);
  const std::shared_ptr<const void> owner(new py::array(array), [](const py::array* held) {
    const py::gil_scoped_acquire acquire;
    delete held;
  });
  rows.storage = std::make_shared<Storage>(rows.data, static_cast<std::size_t>(array.nbytes()), owner);
  return py::cast(std::move(rows));
}

std::vector<Rows> all_rows(const py::sequence& arrays, bool writable) {
  std::vector<Rows> rows;
  rows.reserve(arrays.size());
  for (const py::handle& array : arrays)
    rows.push_back(py::isinstance<py::array>(array) ? rows_of(py::reinterpret_borrow<py::array>(array), writable)
                                                    : array.cast<Rows>());
  return rows;
}

using Order = std::optional<py::array_t<std::int64_t, py::array::c_style>>;

std::int64_t run_batches(Program& program, const py::sequence& sources, const Order& order, std::int64_t first,
                         std::int64_t steps, double seconds, const py::sequence& results) {
  const std::vector<Rows> from = all_rows(sources, false), to = all_rows(results, true);
  Batches batches{std::nullopt, first, steps, seconds};
  if (order) batches.order.emplace(order->data(), static_cast<std::size_t>(order->size()));
  py::gil_scoped_release release;
  return program.run_batches(from, batches, to);
}

std::vector<Tensor> run(Program& program, const py::sequence& inputs) {
  const std::vector<TensorSpec>& specs = program.inputs();
  std::vector<Tensor> tensors;
  tensors.reserve(inputs.size());
  for (const py::handle& input : inputs) {
    const std::size_t i = tensors.size();
    const auto dtype = i < specs.size() ? std::optional(specs[i].dtype) : std::nullopt;
    tensors.push_back(py::isinstance<py::array>(input) ? tensor_of(py::reinterpret_borrow<py::array>(input), dtype)
                                                       : input.cast<Tensor>());
  }
  const py::gil_scoped_release release;
  return program.run(tensors);
}

py::list run_batch(Program& program, const py::sequence& arrays) {
  const std::vector<Rows> from = all_rows(arrays, false);
  const std::vector<TensorSpec>& inputs = program.inputs();
  for (std::size_t i = 0; i < std::min(from.size(), inputs.size()); ++i)
    if (inputs[i].shape.rank() > 0 && from[i].rows != inputs[i].shape[0])
      throw value_error("run_batch: the program's input ", i, " is ", inputs[i], "; got an array of ", from[i].rows,
                        " rows.");
  std::vector<Rows> to;
  to.reserve(program.outputs().size());
  py::list results;
  for (const TensorSpec& spec : program.outputs()) {
    py::array array = empty_array(spec);
    const std::int64_t rows = spec.shape.rank() > 0 ? spec.shape[0] : 0;
    to.push_back(
        {static_cast<std::byte*>(array.mutable_data()), spec.dtype, rows, rows > 0 ? spec.shape.elements() / rows : 0});
    results.append(std::move(array));
  }
  const py::gil_scoped_release release;
  program.run_batches(from, {}, to);
  return results;
}

py::list spec_list(const std::vector<TensorSpec>& specs) {
  py::list list;
  for (const TensorSpec& spec : specs)
    list.append(py::make_tuple(tuple_of(spec.shape), std::string(name_of(spec.dtype))));
  return list;
}

}  // namespace

void init_program(py::module_& module) {
  py::class_<Rows>(module, "Rows", "An array as a source of batches, of which a device may keep a copy.");
  module.def("kept_rows", &kept_rows_of, py::arg("array"), "An array as the device in force takes it again and again.");
  py::class_<Program, std::shared_ptr<Program>>(module, "Program")
      .def_property_readonly("inputs", [](const Program& p) { return spec_list(p.inputs()); })
      .def_property_readonly("outputs", [](const Program& p) { return spec_list(p.outputs()); })
      .def_property_readonly("arena_bytes", &Program::arena_bytes)
      .def("run", &run, py::arg("inputs"),
           "Runs once. inputs: tensors of the inputs' shapes and dtypes, or arrays, of other dtypes too.")
      .def("run_batches", &run_batches, py::arg("sources"), py::arg("order") = py::none(), py::arg("first") = 0,
           py::arg("steps") = 1, py::arg("seconds") = 0.0, py::arg("results") = py::tuple(),
           "Runs step after step over rows of the sources, arrays or Rows. Returns how many steps ran.")
      .def("run_batch", &run_batch, py::arg("arrays"),
           "Runs once. arrays: one for each input, with as many rows as it; other dtypes are converted, another number "
           "of "
           "rows is a ValueError. Returns an array of each output's shape.")
      .def("dump", &Program::dump, py::call_guard<py::gil_scoped_release>())
      .def("set_profiling", &Program::set_profiling, py::arg("on"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace dlcore::python
