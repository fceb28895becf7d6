"""Layers: the building blocks of models."""

from dlcore.layers.activations.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from dlcore.layers.attention.attention import AdditiveAttention, Attention
from dlcore.layers.attention.multi_head_attention import MultiHeadAttention
from dlcore.layers.convolutional.conv import Conv1D, Conv2D
from dlcore.layers.convolutional.conv_transpose import Conv1DTranspose, Conv2DTranspose
from dlcore.layers.convolutional.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D
from dlcore.layers.convolutional.separable_conv import SeparableConv1D, SeparableConv2D
from dlcore.layers.core.dense import Dense
from dlcore.layers.core.einsum_dense import EinsumDense
from dlcore.layers.core.embedding import Embedding
from dlcore.layers.core.identity import Identity
from dlcore.layers.core.input_layer import Input, InputLayer
from dlcore.layers.core.lambda_layer import Lambda
from dlcore.layers.core.masking import Masking
from dlcore.layers.core.wrapper import Wrapper
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.merging.concatenate import Concatenate
from dlcore.layers.merging.dot import Dot
from dlcore.layers.merging.functions import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from dlcore.layers.merging.merge import Add, Average, Maximum, Minimum, Multiply, Subtract
from dlcore.layers.normalization.batch_normalization import BatchNormalization
from dlcore.layers.normalization.layer_normalization import LayerNormalization
from dlcore.layers.pooling.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
)
from dlcore.layers.pooling.pooling import AveragePooling1D, AveragePooling2D, MaxPooling1D, MaxPooling2D
from dlcore.layers.preprocessing.normalization import Normalization
from dlcore.layers.preprocessing.rescaling import Rescaling
from dlcore.layers.regularization.dropout import Dropout, SpatialDropout1D, SpatialDropout2D
from dlcore.layers.regularization.gaussian import ActivityRegularization, GaussianDropout, GaussianNoise
from dlcore.layers.reshaping.borders import Cropping1D, Cropping2D, ZeroPadding1D, ZeroPadding2D
from dlcore.layers.reshaping.reshape import Flatten, Permute, RepeatVector, Reshape
from dlcore.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D
from dlcore.layers.rnn.bidirectional import Bidirectional
from dlcore.layers.rnn.gru import GRU, GRUCell
from dlcore.layers.rnn.lstm import LSTM, LSTMCell
from dlcore.layers.rnn.rnn import RNN, StackedRNNCells
from dlcore.layers.rnn.simple_rnn import SimpleRNN, SimpleRNNCell
from dlcore.layers.rnn.time_distributed import TimeDistributed

# Keras's second names.
AvgPool1D, AvgPool2D, MaxPool1D, MaxPool2D = AveragePooling1D, AveragePooling2D, MaxPooling1D, MaxPooling2D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
Convolution1D, Convolution2D, Convolution2DTranspose = Conv1D, Conv2D, Conv2DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D


def serialize(layer):
    """The configuration dict of a layer."""
    from dlcore.saving import serialization

    return serialization.serialize_keras_object(layer)


def deserialize(config, custom_objects=None):
    """The layer from what `serialize` returned."""
    from dlcore.saving import serialization

    layer = serialization.deserialize_keras_object(config, custom_objects=custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"The configuration does not describe a layer: {config}.")
    return layer


__all__ = [
    "ELU", "GRU", "LSTM", "RNN", "Activation", "ActivityRegularization", "Add", "AdditiveAttention", "Attention",
    "Average", "AveragePooling1D", "AveragePooling2D", "AvgPool1D", "AvgPool2D", "BatchNormalization", "Bidirectional",
    "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Convolution1D", "Convolution2D",
    "Convolution2DTranspose", "Cropping1D", "Cropping2D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Dot",
    "Dropout", "EinsumDense", "Embedding", "Flatten", "GRUCell", "GaussianDropout", "GaussianNoise",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalMaxPool1D",
    "GlobalMaxPool2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Identity", "Input", "InputLayer", "InputSpec",
    "LSTMCell", "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "Masking", "MaxPool1D", "MaxPool2D",
    "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum", "MultiHeadAttention", "Multiply", "Normalization", "PReLU",
    "Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape", "SeparableConv1D", "SeparableConv2D",
    "SeparableConvolution1D", "SeparableConvolution2D", "SimpleRNN", "SimpleRNNCell", "Softmax", "SpatialDropout1D",
    "SpatialDropout2D", "StackedRNNCells", "Subtract", "TimeDistributed", "UpSampling1D", "UpSampling2D", "Wrapper",
    "ZeroPadding1D", "ZeroPadding2D", "add", "average", "concatenate", "deserialize", "dot", "maximum", "minimum",
    "multiply", "serialize", "subtract",
]  # fmt: skip
