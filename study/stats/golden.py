"""Writes golden.json: what NumPy and SciPy say of some samples, for stats_test.cc and design_test.cc.

    ${FJORD_CACHE:-~/.cache/fjord}/python/bin/python study/stats/golden.py

Bootstrap intervals are random, so a bound is given as a bracket. The share p of resamples below a
point is estimated with the standard error sqrt(p (1 - p) / resamples), here and again in the
program that is tested. So a bound at the quantile q of the tested program lies, but for a chance of
about 6e-7, between the quantiles q - d and q + d of SciPy's bootstrap distribution with
d = 5 sqrt(q (1 - q) (1 / resamples + 1 / resamples)). Where the distribution is coarse, as that of
a median of few values is, both ends are mostly the same number.
"""
import json
import pathlib

import numpy as np
import scipy
from scipy import stats

RESAMPLES = 50_000
random = np.random.default_rng(20190513)


def times(n, scale):
    """Like times in milliseconds: a long tail to the right, ties from a clock of 0.1."""
    return np.round(scale * random.lognormal(0, 0.4, n), 1)


def brackets(samples, statistic):
    got = stats.bootstrap(samples, statistic, n_resamples=RESAMPLES, paired=False, vectorized=True,
                          method='percentile', rng=np.random.default_rng(7))
    q = 0.025
    d = 5 * np.sqrt(q * (1 - q) * 2 / RESAMPLES)
    spread = got.bootstrap_distribution
    low = np.quantile(spread, [q - d, q + d]).tolist()
    high = np.quantile(spread, [1 - q - d, 1 - q + d]).tolist()
    for bound, ends in ((got.confidence_interval.low, low), (got.confidence_interval.high, high)):
        assert ends[0] <= bound <= ends[1]
    return {'low': low, 'high': high}


def sample(values):
    qs = [0, 0.025, 0.25, 0.5, 0.9, 0.95, 1]
    case = {'values': values.tolist(), 'median': float(np.median(values)),
            'quantiles': [[q, float(np.quantile(values, q))] for q in qs],
            'geometricMean': float(stats.gmean(values)), 'ranks': stats.rankdata(values).tolist()}
    if len(values) > 1:
        case |= brackets((values,), np.median)
    return case


def correlation(a, b):
    return {'a': a.tolist(), 'b': b.tolist(),
            'rankCorrelation': float(stats.spearmanr(a, b).statistic)}


def noisy(n):
    a = times(n, 10)
    return a, np.round(a + 3 * random.standard_normal(n))


golden = {
    'generator': 'study/stats/golden.py',
    'with': f'NumPy {np.__version__}, SciPy {scipy.__version__}',
    'resamples': RESAMPLES,
    'samples': [sample(times(n, 10)) for n in (1, 2, 3, 7, 8, 9, 15, 20, 51)],
    'correlations': [*(correlation(*noisy(n)) for n in (2, 5, 12, 60)),
                     correlation(times(40, 5), -times(40, 5)),
                     correlation(*np.round(random.random((2, 30)) * 4))],
}
text = json.dumps(golden, separators=(',', ':'))
# A case a line.
text = text.replace(',{"', ',\n{"').replace('[{"', '[\n{"') + '\n'
pathlib.Path(__file__).with_name('golden.json').write_text(text)
