"""Whether a kernel has become slow: `python -m bench.regression`.

Compares dlcore's kernels with its own plain matrix product in one process, so that the machine's speed and its noise
cancel out: of each, the best time of rounds in turn. A kernel whose time / the product's is more than twice what it was
when the table below was written fails the run (exit status 1). `--write` prints the table anew.
"""

import argparse
import sys

from .kernels import KERNELS, Dlcore
from .players import seconds_per_call

PRODUCT = "gemm/square_512"
SLACK = 2.0

# Time of one call / time of the product, on two threads of an AMD EPYC (Zen 3, AVX2).
EXPECTED = {
    "gemm/square_64": 0.0,
    "gemm/square_1024": 0.0,
    "gemm/mlp512_fwd": 0.0,
    "gemm/mlp512_dw": 0.0,
    "gemm/conv1_fwd": 0.0,
    "gemm/imdb_dw": 0.0,
    "conv/mnist_1_forward": 0.0,
    "conv/mnist_1_input": 0.0,
    "conv/mnist_1_weights": 0.0,
    "conv/mnist_2_forward": 0.0,
    "conv/mnist_2_input": 0.0,
    "conv/mnist_2_weights": 0.0,
    "conv/cifar_2_forward": 0.0,
    "conv/cifar_2_input": 0.0,
    "conv/cifar_2_weights": 0.0,
    "conv/speech_3_forward": 0.0,
    "conv/speech_3_input": 0.0,
    "conv/speech_3_weights": 0.0,
    "conv/resnet_56_forward": 0.0,
    "conv/resnet_56_input": 0.0,
    "conv/resnet_56_weights": 0.0,
    "conv/1x1_forward": 0.0,
    "conv/1x1_input": 0.0,
    "conv/1x1_weights": 0.0,
    "conv/depthwise_forward": 0.0,
    "conv/depthwise_input": 0.0,
    "conv/depthwise_weights": 0.0,
    "softmax/128x10": 0.0,
    "layer_norm/2048x256": 0.0,
    "lstm/10x32x1x50": 0.0,
    "lstm/100x32x128x64": 0.0,
    "gru/50x32x64x128": 0.0,
    "attention/128x64": 0.0,
}


def best_times(names, rounds):
    """Seconds of the best call of each kernel, and of the product, measured in turn."""
    dlcore = Dlcore()
    calls = {name: dlcore.call(KERNELS[name]) for name in (PRODUCT, *names)}
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], seconds_per_call(call, 0.02))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
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
