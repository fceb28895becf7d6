"""Layers with inputs and weights from fixed seeds, made with Keras's names: `L` is keras.layers or dlcore.layers.

make_keras_layers.py stores what Keras computes for them, tests/python/test_layers_golden.py compares.
"""

import zlib

import numpy as np

SEQUENCE, IMAGE, VECTOR, VOLUME, SOUND = (2, 5, 3), (2, 6, 7, 4), (4, 6), (2, 4, 5, 3, 2), (2, 40, 2)
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)
TAIL_MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
# Of an attention: the second query sees nothing.
NOTHING = (np.arange(40).reshape(2, 4, 5) % 3 > 0) & (np.arange(4) != 1)[:, None]
TRAINING = {"training": True}

# name: (constructor, input shapes, arguments of the call)
CASES = {
    "dense": (lambda L: L.Dense(5, activation="tanh"), [VECTOR], {}),
    "dense_3d": (lambda L: L.Dense(5, activation="relu"), [SEQUENCE], {}),
    "dense_no_bias": (lambda L: L.Dense(5, use_bias=False), [VECTOR], {}),
    "einsum_dense": (lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de"), [SEQUENCE], {}),
    "einsum_dense_axes_behind": (
        lambda L: L.EinsumDense("ab...,bc->ac...", 4, bias_axes="c", activation="tanh"),
        [SEQUENCE],
        {},
    ),
    "leaky_relu": (lambda L: L.LeakyReLU(), [VECTOR], {}),
    "prelu": (lambda L: L.PReLU(shared_axes=[1]), [SEQUENCE], {}),
    "elu": (lambda L: L.ELU(0.7), [VECTOR], {}),
    "relu": (lambda L: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), [VECTOR], {}),
    "softmax": (lambda L: L.Softmax(), [VECTOR], {}),
    # In the second row nothing is left.
    "softmax_masked": (
        lambda L: L.Softmax(),
        [VECTOR],
        {"mask": np.arange(24).reshape(4, 6) % 3 > 2 * (np.arange(4) == 1)[:, None]},
    ),
    "softmax_masked_axes": (lambda L: L.Softmax(axis=[1, 2]), [SEQUENCE], {"mask": MASK[:, :, None]}),
    "softmax_axis": (lambda L: L.Softmax(axis=1), [SEQUENCE], {}),
    "conv1d": (lambda L: L.Conv1D(4, 3, strides=2, padding="same", activation="relu"), [SEQUENCE], {}),
    "conv1d_causal": (lambda L: L.Conv1D(4, 2, dilation_rate=2, padding="causal"), [SEQUENCE], {}),
    "conv2d": (lambda L: L.Conv2D(5, 3, activation="relu"), [IMAGE], {}),
    "conv2d_same_strides": (lambda L: L.Conv2D(5, (3, 2), strides=(2, 1), padding="same"), [IMAGE], {}),
    "conv2d_dilated": (lambda L: L.Conv2D(5, 2, dilation_rate=(2, 3)), [IMAGE], {}),
    "conv2d_groups": (lambda L: L.Conv2D(6, 3, groups=2, padding="same"), [IMAGE], {}),
    "conv3d": (lambda L: L.Conv3D(3, 2, activation="relu"), [VOLUME], {}),
    "conv3d_same_strides": (lambda L: L.Conv3D(3, (3, 2, 2), strides=(2, 1, 2), padding="same"), [VOLUME], {}),
    "conv3d_dilated": (lambda L: L.Conv3D(4, 2, dilation_rate=(2, 3, 1), groups=2), [VOLUME], {}),
    "depthwise_conv1d": (lambda L: L.DepthwiseConv1D(3, depth_multiplier=2), [SEQUENCE], {}),
    "depthwise_conv2d": (lambda L: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), [IMAGE], {}),
    "separable_conv1d": (lambda L: L.SeparableConv1D(5, 3, depth_multiplier=2), [SEQUENCE], {}),
    "separable_conv2d": (lambda L: L.SeparableConv2D(5, 3, strides=2, padding="same"), [IMAGE], {}),
    "conv1d_transpose": (lambda L: L.Conv1DTranspose(4, 3, strides=2), [SEQUENCE], {}),
    "conv2d_transpose": (lambda L: L.Conv2DTranspose(5, 3, strides=2), [IMAGE], {}),
    "conv2d_transpose_same": (lambda L: L.Conv2DTranspose(3, (3, 4), strides=(2, 3), padding="same"), [IMAGE], {}),
    "conv2d_transpose_padded": (lambda L: L.Conv2DTranspose(3, 3, strides=2, output_padding=1), [IMAGE], {}),
    "conv3d_transpose": (lambda L: L.Conv3DTranspose(3, 2, strides=2), [VOLUME], {}),
    "conv3d_transpose_same": (
        lambda L: L.Conv3DTranspose(3, (3, 2, 3), strides=(2, 1, 3), padding="same"),
        [VOLUME],
        {},
    ),
    "conv3d_transpose_padded": (lambda L: L.Conv3DTranspose(3, 3, strides=2, output_padding=(1, 0, 1)), [VOLUME], {}),
    "max_pooling1d": (lambda L: L.MaxPooling1D(2, strides=1, padding="same"), [SEQUENCE], {}),
    "max_pooling2d": (lambda L: L.MaxPooling2D(), [IMAGE], {}),
    "max_pooling2d_same": (lambda L: L.MaxPooling2D(3, strides=2, padding="same"), [IMAGE], {}),
    "average_pooling1d": (lambda L: L.AveragePooling1D(2), [SEQUENCE], {}),
    "average_pooling2d": (lambda L: L.AveragePooling2D(3, strides=2, padding="same"), [IMAGE], {}),
    "max_pooling3d": (lambda L: L.MaxPooling3D(), [VOLUME], {}),
    "max_pooling3d_strided": (lambda L: L.MaxPooling3D(3, strides=(2, 1, 2), padding="same"), [VOLUME], {}),
    "average_pooling3d": (lambda L: L.AveragePooling3D((2, 3, 2), strides=1, padding="same"), [VOLUME], {}),
    "adaptive_average_pooling1d": (lambda L: L.AdaptiveAveragePooling1D(3), [SEQUENCE], {}),
    "adaptive_average_pooling2d": (lambda L: L.AdaptiveAveragePooling2D((4, 2)), [IMAGE], {}),
    "adaptive_average_pooling3d": (lambda L: L.AdaptiveAveragePooling3D((3, 2, 1)), [VOLUME], {}),
    "adaptive_max_pooling1d": (lambda L: L.AdaptiveMaxPooling1D(2), [SEQUENCE], {}),
    "adaptive_max_pooling2d": (lambda L: L.AdaptiveMaxPooling2D((4, 2)), [IMAGE], {}),
    "adaptive_max_pooling3d": (lambda L: L.AdaptiveMaxPooling3D(2), [VOLUME], {}),
    "global_max_pooling1d": (lambda L: L.GlobalMaxPooling1D(), [SEQUENCE], {}),
    "global_max_pooling2d": (lambda L: L.GlobalMaxPooling2D(keepdims=True), [IMAGE], {}),
    "global_average_pooling1d": (lambda L: L.GlobalAveragePooling1D(), [SEQUENCE], {"mask": MASK}),
    "global_average_pooling2d": (lambda L: L.GlobalAveragePooling2D(), [IMAGE], {}),
    "global_max_pooling3d": (lambda L: L.GlobalMaxPooling3D(), [VOLUME], {}),
    "global_average_pooling3d": (lambda L: L.GlobalAveragePooling3D(keepdims=True), [VOLUME], {}),
    "up_sampling1d": (lambda L: L.UpSampling1D(3), [SEQUENCE], {}),
    "up_sampling2d": (lambda L: L.UpSampling2D((2, 3)), [IMAGE], {}),
    "up_sampling2d_bilinear": (lambda L: L.UpSampling2D((2, 3), interpolation="bilinear"), [IMAGE], {}),
    "up_sampling2d_lanczos": (lambda L: L.UpSampling2D((3, 2), interpolation="lanczos3"), [IMAGE], {}),
    "up_sampling3d": (lambda L: L.UpSampling3D((2, 1, 3)), [VOLUME], {}),
    "zero_padding1d": (lambda L: L.ZeroPadding1D((2, 1)), [SEQUENCE], {}),
    "zero_padding2d": (lambda L: L.ZeroPadding2D(((1, 2), (3, 0))), [IMAGE], {}),
    "zero_padding3d": (lambda L: L.ZeroPadding3D(((1, 2), (3, 0), (0, 1))), [VOLUME], {}),
    "cropping1d": (lambda L: L.Cropping1D((1, 2)), [SEQUENCE], {}),
    "cropping2d": (lambda L: L.Cropping2D(((1, 0), (2, 1))), [IMAGE], {}),
    "cropping3d": (lambda L: L.Cropping3D(((1, 0), (2, 1), (0, 1))), [VOLUME], {}),
    "flatten": (lambda L: L.Flatten(), [IMAGE], {}),
    "reshape": (lambda L: L.Reshape((3, -1)), [VECTOR], {}),
    "permute": (lambda L: L.Permute((3, 1, 2)), [IMAGE], {}),
    "repeat_vector": (lambda L: L.RepeatVector(3), [VECTOR], {}),
    "batch_normalization": (lambda L: L.BatchNormalization(), [IMAGE], {}),
    "batch_normalization_training": (lambda L: L.BatchNormalization(momentum=0.9), [IMAGE], TRAINING),
    "batch_normalization_axis": (lambda L: L.BatchNormalization(axis=1, scale=False), [IMAGE], TRAINING),
    "batch_normalization_mask": (lambda L: L.BatchNormalization(), [SEQUENCE], {"mask": MASK, **TRAINING}),
    "batch_renormalization": (lambda L: L.BatchNormalization(renorm=True, renorm_momentum=0.8), [IMAGE], {}),
    "batch_renormalization_training": (
        lambda L: L.BatchNormalization(momentum=0.9, renorm=True, renorm_momentum=0.8),
        [IMAGE],
        TRAINING,
    ),
    "batch_renormalization_clipped": (
        lambda L: L.BatchNormalization(
            axis=1, center=False, renorm=True, renorm_clipping={"rmin": 0.6, "rmax": 1.25, "dmax": 0.5}
        ),
        [IMAGE],
        TRAINING,
    ),
    "batch_renormalization_mask": (
        lambda L: L.BatchNormalization(scale=False, renorm=True, renorm_clipping={"rmax": 3.0}),
        [SEQUENCE],
        {"mask": MASK, **TRAINING},
    ),
    "layer_normalization": (lambda L: L.LayerNormalization(), [SEQUENCE], {}),
    "layer_normalization_axes": (lambda L: L.LayerNormalization(axis=[1, 2], center=False), [SEQUENCE], {}),
    "group_normalization": (lambda L: L.GroupNormalization(2), [IMAGE], {}),
    "group_normalization_axis": (lambda L: L.GroupNormalization(3, axis=1, center=False), [(2, 6, 5)], {}),
    "group_normalization_instance": (lambda L: L.GroupNormalization(-1, scale=False), [IMAGE], {}),
    "rms_normalization": (lambda L: L.RMSNormalization(), [SEQUENCE], {}),
    "rms_normalization_axes": (lambda L: L.RMSNormalization(axis=[1, 2]), [SEQUENCE], {}),
    "unit_normalization": (lambda L: L.UnitNormalization(), [SEQUENCE], {}),
    "unit_normalization_axes": (lambda L: L.UnitNormalization(axis=[1, 2]), [SEQUENCE], {}),
    "spectral_normalization": (lambda L: L.SpectralNormalization(L.Dense(3)), [VECTOR], {}),
    "embedding": (lambda L: L.Embedding(9, 4), [("int", (2, 5), 9)], {}),
    "reversible_embedding": (lambda L: L.ReversibleEmbedding(9, 4, logit_soft_cap=2.0), [(2, 5, 4)], {"reverse": True}),
    "masking": (lambda L: L.Masking(), [SEQUENCE], {}),
    "simple_rnn": (lambda L: L.SimpleRNN(4, return_sequences=True, return_state=True), [SEQUENCE], {"mask": MASK}),
    "simple_rnn_relu": (lambda L: L.SimpleRNN(4, activation="relu", go_backwards=True), [SEQUENCE], {}),
    "lstm": (lambda L: L.LSTM(4), [SEQUENCE], {}),
    "lstm_sequences": (lambda L: L.LSTM(4, return_sequences=True, return_state=True), [SEQUENCE], {"mask": MASK}),
    "lstm_backwards": (lambda L: L.LSTM(4, return_sequences=True, go_backwards=True), [SEQUENCE], {"mask": MASK}),
    "lstm_no_bias": (lambda L: L.LSTM(4, use_bias=False, recurrent_activation="hard_sigmoid"), [SEQUENCE], {}),
    "gru": (lambda L: L.GRU(4), [SEQUENCE], {}),
    "gru_sequences": (lambda L: L.GRU(4, return_sequences=True, return_state=True), [SEQUENCE], {"mask": MASK}),
    "gru_reset_before": (lambda L: L.GRU(4, reset_after=False, go_backwards=True), [SEQUENCE], {}),
    "rnn_stacked": (
        lambda L: L.RNN([L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(2)], return_sequences=True),
        [SEQUENCE],
        {"mask": MASK},
    ),
    "conv_lstm1d": (lambda L: L.ConvLSTM1D(2, 3, strides=2, padding="same"), [(2, 3, 6, 2)], {}),
    "conv_lstm2d": (
        lambda L: L.ConvLSTM2D(3, 2, return_sequences=True, return_state=True, recurrent_activation="hard_sigmoid"),
        [(2, 3, 5, 4, 2)],
        {"mask": MASK[:, 2:]},
    ),
    "conv_lstm2d_dilated": (
        lambda L: L.ConvLSTM2D(2, 2, dilation_rate=2, go_backwards=True, use_bias=False),
        [(2, 3, 5, 4, 2)],
        {},
    ),
    "conv_lstm3d": (lambda L: L.ConvLSTM3D(2, 2, padding="same"), [(2, 2, 3, 4, 3, 2)], {}),
    "bidirectional": (lambda L: L.Bidirectional(L.LSTM(4, return_sequences=True)), [SEQUENCE], {}),
    "bidirectional_mask": (
        lambda L: L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode="ave"),
        [SEQUENCE],
        {"mask": TAIL_MASK},
    ),
    "bidirectional_last": (lambda L: L.Bidirectional(L.GRU(4), merge_mode="mul"), [SEQUENCE], {"mask": TAIL_MASK}),
    "bidirectional_states": (
        lambda L: L.Bidirectional(L.LSTM(4, return_state=True), merge_mode=None),
        [SEQUENCE],
        {},
    ),
    "time_distributed": (lambda L: L.TimeDistributed(L.Conv1D(4, 2)), [(2, 3, 5, 4)], {}),
    "rescaling": (lambda L: L.Rescaling(0.5, offset=[1.0, 2.0, 3.0]), [SEQUENCE], {}),
    "normalization": (lambda L: L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 0.5]), [SEQUENCE], {}),
    "stft_spectrogram": (lambda L: L.STFTSpectrogram(frame_length=8, frame_step=3), [SOUND], {}),
    "stft_spectrogram_magnitude": (
        lambda L: L.STFTSpectrogram("magnitude", 6, fft_length=8, padding="same", window="hamming", periodic=True),
        [SOUND],
        {},
    ),
    "stft_spectrogram_psd": (
        lambda L: L.STFTSpectrogram("psd", 8, expand_dims=True, scaling="spectrum"),
        [SOUND],
        {},
    ),
    "stft_spectrogram_real": (lambda L: L.STFTSpectrogram("real", 8, window=None), [SOUND], {}),
    "stft_spectrogram_imag": (lambda L: L.STFTSpectrogram("imag", 8, scaling=None, window="flattop"), [SOUND], {}),
    "stft_spectrogram_angle": (lambda L: L.STFTSpectrogram("angle", 8, expand_dims=True), [SOUND], {}),
    "stft_spectrogram_both": (lambda L: L.STFTSpectrogram("stft", 8, window=[1.0] * 8), [SOUND], {}),
    "mel_spectrogram": (lambda L: L.MelSpectrogram(32, 8, num_mel_bins=6, sampling_rate=8000), [(2, 80)], {}),
    "mel_spectrogram_plain": (
        lambda L: L.MelSpectrogram(
            32, 8, 20, "hamming", 8000, 6, 100.0, 3000.0, power_to_db=False, mag_exp=1.0, ref_power=0.5
        ),
        [(2, 90)],
        {},
    ),
    "mel_spectrogram_db": (
        lambda L: L.MelSpectrogram(32, 16, num_mel_bins=4, sampling_rate=8000, top_db=10.0, ref_power=0.25),
        [(3, 70)],
        {},
    ),
    "concatenate": (lambda L: L.Concatenate(axis=1), [(2, 5, 3), (2, 2, 3)], {}),
    "add": (lambda L: L.Add(), [SEQUENCE, SEQUENCE, SEQUENCE], {}),
    "subtract": (lambda L: L.Subtract(), [SEQUENCE, SEQUENCE], {}),
    "multiply": (lambda L: L.Multiply(), [SEQUENCE, (2, 3)], {}),
    "average": (lambda L: L.Average(), [SEQUENCE, SEQUENCE], {}),
    "maximum": (lambda L: L.Maximum(), [SEQUENCE, SEQUENCE], {}),
    "minimum": (lambda L: L.Minimum(), [SEQUENCE, SEQUENCE], {}),
    "dot": (lambda L: L.Dot(axes=(2, 1)), [(2, 5, 3), (2, 3, 4)], {}),
    "dot_normalized": (lambda L: L.Dot(axes=-1, normalize=True), [VECTOR, VECTOR], {}),
    "attention": (lambda L: L.Attention(use_scale=True), [(2, 4, 3), SEQUENCE], {}),
    "attention_concat": (
        lambda L: L.Attention(score_mode="concat"),
        [(2, 4, 3), SEQUENCE, SEQUENCE],
        {"mask": [MASK[:, :4], MASK]},
    ),
    "attention_causal": (lambda L: L.Attention(), [SEQUENCE, SEQUENCE], {"use_causal_mask": True}),
    "additive_attention": (lambda L: L.AdditiveAttention(), [(2, 4, 3), SEQUENCE], {}),
}

