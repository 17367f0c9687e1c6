"""What a data set or a trained model shows: one module an idea."""

from overparam.diagnostics.activation_change import CoordinateCheck
from overparam.diagnostics.activation_change import coordinate_check
from overparam.diagnostics.calibration_error import ace
from overparam.diagnostics.calibration_error import adaptive_ece
from overparam.diagnostics.calibration_error import classwise_ece
from overparam.diagnostics.calibration_error import ece
from overparam.diagnostics.calibration_error import mce
from overparam.diagnostics.calibration_error import reliability_table
from overparam.diagnostics.class_scatter import flattest_direction
from overparam.diagnostics.collapse_metrics import ClassMoments
from overparam.diagnostics.collapse_metrics import Collapse
from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.diagnostics.collapse_tracking import CollapseTracker
from overparam.diagnostics.collapse_tracking import LayerCollapse
from overparam.diagnostics.deviation_angle import Tilt
from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.diagnostics.error_forecast import ErrorForecast
from overparam.diagnostics.error_forecast import forecast_error
from overparam.diagnostics.initialization import InitReport
from overparam.diagnostics.initialization import check_initialization
from overparam.diagnostics.intrinsic_dimension import two_nn_dimension
from overparam.diagnostics.kernel_calibration_error import skce
from overparam.diagnostics.kernel_learning_curve import KernelLearningCurve
from overparam.diagnostics.kernel_learning_curve import predict_learning_curve
from overparam.diagnostics.late_generalisation import Grokking
from overparam.diagnostics.late_generalisation import GrokkingWatch
from overparam.diagnostics.late_generalisation import grokking_watch
from overparam.diagnostics.linear_boundary import mirror
from overparam.diagnostics.linear_boundary import tilt_along
from overparam.diagnostics.linearity import linear_part
from overparam.diagnostics.local_boundary import LocalTilt
from overparam.diagnostics.local_boundary import local_tilt
from overparam.diagnostics.neighbour_overlap import label_overlap
from overparam.diagnostics.power_laws import PowerLaws
from overparam.diagnostics.power_laws import power_law_exponents
from overparam.diagnostics.recording import EnsembleRecorder
from overparam.diagnostics.recording import Recording
from overparam.diagnostics.recording import record
from overparam.diagnostics.run_measures import Fit
from overparam.diagnostics.run_measures import Measure
from overparam.diagnostics.scoring_rules import brier
from overparam.diagnostics.scoring_rules import kl_to_conditional
from overparam.diagnostics.scoring_rules import nll
from overparam.diagnostics.small_classes import MinorityCollapse
from overparam.diagnostics.small_classes import minority_collapse
from overparam.diagnostics.stopping_time import Overtraining
from overparam.diagnostics.stopping_time import overtraining
from overparam.diagnostics.temperature import TemperatureScaling
from overparam.diagnostics.tilt_path import RegularizationPath
from overparam.diagnostics.tilt_path import regularization_path

__all__ = [
    "ClassMoments",
    "Collapse",
    "CollapseTracker",
    "CoordinateCheck",
    "EnsembleRecorder",
    "ErrorForecast",
    "Fit",
    "Grokking",
    "GrokkingWatch",
    "InitReport",
    "KernelLearningCurve",
    "LayerCollapse",
    "LocalTilt",
    "Measure",
    "MinorityCollapse",
    "Overtraining",
    "PowerLaws",
    "Recording",
    "RegularizationPath",
    "TemperatureScaling",
    "Tilt",
    "ace",
    "adaptive_ece",
    "boundary_tilt",
    "brier",
    "check_initialization",
    "classwise_ece",
    "coordinate_check",
    "ece",
    "flattest_direction",
    "forecast_error",
    "grokking_watch",
    "kl_to_conditional",
    "label_overlap",
    "linear_part",
    "local_tilt",
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
]
