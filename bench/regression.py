"""Whether a kernel has become slow: `python -m bench.regression`.

Compares dlcore's kernels with its own plain matrix product in one process, so that the machine's speed and its noise
cancel out: of each, the best time of rounds in turn, on two threads, AVX2. A kernel whose time / the product's is more
than three times what it was when the table below was written fails the run (exit status 1): a cliff, not a slope.
`--write` prints the table anew.
"""

import argparse
import os
import sys

os.environ |= {"DLCORE_MAX_ISA": "avx2", "OMP_NUM_THREADS": "2"}  # as the table was made; read when dlcore is imported

from .kernels import KERNELS, Dlcore  # noqa: E402
from .players import seconds_per_call  # noqa: E402

PRODUCT = "gemm/square_512"
SLACK = 3.0

# Time of one call / time of the product, on an AMD EPYC (Zen 3).
EXPECTED = {
    "gemm/mlp512_fwd": 0.388,
    "gemm/mlp512_dw": 0.371,
    "gemm/conv1_fwd": 0.813,
    "gemm/imdb_dw": 0.958,
    "gemm/square_512_zeros_95": 0.2,
    "conv/mnist_1_forward": 0.414,
    "conv/mnist_1_input": 0.843,
    "conv/mnist_1_weights": 0.334,
    "conv/mnist_2_forward": 1.01,
    "conv/mnist_2_input": 1.81,
    "conv/mnist_2_weights": 1.26,
    "conv/cifar_2_forward": 0.402,
    "conv/cifar_2_input": 0.434,
    "conv/cifar_2_weights": 0.493,
    "conv/speech_3_forward": 0.956,
    "conv/speech_3_input": 0.913,
    "conv/speech_3_weights": 1.09,
    "conv/resnet_56_forward": 2.52,
    "conv/resnet_56_input": 2.59,
    "conv/resnet_56_weights": 3.08,
    "conv/1x1_forward": 4.06,
    "conv/1x1_input": 3.5,
    "conv/1x1_weights": 5.16,
    "conv/depthwise_forward": 0.348,
    "conv/depthwise_input": 0.399,
    "conv/depthwise_weights": 0.454,
    "softmax/128x10": 0.00257,
    "layer_norm/2048x256": 0.0539,
    "lstm/10x32x1x50": 0.145,
    "lstm/100x32x128x64": 4.21,
    "gru/50x32x64x128": 3.08,
    "attention/128x64": 4.42,
}


def best_times(names, rounds):
    """Seconds of the best call of each kernel, and of the product, measured in turn."""
    dlcore = Dlcore()
    if dlcore.core.isa() != "avx2":
        sys.exit(f"The table is for AVX2; this machine has {dlcore.core.isa()}. Nothing was measured.")
    calls = {name: dlcore.call(KERNELS[name]) for name in (PRODUCT, *names)}
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], seconds_per_call(call, 0.02))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="print the table of expected ratios for this machine")
    options = parser.parse_args()
    best = best_times(EXPECTED, options.rounds)
    slow = []
    for name, expected in EXPECTED.items():
        ratio = best[name] / best[PRODUCT]
        if options.write:
            print(f'    "{name}": {ratio:.3g},')
            continue
        verdict = "slow" if ratio > SLACK * expected else "ok"
        print(f"{name:32} {1e6 * best[name]:10.1f} us   {ratio:8.3g} of {expected:8.3g}   {verdict}")
        if verdict == "slow":
            slow.append(name)
    if slow:
        sys.exit(f"More than {SLACK} times as slow as expected, measured against {PRODUCT}: {', '.join(slow)}")


if __name__ == "__main__":
    main()
