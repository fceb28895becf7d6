"""Layers: the building blocks of models."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.layers.activations.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from dlcore.layers.attention.attention import AdditiveAttention, Attention
from dlcore.layers.attention.grouped_query_attention import GroupedQueryAttention
from dlcore.layers.attention.multi_head_attention import MultiHeadAttention
from dlcore.layers.convolutional.conv import Conv1D, Conv2D, Conv3D
from dlcore.layers.convolutional.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from dlcore.layers.convolutional.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D
from dlcore.layers.convolutional.separable_conv import SeparableConv1D, SeparableConv2D
from dlcore.layers.core.dense import Dense
from dlcore.layers.core.einsum_dense import EinsumDense
from dlcore.layers.core.embedding import Embedding
from dlcore.layers.core.identity import Identity
from dlcore.layers.core.input_layer import Input, InputLayer
from dlcore.layers.core.lambda_layer import Lambda
from dlcore.layers.core.masking import Masking
from dlcore.layers.core.reversible_embedding import ReversibleEmbedding
from dlcore.layers.core.wrapper import Wrapper
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.merging.concatenate import Concatenate
from dlcore.layers.merging.dot import Dot
from dlcore.layers.merging.functions import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from dlcore.layers.merging.merge import Add, Average, Maximum, Minimum, Multiply, Subtract
from dlcore.layers.normalization.batch_normalization import BatchNormalization
from dlcore.layers.normalization.group_normalization import GroupNormalization
from dlcore.layers.normalization.layer_normalization import LayerNormalization
from dlcore.layers.normalization.rms_normalization import RMSNormalization
from dlcore.layers.normalization.spectral_normalization import SpectralNormalization
from dlcore.layers.normalization.unit_normalization import UnitNormalization
from dlcore.layers.pooling.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from dlcore.layers.pooling.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from dlcore.layers.pooling.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from dlcore.layers.preprocessing.category_encoding import CategoryEncoding
from dlcore.layers.preprocessing.discretization import Discretization
from dlcore.layers.preprocessing.hashing import HashedCrossing, Hashing
from dlcore.layers.preprocessing.images.boxes import MaxNumBoundingBoxes
from dlcore.layers.preprocessing.images.colours import (
    AutoContrast,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    Solarization,
)
from dlcore.layers.preprocessing.images.filters import RandomGaussianBlur, RandomSharpness
from dlcore.layers.preprocessing.images.geometry import (
    RandomElasticTransform,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from dlcore.layers.preprocessing.images.histograms import ContrastLimitedAdaptiveHistogramEqualization, Equalization
from dlcore.layers.preprocessing.images.mixing import CutMix, MixUp, RandomErasing
from dlcore.layers.preprocessing.images.policies import AugMix, RandAugment
from dlcore.layers.preprocessing.images.resizing import CenterCrop, RandomCrop, Resizing
from dlcore.layers.preprocessing.index_lookup import IntegerLookup, StringLookup
from dlcore.layers.preprocessing.normalization import Normalization
from dlcore.layers.preprocessing.pipeline import Pipeline
from dlcore.layers.preprocessing.rescaling import Rescaling
from dlcore.layers.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from dlcore.layers.preprocessing.text_vectorization import TextVectorization
from dlcore.layers.regularization.dropout import (
    AlphaDropout,
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from dlcore.layers.regularization.gaussian import ActivityRegularization, GaussianDropout, GaussianNoise
from dlcore.layers.reshaping.borders import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from dlcore.layers.reshaping.reshape import Flatten, Permute, RepeatVector, Reshape
from dlcore.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from dlcore.layers.rnn.bidirectional import Bidirectional
from dlcore.layers.rnn.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from dlcore.layers.rnn.gru import GRU, GRUCell
from dlcore.layers.rnn.lstm import LSTM, LSTMCell
from dlcore.layers.rnn.rnn import RNN, StackedRNNCells
from dlcore.layers.rnn.simple_rnn import SimpleRNN, SimpleRNNCell
from dlcore.layers.rnn.time_distributed import TimeDistributed

# Keras's second names.
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GroupQueryAttention = GroupedQueryAttention  # public in Keras; its .h5 files, weights and names say Grouped
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D


def serialize(layer):
    """The configuration dict of a layer."""
    from dlcore.saving import serialization

    return serialization.serialize_keras_object(layer)


def deserialize(config, custom_objects=None):
    """The layer from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    from dlcore.saving import serialization

    layer = serialization.deserialize_keras_object(config, custom_objects=custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"The configuration does not describe a layer: {config}.")
    return layer


__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "Add",
    "AdditiveAttention", "AlphaDropout", "Attention", "AugMix", "AutoContrast", "Average", "AveragePooling1D",
    "AveragePooling2D", "AveragePooling3D", "AvgPool1D", "AvgPool2D", "AvgPool3D", "BatchNormalization",
    "Bidirectional", "CategoryEncoding", "CenterCrop", "Concatenate", "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D",
    "ConvLSTM3D", "Convolution1D", "Convolution1DTranspose", "Convolution2D", "Convolution2DTranspose", "Convolution3D",
    "Convolution3DTranspose", "Cropping1D", "Cropping2D", "Cropping3D", "CutMix", "Dense", "DepthwiseConv1D",
    "DepthwiseConv2D", "Discretization", "Dot", "Dropout", "ELU", "EinsumDense", "Embedding", "Equalization", "Flatten",
    "GRU", "GRUCell", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D",
    "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "GroupNormalization", "GroupQueryAttention", "HashedCrossing", "Hashing", "Identity", "Input", "InputLayer",
    "InputSpec", "IntegerLookup", "LSTM", "LSTMCell", "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "Masking",
    "MaxNumBoundingBoxes", "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
    "Maximum", "MelSpectrogram", "Minimum", "MixUp", "MultiHeadAttention", "Multiply", "Normalization", "PReLU",
    "Permute", "Pipeline", "RMSNormalization", "RNN", "RandAugment", "RandomBrightness", "RandomColorDegeneration",
    "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomFlip",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
    "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "ReLU",
    "RepeatVector", "Rescaling", "Reshape", "Resizing", "ReversibleEmbedding", "STFTSpectrogram", "SeparableConv1D",
    "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D", "SimpleRNN", "SimpleRNNCell", "Softmax",
    "Solarization", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "SpectralNormalization",
    "StackedRNNCells", "StringLookup", "Subtract", "TextVectorization", "TimeDistributed", "UnitNormalization",
    "UpSampling1D", "UpSampling2D", "UpSampling3D", "Wrapper", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "add",
    "average", "concatenate", "deserialize", "dot", "maximum", "minimum", "multiply", "serialize", "subtract",
]  # fmt: skip
