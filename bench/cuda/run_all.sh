#!/bin/bash
# On a machine with an NVIDIA GPU and nvcc 13: builds the plug-in, runs the tests on the device, measures, and prints a
# short table last. Ten minutes at most; each stage has a limit, and one that fails doesn't stop those after it.
#
#   bench/cuda/run_all.sh [folder]     the folder, build/gpu by default, keeps what was built and all logs
#
# Python packages that the machine lacks come from the network, or from the folder of wheels that WHEELS names; PyTorch,
# JAX and Keras, the peers, are used where python3 has them (PEERS names another interpreter, PEERS=none leaves them out).
set -uo pipefail
cd "$(dirname "$0")/../.."
stop() { echo "bench/cuda/run_all.sh: $*" >&2; exit 1; }

command -v nvidia-smi >/dev/null || stop "there is no nvidia-smi: no NVIDIA driver is installed."
gpu=$(nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader | head -1)
[ -n "$gpu" ] || stop "nvidia-smi shows no GPU."
command -v nvcc >/dev/null || stop "there is no nvcc on the PATH: install the CUDA 13 toolkit's compiler."
SECONDS=0
work=$(mkdir -p "${1:-build/gpu}" && cd "${1:-build/gpu}" && pwd)
summary="$work/summary.txt"
peers=${PEERS:-python3}
echo "$gpu; $(git describe --always --dirty 2>/dev/null); $(date -u +%F)" | tee "$summary"
export work PYTHONPATH="$work/package:$work/site" PATH="$work/site/bin:$PATH"

# stage NAME LIMIT COMMAND...: the log goes to NAME.log, one line to the summary.
stage() {
  local name=$1 limit=$2 start=$SECONDS code=0
  shift 2
  timeout -k 5 "$limit" bash -c '"$@"' stage "$@" >"$work/$name.log" 2>&1 || code=$?
  local result="FAILED" last
  [ $code = 0 ] && result="ok"
  [ $code = 124 ] || [ $code = 137 ] && result="LIMIT"
  last=$(grep -v '^\s*$' "$work/$name.log" | tail -1 | cut -c1-110)
  printf '%-14s %-6s %4d s  %s\n' "$name" "$result" $((SECONDS - start)) "$last" | tee -a "$summary"
  return $code
}

# install MODULE=PACKAGE...: those whose module python3 can't import.
install() {
  local missing=() pair
  for pair in "$@"; do python3 -c "import ${pair%%=*}" 2>/dev/null || missing+=("${pair#*=}"); done
  [ ${#missing[@]} = 0 ] && return
  echo "missing: ${missing[*]}"
  python3 -m pip install -q --target "$work/site" ${WHEELS:+--no-index --find-links "$WHEELS"} "${missing[@]}"
}
packages() {
  install numpy h5py ml_dtypes matplotlib pytest pybind11 nlohmann_json=nlohmann-json cmake ninja nvidia.cudnn=nvidia-cudnn-cu13 \
    cudnn=nvidia-cudnn-frontend xdist=pytest-xdist \
    nvidia.nccl=nvidia-nccl-cu13 nvidia.cu13=nvidia-cublas && install nvidia.cu13=nvidia-cuda-nvrtc
}
build() {
  local arch
  arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
  cmake -S . -B "$work/build" -G Ninja -DDLCORE_PYTHON=ON -DDLCORE_CUDA=ON -DDLCORE_CUDA_ARCHITECTURES="$arch" \
    -DPython_EXECUTABLE="$(command -v python3)" -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" &&
    cmake --build "$work/build" &&
    rm -rf "$work/package" && mkdir "$work/package" && cp -r python/dlcore "$work/package" &&
    rm -f "$work"/package/dlcore/*.so &&
    cp "$work"/build/cpp/bindings/_core*.so "$work/build/cpp/cuda/libdlcore_cuda.so" "$work/package/dlcore/"
}
kernel_tests() {
  grep -q "^GTest_DIR:PATH=/" "$work/build/CMakeCache.txt" || { echo "GoogleTest is not installed"; return 1; }
  cmake --build "$work/build" --target dlcore_cuda_device_tests && "$work/build/cpp/cuda/dlcore_cuda_device_tests"
}
sanitizer() {
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed"; return 1; }
  compute-sanitizer --error-exitcode 9 "$work/build/cpp/cuda/dlcore_cuda_device_tests" --gtest_brief=1
}
# Keras, which some tests ask about their files, stays on the processor.
python_tests() {
  JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 python3 -m pytest -n "$(($(nproc) / 2 + 1))" --maxfail=40 -p no:cacheprovider \
    tests/python --deselect tests/python/test_device.py
}
steps() {  # precision, rounds, contestants, rows
  BENCH_PRECISION=$1 python3 -m bench.train_step --tables step --rounds "$2" --peers "$peers" --only dlcore $3 -- $4
}
export -f install packages build kernel_tests sanitizer python_tests steps  # for the shells that run them under a limit

stage packages 120 packages && stage build 240 build || stop "there is nothing to test: see $work/packages.log, build.log."
export DLCORE_DEVICE=cuda BENCH_DEVICE=cuda BENCH_VERBOSE=1
stage info 30 python3 -m dlcore info
grep -q "^gpu:0" "$work/info.log" || stop "the plug-in gives no device. $(grep "^GPU" "$work/info.log")"
grep -h "without kernels" "$work/info.log" | tee -a "$summary"
stage checks 60 python3 -m bench.cuda.checks
stage kernel_tests 120 kernel_tests
stage sanitizer 180 sanitizer &  # beside the tests: nothing is measured yet
stage tests 180 python_tests
wait
compiled="" jax=""
if [ "$peers" != none ] && "$peers" -c "import torch" 2>/dev/null; then
  eager="torch torch-channels_last" compiled="torch-compiled"
  "$peers" -c "import keras, jax" 2>/dev/null && jax="keras-jax"
else
  peers=python3 eager=""
fi
export peers
stage kernels 60 python3 -m bench.cuda.kernels --peers "$peers"
stage float32 260 steps float32 3 "${eager%% *} $compiled $jax" "mlp cnn cnn3 cifar conv1 mlp512 lstm imdb speech"
for precision in tf32 bfloat16; do
  stage $precision 80 steps $precision 1 "$eager" "resnet18 transformer lstm512 transformer12 resnet50"
done

echo
cat "$work"/{kernels,float32,tf32,bfloat16}.log
echo
echo "=== after $SECONDS s; all logs: $work"
cat "$summary"
