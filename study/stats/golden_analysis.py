"""Writes golden_analysis.json: what other libraries say of some designs, for the tests of trees, analyses of variance, time
models, intervals and agreement.

    ${FJORD_CACHE:-~/.cache/fjord}/python/bin/python study/stats/golden_analysis.py

Needs scikit-learn and statsmodels beside NumPy and SciPy. Where two of them can say the same, both do and are compared here.
The seeds are those of the first try: none was chosen for its result.
"""
import itertools
import json
import math
import pathlib
import warnings

import numpy as np
import pandas as pd
import scipy
import sklearn
import statsmodels
import statsmodels.api as sm
from scipy import optimize, stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score, r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import DescrStatsW

random = np.random.default_rng(20190513)
LAYERS, WIDTHS = [1, 2, 4, 8, 16], [64, 128, 256, 512]


def factorial(factors):
    """All combinations of places, the last factor fastest: [rows][factors]."""
    return np.array(list(itertools.product(*factors)), dtype=float)


def gap_like(places, factors, noise):
    """log2 of ratios as those of a gap: large main effects, some interaction, noise."""
    logs = np.log2(places + 1)
    logs -= logs.mean(axis=0)
    weights = np.array([1.9, -0.7, 1.1, 0.35])[: places.shape[1]]
    y = 3 + logs @ weights + 0.25 * logs[:, 0] * logs[:, -1]
    return y + noise * random.standard_normal(len(y))


# ---- trees


def nodes_of(tree):
    """A scikit-learn tree as a list of nodes, the root first, what is below before what is above."""
    t = tree.tree_
    out = []

    def visit(i):
        leaf = t.children_left[i] < 0
        at = len(out)
        out.append({'factor': -1 if leaf else int(t.feature[i]), 'threshold': None if leaf else float(t.threshold[i]),
                    'impurity': float(t.impurity[i]), 'rows': int(t.n_node_samples[i])})
        if not leaf:
            visit(t.children_left[i])
            visit(t.children_right[i])
        return at

    visit(0)
    return out


def gains(places, y, kind):
    """The gain of each question at the root, by mutual information (scikit-learn) or by variances (NumPy)."""
    out = []
    for f in range(places.shape[1]):
        levels = np.unique(places[:, f])
        for a, b in zip(levels, levels[1:]):
            below = places[:, f] <= (a + b) / 2
            if kind == 'variance':
                gain = y.var() - below.mean() * y[below].var() - (~below).mean() * y[~below].var()
            else:
                classes = np.floor(y).astype(int) if kind == 'octaves' else np.arange(len(y))
                gain = mutual_info_score(classes, below) / math.log(2)
                parent = stats.entropy(np.unique(classes, return_counts=True)[1], base=2)
                parts = [stats.entropy(np.unique(classes[w], return_counts=True)[1], base=2) * w.mean() for w in (below, ~below)]
                assert abs(gain - (parent - sum(parts))) < 1e-12
            out.append({'factor': f, 'threshold': (a + b) / 2, 'gain': float(gain)})
    return out


def tree_case(name, factors, noise):
    places = factorial(factors)
    y = gap_like(places, factors, noise)
    depth = len(factors)
    octaves = np.floor(y).astype(int)
    regressors = {d: DecisionTreeRegressor(max_depth=d, random_state=0).fit(places, y) for d in (depth, None)}
    # Questions of equal gain are drawn at random there; only what all draws agree on is golden.
    agreed, classifier = 0, None
    for d in range(1, depth + 1):
        trees = [DecisionTreeClassifier(criterion='entropy', max_depth=d, random_state=s).fit(places, octaves) for s in range(40)]
        texts = {json.dumps(nodes_of(t)) for t in trees}
        if len(texts) > 1:
            break
        agreed, classifier = d, nodes_of(trees[0])
    loo = [float(DecisionTreeRegressor(max_depth=depth, random_state=0).fit(np.delete(places, i, 0), np.delete(y, i)).predict(places[[i]])[0])
           for i in range(len(y))]
    return {'name': name, 'factors': [list(map(float, f)) for f in factors], 'y': y.tolist(),
            'gains': {kind: gains(places, y, kind) for kind in ('octaves', 'variance', 'own')},
            'regression': nodes_of(regressors[depth]), 'regressionFull': nodes_of(regressors[None]),
            'octavesDepth': agreed, 'octaves': classifier, 'leftOut': loo}


