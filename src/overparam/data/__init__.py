"""What we learn from: any labelled source becomes a Dataset."""

from overparam.data import synthetic, text
from overparam.data.byte_pairs import BytePairs
from overparam.data.dataset import Dataset, Split, View
from overparam.data.embedded import embedded_names
from overparam.data.loading import load
from overparam.data.preprocessing import Preprocessor

__all__ = [
    "BytePairs",
    "Dataset",
    "Preprocessor",
    "Split",
    "View",
    "embedded_names",
    "load",
    "synthetic",
    "text",
]