# Called with several positional inputs instead of a list.
CALLS = {
    "multi_head_attention": (lambda L: L.MultiHeadAttention(2, 4), [(2, 4, 6), (2, 5, 6)], {}),
    "multi_head_attention_causal": (
        lambda L: L.MultiHeadAttention(3, 4, value_dim=2, output_shape=5),
        [(2, 5, 6), (2, 5, 6), (2, 5, 6)],
        {"use_causal_mask": True, "return_attention_scores": True},
    ),
    "multi_head_attention_masks": (
        lambda L: L.MultiHeadAttention(2, 3, use_bias=False),
        [(2, 4, 6), (2, 5, 6)],
        {"value_mask": MASK, "attention_mask": np.arange(40).reshape(2, 4, 5) % 3 > 0},
    ),
    "multi_head_attention_of_nothing": (
        lambda L: L.MultiHeadAttention(2, 3),
        [(2, 4, 6), (2, 5, 6)],
        {"attention_mask": NOTHING},
    ),
    "multi_head_attention_scores_of_nothing": (
        lambda L: L.MultiHeadAttention(2, 3),
        [(2, 4, 6), (2, 5, 6)],
        {"attention_mask": NOTHING, "return_attention_scores": True},
    ),
    "multi_head_attention_axes": (
        lambda L: L.MultiHeadAttention(2, 3, attention_axes=(2,)),
        [(2, 2, 4, 6), (2, 2, 5, 6)],
        {},
    ),
    "group_query_attention": (lambda L: L.GroupQueryAttention(3, 4, 2), [(2, 4, 6), (2, 5, 6)], {}),
    "group_query_attention_window": (
        lambda L: L.GroupQueryAttention(3, 4, 1, sliding_window=2, use_gate=True, use_bias=False),
        [(2, 5, 6), (2, 5, 6), (2, 5, 6)],
        {"use_causal_mask": True},
    ),
    "group_query_attention_of_nothing": (
        lambda L: L.GroupQueryAttention(3, 4, 2),
        [(2, 4, 6), (2, 5, 6)],
        {"attention_mask": NOTHING},
    ),
    "group_query_attention_scores_of_nothing": (
        lambda L: L.GroupQueryAttention(3, 4, 2),
        [(2, 4, 6), (2, 5, 6)],
        {"attention_mask": NOTHING, "return_attention_scores": True},
    ),
    "group_query_attention_masks": (
        lambda L: L.GroupQueryAttention(2, 2, 2),
        [(2, 4, 6), (2, 5, 6)],
        {"value_mask": MASK, "attention_mask": np.arange(40).reshape(2, 4, 5) % 3 > 0, "return_attention_scores": True},
    ),
}

