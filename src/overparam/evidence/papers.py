"""The papers that overparam holds, as their listings give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as _date
from types import MappingProxyType


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes
    ----------
    slug : str
        Its name in this package.
    title, arxiv : str
        Title and arXiv number.
    date : str
        Day of the first version, ISO 8601.
    authors : int
        How many authors it has.
    """

    slug: str
    title: str
    arxiv: str
    date: str
    authors: int

    @property
    def url(self) -> str:
        """Its page on arXiv."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    @property
    def reference(self) -> str:
        """A citation in one line."""
        day = _date.fromisoformat(self.date)
        title = self.title if self.title[-1] in "?!." else f"{self.title}."
        return f"{title} arXiv:{self.arxiv}, {day.day} {day:%B %Y}."

    @property
    def bibtex(self) -> str:
        """A BibTeX entry by title, number and date (complete the authors from its page)."""
        fields = {
            "title": f"{{{self.title}}}",
            "year": self.date[:4],
            "month": str(int(self.date[5:7])),
            "eprint": self.arxiv,
            "archivePrefix": "arXiv",
            "url": self.url,
        }
        body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@misc{{{self.slug},\n{body}}}"


# slug, title, arXiv, first version, number of authors
_TABLE = (
    (
        "adaptive-smoothing",
        "Improving the Accuracy-Robustness Trade-Off of Classifiers via Adaptive Smoothing",
        "2301.12554",
        "2023-01-29",
        4,
    ),
    (
        "boundary-tilting",
        "A Boundary Tilting Perspective on the Phenomenon of Adversarial Examples",
        "1608.07690",
        "2016-08-27",
        2,
    ),
    (
        "data-diet",
        "Deep Learning on a Data Diet: Finding Important Examples Early in Training",
        "2107.07075",
        "2021-07-14",
        3,
    ),
    (
        "deep-learning-theory",
        "The Principles of Deep Learning Theory",
        "2106.10165",
        "2021-06-18",
        3,
    ),
    (
        "feature-learning-limit",
        "Feature Learning in Infinite-Width Neural Networks",
        "2011.14522",
        "2020-11-29",
        2,
    ),
    (
        "generalization-measures",
        "Fantastic Generalization Measures are Nowhere to be Found",
        "2309.13658",
        "2023-09-24",
        4,
    ),
    (
        "guidance",
        "Training the Untrainable: Introducing Inductive Bias via Representational Alignment",
        "2410.20035",
        "2024-10-25",
        7,
    ),
    (
        "high-dimensional-dynamics",
        "High-dimensional dynamics of generalization error in neural networks",
        "1710.03667",
        "2017-10-10",
        2,
    ),
    (
        "inductive-bias",
        "Towards Exact Computation of Inductive Bias",
        "2406.15941",
        "2024-06-22",
        5,
    ),
    ("infinite-compute", "Pre-training under infinite compute", "2509.14786", "2025-09-18", 4),
    (
        "kan-assessment",
        "Kolmogorov-Arnold Networks: A Critical Assessment of Claims, Performance, and "
        "Practical Viability",
        "2407.11075",
        "2024-07-13",
        4,
    ),
    (
        "long-tail-memorization",
        "Does Learning Require Memorization? A Short Tale about a Long Tail",
        "1906.05271",
        "2019-06-12",
        1,
    ),
    (
        "mgno",
        "MgNO: Efficient Parameterization of Linear Operators via Multigrid",
        "2310.19809",
        "2023-10-16",
        3,
    ),
    (
        "mip-hypernetworks",
        "Magnitude Invariant Parametrizations Improve Hypernetwork Learning",
        "2304.07645",
        "2023-04-15",
        3,
    ),
    (
        "more-is-better",
        "More is Better in Modern Machine Learning: when Infinite Overparameterization "
        "is Optimal and Overfitting is Obligatory",
        "2311.14646",
        "2023-11-24",
        4,
    ),
    (
        "neural-collapse",
        "Neural Collapse in Deep Linear Networks: From Balanced to Imbalanced Data",
        "2301.00437",
        "2023-01-01",
        6,
    ),
    (
        "off-the-shelf-features",
        "CNN Features off-the-shelf: an Astounding Baseline for Recognition",
        "1403.6382",
        "2014-03-23",
        4,
    ),
    (
        "performance-prediction",
        "Accelerating Neural Architecture Search using Performance Prediction",
        "1705.10823",
        "2017-05-30",
        4,
    ),
    (
        "random-sparse-search",
        "Random Search as a Baseline for Sparse Neural Network Architecture Search",
        "2403.08265",
        "2024-03-13",
        1,
    ),
    ("scalable-nn-kernels", "Scalable Neural Network Kernels", "2310.13225", "2023-10-19", 5),
    (
        "sparseland",
        'Ten Lessons We Have Learned in the New "Sparseland": A Short Handbook for '
        "Sparse Neural Network Researchers",
        "2302.02596",
        "2023-02-06",
        2,
    ),
    ("symbolic-synthesis", "Symbolic Synthesis of Neural Networks", "2303.03340", "2023-03-06", 1),
    (
        "tabular-ncd",
        "A Practical Approach to Novel Class Discovery in Tabular Data",
        "2311.05440",
        "2023-11-09",
        5,
    ),
    (
        "temperature-scaling-limits",
        "On the Limitations of Temperature Scaling for Distributions with Overlaps",
        "2306.00740",
        "2023-06-01",
        2,
    ),
    (
        "universality-lens",
        "The Universality Lens: Why Even Highly Over-Parametrized Models Learn Well",
        "2506.07661",
        "2025-06-09",
        3,
    ),
    (
        "weight-compander",
        "Weight Compander: A Simple Weight Reparameterization for Regularization",
        "2306.16993",
        "2023-06-29",
        3,
    ),
    (
        "wide-deep-optimality",
        "Wide and Deep Neural Networks Achieve Optimality for Classification",
        "2204.14126",
        "2022-04-29",
        3,
    ),
    (
        "xor-grokking",
        "Benign Overfitting and Grokking in ReLU Networks for XOR Cluster Data",
        "2310.02541",
        "2023-10-03",
        5,
    ),
)

PAPERS: Mapping[str, Paper] = MappingProxyType({row[0]: Paper(*row) for row in _TABLE})