# ---- analysis of variance


def shapley(places, y):
    """By its definition: the mean over all orders of what a factor adds to Var(E[y | factors so far])."""
    k = places.shape[1]
    frame = pd.DataFrame(places)

    def explained(subset):
        if not subset:
            return 0.0
        return float(pd.Series(y).groupby([frame[f] for f in subset]).transform('mean').var(ddof=0))

    out = np.zeros(k)
    orders = list(itertools.permutations(range(k)))
    for order in orders:
        for i, f in enumerate(order):
            out[f] += explained(order[: i + 1]) - explained(order[:i])
    return (out / len(orders) / y.var()).tolist()


def total_effects(places, y):
    """E[Var(y | all but f)] / Var(y), by its definition."""
    frame = pd.DataFrame(places)
    out = []
    for f in range(places.shape[1]):
        others = [frame[g] for g in range(places.shape[1]) if g != f]
        within = pd.Series(y).groupby(others).var(ddof=0).mean() if others else y.var()
        out.append(float(within / y.var()))
    return out


def terms_of(places, y):
    """Sums of squares of a saturated model, by statsmodels, as shares, by the set of factors."""
    k = places.shape[1]
    names = [f'f{i}' for i in range(k)]
    frame = pd.DataFrame(places, columns=names).assign(y=y)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # no degrees of freedom are left, so no test statistic
        table = anova_lm(ols('y ~ ' + ' * '.join(f'C({n})' for n in names), data=frame).fit(), typ=1)
    out = []
    for name, row in table.iterrows():
        if name == 'Residual':
            continue
        mask = sum(1 << i for i in range(k) if f'f{i}' in name)
        out.append({'factors': mask, 'share': float(row['sum_sq'] / len(y) / y.var())})
    return sorted(out, key=lambda t: t['factors'])


def effects_design(places, order):
    """Columns of main effects, or of pairs too; a constant first."""
    if order == 0:
        return np.ones((len(places), 1))
    hot = OneHotEncoder(drop='first', sparse_output=False).fit_transform(places)
    if order == 1:
        return np.column_stack([np.ones(len(places)), hot])
    x = PolynomialFeatures(2, interaction_only=True).fit_transform(hot)
    return x[:, x.any(axis=0)]


def left_out_configurations(places, y, order):
    """By scikit-learn, fitting again each time; by statsmodels, from the leverages."""
    x = effects_design(places, order)
    predicted = cross_val_predict(LinearRegression(fit_intercept=False), x, y, cv=LeaveOneOut())
    press = sm.OLS(y, x).fit().get_influence().resid_press
    assert np.allclose(y - predicted, press, atol=1e-8), (order, np.abs(y - predicted - press).max())
    return float(np.sqrt(np.mean(press**2))), float(r2_score(y, predicted))


def left_out_levels(factors, places, y, predict):
    """Of all factors of three levels and more; `predict(train, y, at) -> y`."""
    squares = []
    for f, levels in enumerate(factors):
        if len(levels) < 3:
            continue
        for level in levels:
            out = places[:, f] == level
            squares += ((y[out] - predict(places[~out], y[~out], places[out], f, level)) ** 2).tolist()
    return float(np.sqrt(np.mean(squares))) if squares else None


