"""What a data set or a trained model shows: one module an idea."""

from overparam.diagnostics.activation_change import CoordinateCheck, coordinate_check
from overparam.diagnostics.calibration_error import (
    ace,
    adaptive_ece,
    classwise_ece,
    ece,
    mce,
    reliability_table,
)
from overparam.diagnostics.class_scatter import flattest_direction
from overparam.diagnostics.collapse_metrics import ClassMoments, Collapse, neural_collapse
from overparam.diagnostics.collapse_tracking import CollapseTracker, LayerCollapse
from overparam.diagnostics.data_diet import DataDiet
from overparam.diagnostics.deviation_angle import Tilt, boundary_tilt
from overparam.diagnostics.error_forecast import ErrorForecast, forecast_error
from overparam.diagnostics.example_scores import el2n, l1_error, margin_score
from overparam.diagnostics.forgetting import ForgettingTracker
from overparam.diagnostics.gradient_norms import grand
from overparam.diagnostics.initialization import InitReport, check_initialization
from overparam.diagnostics.intrinsic_dimension import two_nn_dimension
from overparam.diagnostics.kernel_calibration_error import skce
from overparam.diagnostics.kernel_learning_curve import KernelLearningCurve, predict_learning_curve
from overparam.diagnostics.late_generalisation import Grokking, GrokkingWatch, grokking_watch
from overparam.diagnostics.linear_boundary import mirror, tilt_along
from overparam.diagnostics.linearity import linear_part
from overparam.diagnostics.local_boundary import LocalTilt, local_tilt
from overparam.diagnostics.neighbour_overlap import label_overlap
from overparam.diagnostics.power_laws import PowerLaws, power_law_exponents
from overparam.diagnostics.pruning_curve import PruningCurve
from overparam.diagnostics.recording import EnsembleRecorder, Recording, record
from overparam.diagnostics.run_measures import Fit, Measure
from overparam.diagnostics.scoring_rules import brier, kl_to_conditional, nll
from overparam.diagnostics.small_classes import MinorityCollapse, minority_collapse
from overparam.diagnostics.stopping_time import Overtraining, overtraining
from overparam.diagnostics.temperature import TemperatureScaling
from overparam.diagnostics.tilt_path import RegularizationPath, regularization_path
from overparam.diagnostics.weight_distribution import (
    WeightShape,
    accuracy_after_zeroing,
    weight_shape,
)
from overparam.diagnostics.wrong_labels import LabelQuality, label_quality

__all__ = [
    "ClassMoments",
    "Collapse",
    "CollapseTracker",
    "CoordinateCheck",
    "DataDiet",
    "EnsembleRecorder",
    "ErrorForecast",
    "Fit",
    "ForgettingTracker",
    "Grokking",
    "GrokkingWatch",
    "InitReport",
    "KernelLearningCurve",
    "LabelQuality",
    "LayerCollapse",
    "LocalTilt",
    "Measure",
    "MinorityCollapse",
    "Overtraining",
    "PowerLaws",
    "PruningCurve",
    "Recording",
    "RegularizationPath",
    "TemperatureScaling",
    "Tilt",
    "WeightShape",
    "accuracy_after_zeroing",
    "ace",
    "adaptive_ece",
    "boundary_tilt",
    "brier",
    "check_initialization",
    "classwise_ece",
    "coordinate_check",
    "ece",
    "el2n",
    "flattest_direction",
    "forecast_error",
    "grand",
    "grokking_watch",
    "kl_to_conditional",
    "l1_error",
    "label_overlap",
    "label_quality",
    "linear_part",
    "local_tilt",
    "margin_score",
    "mce",
    "minority_collapse",
    "mirror",
    "neural_collapse",
    "nll",
    "overtraining",
    "power_law_exponents",
    "predict_learning_curve",
    "record",
    "regularization_path",
    "reliability_table",
    "skce",
    "tilt_along",
    "two_nn_dimension",
    "weight_shape",
]
