// The families of primitives. Each function lives in the file of its family and registers that family's primitives.
#pragma once

namespace dlcore {

void register_pointwise();           // pointwise.cpp: unary, binary, where, clip, cast, fused chains
void register_reduce();              // reduce.cpp: sum, mean, max, argmax, ...
void register_movement();            // movement.cpp: reshape, transpose, concat, slice, tile, flip, broadcast, ...
void register_padding();             // padding.cpp
void register_sampling();            // sampling.cpp: images seen through affine and perspective maps
void register_filling();             // filling.cpp: copies, constants, numbers that count
void register_indexing();            // indexing.cpp: gather (embedding), scatter_add, one_hot
void register_resample();            // resample.cpp: weighted sums along an axis, what resizes images
void register_sorting();             // sorting.cpp: sort, argsort, top_k, cumsum
void register_random();              // random.cpp: uniform, normal, truncated normal, dropout, ...
void register_matmul();              // matmul.cpp
void register_convolution();         // convolution.cpp: conv and its gradients, conv_transpose
void register_pooling();             // pooling.cpp
void register_pooled_convolution();  // pooled_convolution.cpp: gradients of convolutions in front of max pooling
void register_recurrent();           // recurrent.cpp: lstm, gru, simple_rnn
void register_norm();                // norm.cpp: batch_norm, layer_norm
void register_softmax();             // softmax.cpp: softmax, log_softmax, cross-entropies
void register_linear_algebra();      // linear_algebra.cpp: cholesky, lu, qr, eigh, svd, eig, ... and systems
void register_fourier();             // fourier.cpp: fft, rfft, irfft, stft
void register_custom_gradient();     // custom_gradient.cpp: outputs whose gradient a function gives
void register_communication();       // communication.cpp: sums over processes that train together
void register_optimizers();          // optimizers.cpp: sgd, rmsprop, adam, adamw, adagrad as multi-tensor updates

}  // namespace dlcore
