"""How networks are fitted: the batched ensemble engine and what plugs into it."""

from overparam.training.callbacks import Callback, LiveStack
from overparam.training.distillation import distill, soft_targets
from overparam.training.ensemble import Ensemble
from overparam.training.frozen_guide import FrozenGuide
from overparam.training.gradient_clipping import ClipGradients
from overparam.training.guidance import Guidance, uniform_mapping
from overparam.training.guided_classifier import GuidedClassifier
from overparam.training.guided_members import GuidedMembers
from overparam.training.history import History
from overparam.training.language_model import LanguageModel
from overparam.training.layerwise_rates import layerwise_learning_rates
from overparam.training.logit_ensemble import LogitEnsemble, average_logits
from overparam.training.mixup import MixupClassifier, MixupTransform, mixup_batch
from overparam.training.ngrams import NGrams
from overparam.training.run_history import LogSpaced, RunHistory
from overparam.training.snapshots import Snapshots
from overparam.training.two_layer_relu import TwoLayerReLU
from overparam.training.unconstrained_features import UnconstrainedFit, fit_unconstrained_features

__all__ = [
    "Callback",
    "ClipGradients",
    "Ensemble",
    "FrozenGuide",
    "Guidance",
    "GuidedClassifier",
    "GuidedMembers",
    "History",
    "LanguageModel",
    "LiveStack",
    "LogSpaced",
    "LogitEnsemble",
    "MixupClassifier",
    "MixupTransform",
    "NGrams",
    "RunHistory",
    "Snapshots",
    "TwoLayerReLU",
    "UnconstrainedFit",
    "average_logits",
    "distill",
    "fit_unconstrained_features",
    "layerwise_learning_rates",
    "mixup_batch",
    "soft_targets",
    "uniform_mapping",
]