# Layers that draw random numbers, or that are not called here: only their configurations are compared.
CONFIGURED = {
    "dropout": (lambda L: L.Dropout(0.3, noise_shape=(None, 1, 3), seed=4),),
    "spatial_dropout1d": (lambda L: L.SpatialDropout1D(0.3),),
    "spatial_dropout2d": (lambda L: L.SpatialDropout2D(0.3),),
    "spatial_dropout3d": (lambda L: L.SpatialDropout3D(0.3),),
    "reversible_embedding_untied": (lambda L: L.ReversibleEmbedding(9, 4, tie_weights=False),),
    "alpha_dropout": (lambda L: L.AlphaDropout(0.3),),
    "gaussian_noise": (lambda L: L.GaussianNoise(0.3),),
    "gaussian_dropout": (lambda L: L.GaussianDropout(0.3),),
    "activity_regularization": (lambda L: L.ActivityRegularization(l1=0.1),),
    "identity": (lambda L: L.Identity(),),
    "activation": (lambda L: L.Activation("gelu"),),
    "conv2d_options": (
        lambda L: L.Conv2D(
            4, 3, kernel_initializer="he_normal", kernel_regularizer="l2", bias_constraint="non_neg", use_bias=False
        ),
    ),
    "lstm_options": (
        lambda L: L.LSTM(4, dropout=0.1, recurrent_dropout=0.2, recurrent_initializer="zeros", stateful=True),
    ),
    "normalization_adapted": (lambda L: L.Normalization(axis=None),),
    "resizing": (lambda L: L.Resizing(4, 5, crop_to_aspect_ratio=True),),
    "center_crop": (lambda L: L.CenterCrop(4, 5),),
    "random_crop": (lambda L: L.RandomCrop(4, 5, seed=3),),
    "random_flip": (lambda L: L.RandomFlip("vertical"),),
    "random_rotation": (lambda L: L.RandomRotation(0.2, bounding_box_format="xyxy"),),
    "random_zoom": (lambda L: L.RandomZoom((-0.5, 0.5), 0.2, seed=1),),
    "random_translation": (lambda L: L.RandomTranslation((-0.5, 0.5), 0.2, fill_mode="constant", fill_value=2.0),),
    "random_brightness": (lambda L: L.RandomBrightness(0.2, value_range=(0.0, 1.0)),),
    "random_contrast": (lambda L: L.RandomContrast((0.1, 0.5)),),
    "random_shear": (lambda L: L.RandomShear((0.1, 0.5), (0.0, 0.2)),),
    "random_perspective": (lambda L: L.RandomPerspective(0.3, 0.5),),
    "random_elastic_transform": (lambda L: L.RandomElasticTransform(0.3, 0.5, fill_mode="mirror"),),
    "random_hue": (lambda L: L.RandomHue(0.3, value_range=(0, 1)),),
    "random_saturation": (lambda L: L.RandomSaturation(0.3),),
    "random_color_jitter": (lambda L: L.RandomColorJitter(hue_factor=0.3, contrast_factor=(0.1, 0.2)),),
    "random_color_degeneration": (lambda L: L.RandomColorDegeneration(0.3),),
    "random_grayscale": (lambda L: L.RandomGrayscale(0.3),),
    "random_invert": (lambda L: L.RandomInvert(0.3),),
    "random_posterization": (lambda L: L.RandomPosterization(3),),
    "random_gaussian_blur": (lambda L: L.RandomGaussianBlur(0.3, 5, (0.1, 0.5)),),
    "random_sharpness": (lambda L: L.RandomSharpness(0.3),),
    "random_erasing": (lambda L: L.RandomErasing(0.3, fill_value=(1.0, 2.0, 3.0)),),
    "solarization": (lambda L: L.Solarization(0.3, (0.1, 0.4)),),
    "auto_contrast": (lambda L: L.AutoContrast((0, 1)),),
    "equalization": (lambda L: L.Equalization(bins=16),),
    "clahe": (lambda L: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(4, 2)),),
    "cut_mix": (lambda L: L.CutMix(0.5),),
    "mix_up": (lambda L: L.MixUp(0.5),),
    "rand_augment": (lambda L: L.RandAugment((0, 1), 3),),
    "aug_mix": (lambda L: L.AugMix(all_ops=False, chain_depth=2),),
    "max_num_bounding_boxes": (lambda L: L.MaxNumBoundingBoxes(3),),
    "pipeline": (lambda L: L.Pipeline([L.RandomFlip("vertical"), L.Rescaling(2.0)]),),
    "category_encoding": (lambda L: L.CategoryEncoding(4, "count"),),
    "discretization": (lambda L: L.Discretization([0.0, 1.5], output_mode="one_hot"),),
    "discretization_adapted": (lambda L: L.Discretization(num_bins=3, epsilon=0.1),),
    "hashing": (lambda L: L.Hashing(7, mask_value="", salt=3),),
    "hashing_one_hot": (lambda L: L.Hashing(7, output_mode="one_hot"),),
    "hashed_crossing": (lambda L: L.HashedCrossing(7),),
    "hashed_crossing_one_hot": (lambda L: L.HashedCrossing(7, output_mode="one_hot"),),
    "string_lookup": (lambda L: L.StringLookup(vocabulary=["a", "b"], mask_token=""),),
    "string_lookup_adapted": (lambda L: L.StringLookup(9, 2, output_mode="tf_idf", pad_to_max_tokens=True),),
    "integer_lookup": (lambda L: L.IntegerLookup(vocabulary=[4, 2], num_oov_indices=3, oov_method="farmhash", salt=5),),
    "integer_lookup_adapted": (lambda L: L.IntegerLookup(invert=True),),
    "text_vectorization": (lambda L: L.TextVectorization(ngrams=2, vocabulary=["a"], output_mode="count"),),
    "text_vectorization_adapted": (lambda L: L.TextVectorization(standardize=None, output_sequence_length=4),),
}


def random(name, shape):
    """Normal numbers that depend on the name alone, in multiples of 1/64: exact in float32."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    return (np.round(values * 64) / 64).astype("float32")


def inputs_of(name, shapes):
    """The inputs of a case. Some steps of sequences are zero, for Masking."""
    arrays = []
    for i, shape in enumerate(shapes):
        if shape[0] == "int":
            arrays.append(np.random.RandomState(i).randint(0, shape[2], shape[1]).astype("int32"))
            continue
        array = random(f"{name} input {i}", shape)
        if name == "masking":
            array[0, 2] = 0
        arrays.append(array)
    return arrays


def weights_of(name, shapes):
    """Weights of a case; those of variances are positive, and all are small."""
    return [np.abs(random(f"{name} weight {i}", shape)) * 0.5 + 0.125 * i for i, shape in enumerate(shapes)]