def by_effects(order):
    def predict(train, y, at, f, level):
        seen = np.unique(train[:, f])
        low, high = (seen[seen < level], seen[seen > level])
        ends = [low.max() if len(low) else high.min(), high.min() if len(high) else low.max()]
        names = [f'f{i}' for i in range(train.shape[1])]
        frame = pd.DataFrame(train, columns=names).assign(y=y)
        terms = ['1', ' + '.join(f'C({n})' for n in names), '(' + ' + '.join(f'C({n})' for n in names) + ')**2'][order]
        model = ols('y ~ ' + terms, data=frame).fit()
        found = []
        for end in ends:
            moved = at.copy()
            moved[:, f] = end
            found.append(np.asarray(model.predict(pd.DataFrame(moved, columns=names))))
        if ends[0] == ends[1]:
            return found[0]
        weight = math.log(level / ends[0]) / math.log(ends[1] / ends[0])
        return found[0] * (1 - weight) + found[1] * weight
    return predict


def by_tree(depth):
    def predict(train, y, at, f, level):
        return DecisionTreeRegressor(max_depth=depth, random_state=0).fit(train, y).predict(at)
    return predict


def anova_case(name, factors, noise):
    places = factorial(factors)
    y = gap_like(places, factors, noise)
    validation = []
    for order in range(3):
        x = effects_design(places, order)
        if x.shape[1] >= len(y):
            validation.append({'configuration': None, 'r2': None})
            continue
        rmse, r2 = left_out_configurations(places, y, order)
        validation.append({'configuration': rmse, 'r2': r2, 'level': left_out_levels(factors, places, y, by_effects(order))})
    tree = left_out_levels(factors, places, y, by_tree(len(factors)))
    means = [[float(y[places[:, f] == level].mean() - y.mean()) for level in levels] for f, levels in enumerate(factors)]
    return {'name': name, 'factors': [list(map(float, f)) for f in factors], 'y': y.tolist(), 'mean': float(y.mean()),
            'variance': float(y.var()), 'terms': terms_of(places, y), 'total': total_effects(places, y),
            'shapley': shapley(places, y), 'effects': means, 'validation': validation, 'treeLevel': tree}


# ---- time models


def model_case(name, coefficients, noise, bytes_too):
    works, times = [], []
    for depth, width in itertools.product([1, 2, 4, 8], [64, 128, 256]):
        weights = 784 * width + (depth - 1) * width * width + 10 * width
        work = [depth + 1, 64 * (3 * weights - 784 * width) / 1e6, weights * 4 / 1e3 * (1 if bytes_too else 0)]
        works.append(work)
        times.append(float(np.dot(coefficients, work) * np.exp(noise * random.standard_normal())))
    a = np.array(works)[:, : 3 if bytes_too else 2] / np.array(times)[:, None]
    x = optimize.nnls(a, np.ones(len(times)))[0]
    # Another algorithm: bounded least squares by scaled active sets.
    scale = np.linalg.norm(a, axis=0)
    other = optimize.lsq_linear(a / scale, np.ones(len(times)), bounds=(0, np.inf), method='bvls', tol=1e-14).x / scale
    third = LinearRegression(positive=True, fit_intercept=False).fit(a / scale, np.ones(len(times))).coef_ / scale
    assert np.allclose(x, other, rtol=1e-8, atol=1e-12) and np.allclose(x, third, rtol=1e-8, atol=1e-12), (x, other, third)
    errors = np.abs(a @ x - 1)
    left = []
    for i in range(len(times)):
        part = optimize.nnls(np.delete(a, i, 0), np.ones(len(times) - 1))[0]
        left.append(abs(float(a[i] @ part) - 1))
    return {'name': name, 'works': works, 'times': times, 'coefficients': x.tolist(), 'median': float(np.median(errors)),
            'worst': float(errors.max()), 'medianLeftOut': float(np.median(left))}


def nnls_case(n, k):
    a = random.standard_normal((n, k))
    b = random.standard_normal(n)
    x = optimize.nnls(a, b)[0]
    assert np.allclose(x, optimize.lsq_linear(a, b, bounds=(0, np.inf), method='bvls', tol=1e-14).x, atol=1e-9)
    return {'a': a.tolist(), 'b': b.tolist(), 'x': x.tolist()}


# ---- intervals


