#!/bin/bash
# On a machine with an NVIDIA GPU and nvcc 13: builds the plug-in, runs the tests on the device, measures, and prints a
# short table last. Ten minutes at most; each stage has a limit, and one that fails doesn't stop those after it.
#
#   bench/cuda/run_all.sh [folder]     the folder, build/cuda by default, keeps the environment and all logs
#
# PEERS=0 leaves out PyTorch and JAX, which take most of the download.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$(mkdir -p "${1:-build/cuda}" && cd "${1:-build/cuda}" && pwd)
stop() { echo "bench/cuda/run_all.sh: $*" >&2; exit 1; }

command -v nvidia-smi >/dev/null || stop "there is no nvidia-smi: no NVIDIA driver is installed."
gpu=$(nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader | head -1) && [ -n "$gpu" ] ||
  stop "nvidia-smi shows no GPU."
command -v nvcc >/dev/null || stop "there is no nvcc on the PATH: install the CUDA 13 toolkit's compiler."
SECONDS=0
summary="$work/summary.txt"
echo "$gpu; $(git describe --always --dirty 2>/dev/null); $(date -u +%F)" >"$summary"

# stage NAME LIMIT COMMAND...: the log goes to NAME.log, one line to the summary.
stage() {
  local name=$1 limit=$2 start=$SECONDS code=0
  shift 2
  echo "=== $name ($SECONDS s)"
  timeout -k 5 "$limit" "$@" >"$work/$name.log" 2>&1 || code=$?
  local last
  last=$(grep -v '^\s*$' "$work/$name.log" | tail -1 | cut -c1-100)
  case $code in
    0) printf '%-22s ok     %4d s  %s\n' "$name" $((SECONDS - start)) "$last" ;;
    124 | 137) printf '%-22s LIMIT  %4d s  %s\n' "$name" $((SECONDS - start)) "$last" ;;
    *) printf '%-22s FAILED %4d s  %s\n' "$name" $((SECONDS - start)) "$last" ;;
  esac | tee -a "$summary"
  return $code
}

environment() {
  python3 -m venv "$work/venv" &&
    "$work/venv/bin/pip" install -q scikit-build-core pybind11 cmake ninja nlohmann-json numpy h5py ml_dtypes matplotlib \
      pytest nvidia-cuda-runtime nvidia-cublas nvidia-cudnn-cu13 nvidia-cuda-nvrtc nvidia-nccl-cu13
}
# An environment of their own: PyTorch pins versions of NVIDIA's packages.
peers() {
  python3 -m venv "$work/peers" &&
    "$work/peers/bin/pip" install -q torch --index-url https://download.pytorch.org/whl/cu130 &&
    "$work/peers/bin/pip" install -q keras "jax[cuda13]" numpy
}
build() {
  local arch
  arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
  PATH="$work/venv/bin:$PATH" cmake -S . -B "$work/build" -G Ninja -DDLCORE_PYTHON=ON -DDLCORE_CUDA=ON \
    -DDLCORE_CUDA_ARCHITECTURES="$arch" &&
    "$work/venv/bin/ninja" -C "$work/build" &&
    rm -rf "$work/package" && cp -r python "$work/package" && rm -f "$work"/package/dlcore/*.so &&
    cp "$work"/build/cpp/bindings/_core*.so "$work/build/cpp/cuda/libdlcore_cuda.so" "$work/package/dlcore/"
}
on_device() { PATH="$work/venv/bin:$PATH" PYTHONPATH="$work/package" DLCORE_DEVICE=cuda "$@"; }
measure() { BENCH_DEVICE=cuda BENCH_VERBOSE=1 on_device "$@"; }

if [ "${PEERS:-1}" = 1 ]; then peers >"$work/peers.log" 2>&1 & peers_job=$!; fi
stage environment 180 environment && stage build 300 build || { cat "$summary"; stop "nothing to test: see $work/*.log"; }
stage info 30 on_device python -m dlcore info
grep -h "without kernels" "$work/info.log" | tee -a "$summary"
stage device_checks 60 on_device python -m bench.cuda.checks
stage tests 240 on_device pytest -x --maxfail=40 -p no:cacheprovider tests/python --deselect tests/python/test_device.py
if command -v compute-sanitizer >/dev/null; then
  stage sanitizer 60 on_device compute-sanitizer --error-exitcode 9 python -m bench.cuda.checks --short
else
  echo "sanitizer              -      compute-sanitizer is not installed" | tee -a "$summary"
fi
others=()
if [ "${PEERS:-1}" = 1 ]; then
  wait "$peers_job" && others=(torch torch-compiled keras-jax) || echo "peers                  FAILED: see peers.log" | tee -a "$summary"
fi
stage kernels 60 measure python -m bench.cuda.kernels --peers "$work/peers/bin/python"
stage steps 240 measure python -m bench.train_step --tables step --rounds 3 --peers "$work/peers/bin/python" \
  --only dlcore "${others[@]}" -- mlp cnn cnn3 cifar conv1 mlp512 lstm imdb speech resnet18 transformer

echo
echo "=== all logs: $work ($SECONDS s)"
cat "$summary" "$work/kernels.log" "$work/steps.log" 2>/dev/null
