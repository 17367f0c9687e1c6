import pytest

from overparam.report import formatting


@pytest.mark.parametrize(
    ("got", "text"),
    [
        (formatting.score(0.9241, "accuracy"), "92.4 %"),
        (formatting.score(-0.12, "r2"), "−0.120"),
        (formatting.score(12345.6, "rmse"), "12,346"),
        (formatting.score(None, "accuracy"), "–"),
        (formatting.score(float("nan"), "r2"), "–"),
        (formatting.span([0.9182, 0.9301], "accuracy"), "91.8 to 93.0 %"),
        (formatting.span(None, "accuracy"), ""),
        (formatting.gain(0.021, "accuracy"), "+2.1 points"),
        (formatting.gain(-0.0004, "accuracy"), "0.0 points"),
        (formatting.gain(-0.02, "r2"), "−0.020"),
        (formatting.gain_span([-0.001, 0.024], "accuracy"), "−0.1 to +2.4"),
        (formatting.statistic(0.031, "percent"), "3.1 %"),
        (formatting.statistic(0.013, "points"), "+1.3 points"),
        (formatting.statistic(12, "rows"), "12 rows"),
        (formatting.statistic(0.00535, None, [-0.0104, 0.017]), "0.005"),
        (formatting.statistic(5e-5, None, [-0.000829, 0.000929]), "0.0001"),
        (formatting.statistic(-0.0001, None, [-0.0104, 0.017]), "0.000"),
        (formatting.statistic(1234.5, "rows", [900.0, 1800.0]), "1,234 rows"),
        (formatting.statistic(0.25, None, [0.25, 0.25]), "0.25"),
        (formatting.statistic(0.25, None, [None, 1.0]), "0.25"),
        (formatting.statistic_span([-0.0104, 0.017]), "−0.010 to 0.017"),
        (formatting.statistic_span([77.31, 79.2], "degrees"), "77.3 to 79.2 degrees"),
        (formatting.statistic_span([0.022, 0.041], "percent"), "2.2 to 4.1 %"),
        (formatting.statistic_span([-0.004, 0.002], "points"), "−0.4 to +0.2 points"),
        (formatting.number(0), "0"),
        (formatting.number(0.00001234), "1.23e-05"),
        (formatting.number(-0.5), "−0.5"),
        (formatting.number(1234567), "1,234,567"),
        (formatting.duration(0.01), "under 0.1 s"),
        (formatting.duration(0.84), "0.8 s"),
        (formatting.duration(9.96), "10 s"),
        (formatting.duration(59.7), "1 min"),
        (formatting.duration(251.7), "4 min 12 s"),
        (formatting.duration(3900), "1 h 5 min"),
        (formatting.count(32524), "32,524"),
        (formatting.metric_title("log_loss"), "log-loss"),
    ],
)
def test_figures_are_written_one_way(got, text):
    assert got == text