def order_case(n):
    values = np.round(10 * random.lognormal(0, 0.4, n), 3)
    interval = stats.quantile_test(values, q=np.median(values), p=0.5).confidence_interval(0.95)
    ordered = np.sort(values)
    found = [float(interval.low), float(interval.high)]
    if np.isnan(found).any():
        assert n < 6
        k = 1
        found = [float(ordered[0]), float(ordered[-1])]
    else:
        k = int(np.searchsorted(ordered, found[0])) + 1
    coverage = None if n == 1 else float(1 - 2 * stats.binom.cdf(k - 1, n, 0.5))
    case = {'values': values.tolist(), 'low': found[0], 'high': found[1], 'median': float(np.median(values)), 'coverage': coverage}
    if n > 1:
        low, high = DescrStatsW(np.log(values)).tconfint_mean(0.05)
        other = stats.t.interval(0.95, n - 1, np.log(values).mean(), stats.sem(np.log(values)))
        assert np.allclose([low, high], other)
        case |= {'geometric': float(stats.gmean(values)), 'tLow': float(np.exp(low)), 'tHigh': float(np.exp(high))}
    return case


def agreement_case(n, spread, bias):
    first = np.round(random.lognormal(0, 3, n), 6) + 1e-3
    second = first * bias * np.exp(spread * random.standard_normal(n))
    logs = np.log(second / first)
    apart = np.exp(np.abs(logs)) - 1
    described = DescrStatsW(logs, ddof=1)
    half = stats.norm.ppf(0.975) * described.std
    return {'first': first.tolist(), 'second': second.tolist(), 'median': float(np.median(apart)),
            'tail': float(np.quantile(apart, 0.95)), 'ratio': float(stats.gmean(second / first)),
            'low': float(np.exp(described.mean - half)), 'high': float(np.exp(described.mean + half)),
            'agrees': bool(np.median(apart) < 0.05 and np.quantile(apart, 0.95) < 0.2)}


golden = {
    'generator': 'study/stats/golden_analysis.py',
    'with': f'NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}, statsmodels {statsmodels.__version__}',
    'trees': [tree_case('dense', [[1, 2], [1, 2], LAYERS, WIDTHS], 0.3), tree_case('cnn', [[1, 2], [6, 9, 15, 27], [200, 400, 800]], 0.2),
              tree_case('noise', [[1, 2], [1, 2, 3], [4, 8, 16, 32, 64]], 2.0), tree_case('two', [[1, 2, 4, 8], [64, 128, 256]], 0.1)],
    'anovas': [anova_case('dense', [[1, 2], [1, 2], LAYERS, WIDTHS], 0.1), anova_case('two', [[1, 2, 4, 8], [64, 128, 256]], 0.05),
               anova_case('cnn', [[1, 2], [6, 9, 15, 27], [200, 400, 800]], 0.2), anova_case('one', [[1, 2, 4, 8]], 0.3)],
    'models': [model_case('two parts', [0.574, 1 / 470, 0], 0.04, False), model_case('no layers', [0, 1 / 470, 0], 0.2, False),
               model_case('three parts', [0.05, 1 / 49000, 0.0009], 0.05, True), model_case('bytes for nothing', [0.3, 1 / 800, 0], 0.05, True)],
    'nnls': [nnls_case(n, k) for n, k in ((6, 2), (12, 3), (20, 4), (9, 6), (30, 8))],
    'orders': [order_case(n) for n in (1, 2, 3, 5, 6, 7, 8, 9, 12, 15, 25, 60, 200)],
    'student': [[d, p, float(stats.t.ppf(p, d))] for d in (1, 2, 3, 5, 6, 11, 30, 199) for p in (0.6, 0.9, 0.975, 0.9995)],
    'agreements': [agreement_case(*c) for c in ((60, 0.02, 1.0), (40, 0.02, 1.3), (50, 0.3, 1.0), (2, 0.01, 1.0), (30, 0.05, 1.02))],
}
text = json.dumps(golden, separators=(',', ':'))
# A case a line.
text = text.replace(',{"name"', ',\n{"name"').replace('[{"name"', '[\n{"name"') + '\n'
pathlib.Path(__file__).with_name('golden_analysis.json').write_text(text)
