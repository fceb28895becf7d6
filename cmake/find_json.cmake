# nlohmann/json: the system's CMake package, or the headers of the Python package nlohmann-json.
if(NOT TARGET nlohmann_json::nlohmann_json)  # of the project that this one is a part of
  find_package(nlohmann_json QUIET)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "import nlohmann_json, os; print(os.path.dirname(nlohmann_json.__file__))"
    OUTPUT_VARIABLE json_package OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE json_missing)
  if(json_missing)
    message(FATAL_ERROR "nlohmann/json is missing: install Debian's nlohmann-json3-dev or `pip install nlohmann-json`.")
  endif()
  add_library(nlohmann_json INTERFACE)
  add_library(nlohmann_json::nlohmann_json ALIAS nlohmann_json)
  target_include_directories(nlohmann_json SYSTEM INTERFACE "${json_package}/include")
endif()
