# For editors and type checkers, which do not run __getattr__: the names that are loaded when they are first used.
from dlcore.datasets import boston_housing as boston_housing
from dlcore.datasets import california_housing as california_housing
from dlcore.datasets import cifar10 as cifar10
from dlcore.datasets import cifar100 as cifar100
from dlcore.datasets import digits as digits
from dlcore.datasets import fashion_mnist as fashion_mnist
from dlcore.datasets import imdb as imdb
from dlcore.datasets import mnist as mnist
from dlcore.datasets import reuters as reuters
from dlcore.datasets import speech_commands as speech_commands
from dlcore.datasets import spoken_digits as spoken_digits
