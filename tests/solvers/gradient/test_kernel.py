"""The one-pass kernel against a plain loop and against autograd."""

import numpy as np
import pytest

from likewise.data.interactions import Interactions
from likewise.models.dot import Dot
from likewise.solvers.gradient.kernel import BIAS, FREE, HOLD, LOGISTIC, SEEN, SIGMOID, Pace, descend, descend_pairs, scores_of
from likewise.solvers.gradient.settings import Gradient, Penalty
from likewise.solvers.gradient.tables import own_items, start_tables

N_USERS, N_ITEMS, FACTORS, EVENTS = 7, 9, 5, 60


def events(seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, N_USERS, EVENTS).astype(np.int32), rng.integers(0, N_ITEMS, EVENTS).astype(np.int32)
    ratings = rng.uniform(0, 1, EVENTS).astype(np.float32)
    return Interactions(users, items, N_USERS, N_ITEMS, ratings, rng.uniform(0.5, 2, EVENTS).astype(np.float32) if weighted else None)


def counts(data):
    return data.by_user.counts, data.by_item.counts


def start(data, l2=0.03, power=0.5):
    parameters = start_tables(
        Dot(factors=FACTORS, init="scaled"), counts(data), Gradient(penalty=Penalty(l2=l2, power=power)), np.random.default_rng(1)
    )
    parameters.tables.user_lines[:, BIAS] = np.linspace(-0.3, 0.3, N_USERS)
    parameters.tables.item_lines[:, BIAS] = np.linspace(-0.2, 0.2, N_ITEMS)
    return parameters


def pace(kind=FREE, bias=1.0, adagrad=False, rate=0.05):
    f = np.float32
    return Pace(f(rate), f(bias), f(FACTORS + bias if adagrad else 0), f(1e-8), f(0.4), kind, f(-0.2), f(1.4))


def draw(data, seed=3):
    return np.arange(N_ITEMS, dtype=np.int32), *own_items(data), np.array([seed], np.uint64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Plain:
    """The same steps in double precision, one line a formula."""

    def __init__(self, tables, pace):
        self.p, self.q, self.a, self.c = (table.astype(np.float64) for table in tables)
        self.pace = pace

    def slope(self, score, target):
        """The loss and its derivative."""
        low, span = float(self.pace.low), float(self.pace.span)
        if self.pace.kind == FREE:
            return (target - score) ** 2, 2 * (score - target)
        s = sigmoid(score)
        if self.pace.kind == SIGMOID:
            return (target - low - span * s) ** 2, 2 * (low + span * s - target) * span * s * (1 - s)
        return -target * np.log(s) - (1 - target) * np.log(1 - s), s - target

    def rate(self, lines, row, gradient):
        if not self.pace.adagrad:
            return float(self.pace.rate)
        lines[row, int(SEEN)] += (gradient**2).sum() / float(self.pace.adagrad)
        return float(self.pace.rate) / (np.sqrt(lines[row, int(SEEN)]) + 1e-8)

    def move(self, factors, lines, row, gradient, bias_gradient):
        """One row along its gradient and its penalty's."""
        b = float(self.pace.bias)
        rate = self.rate(lines, row, np.append(gradient, b * bias_gradient))
        factors[row] -= rate * (gradient + lines[row, int(HOLD)] * factors[row])
        lines[row, int(BIAS)] -= b * rate * (bias_gradient + lines[row, int(HOLD)] * lines[row, int(BIAS)])

    def learn(self, u, i, target, weight):
        p, q = self.p[u].copy(), self.q[i].copy()
        loss, slope = self.slope(float(self.pace.mean) + self.a[u, 0] + self.c[i, 0] + p @ q, target)
        self.move(self.p, self.a, u, weight * slope * q, weight * slope)
        self.move(self.q, self.c, i, weight * slope * p, weight * slope)
        return weight * loss


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("adagrad", [False, True])
@pytest.mark.parametrize("bias", [1.0, 0.0])
@pytest.mark.parametrize("kind", [FREE, SIGMOID, LOGISTIC])
def test_a_pass_equals_a_plain_loop(kind, bias, adagrad, weighted):
    data, steps = events(weighted=weighted), pace(kind, bias, adagrad)
    parameters = start(data)
    plain = Plain(parameters.tables, steps)
    weights = np.ones(EVENTS) if data.weights is None else data.weights
    expected = sum(plain.learn(*event) for event in zip(data.users, data.items, data.ratings, weights, strict=True))
    given = np.empty(0, np.float32) if data.weights is None else data.weights
    found = descend(data.users, data.items, data.ratings, given, parameters.tables, steps, draw(data), 0)
    assert found == pytest.approx(expected, rel=1e-4)
    for table, same in zip(parameters.tables, (plain.p, plain.q, plain.a, plain.c), strict=True):
        np.testing.assert_allclose(table, same, atol=2e-5)
    np.testing.assert_array_equal(parameters.tables.user_factors[:, FACTORS:], 0)


@pytest.mark.parametrize("kind", [FREE, SIGMOID, LOGISTIC])
def test_a_step_is_along_autograds_gradient(kind):
    torch = pytest.importorskip("torch")
    data, steps = events(), pace(kind, rate=1.0)
    parameters = start(data, power=0.0)
    before = parameters.copy().tables
    u, i, r = int(data.users[0]), int(data.items[0]), float(data.ratings[0])
    rows = [
        torch.tensor(table[row].copy(), dtype=torch.float64, requires_grad=True) for table, row in zip(before, (u, i, u, i), strict=True)
    ]
    p, q, a, c = rows
    score = 0.4 + a[0] + c[0] + p @ q
    if kind == LOGISTIC:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(score, torch.tensor(r, dtype=torch.float64))
    else:
        loss = ((score if kind == FREE else -0.2 + 1.4 * torch.sigmoid(score)) - r) ** 2
    penalty = 0.03 / 2 * ((p**2).sum() + (q**2).sum() + a[0] ** 2 + c[0] ** 2)
    (loss + penalty).backward()
    value = descend(data.users[:1], data.items[:1], data.ratings[:1], np.empty(0, np.float32), parameters.tables, steps, draw(data), 0)
    assert value == pytest.approx(loss.item(), rel=1e-5)
    for n, row in ((0, u), (1, i)):
        np.testing.assert_allclose(parameters.tables[n][row] - before[n][row], -rows[n].grad.numpy(), atol=1e-5)
    for n, row in ((2, u), (3, i)):
        assert parameters.tables[n][row, 0] - before[n][row, 0] == pytest.approx(-float(rows[n].grad[0]), abs=1e-5)


@pytest.mark.parametrize("adagrad", [False, True])
def test_a_pass_over_pairs_follows_autograd(adagrad):
    torch = pytest.importorskip("torch")
    data, steps = events(), pace(bias=1.0, adagrad=adagrad, rate=0.3)
    parameters = start(data, power=0.0)
    n = np.array([4])
    before = parameters.copy().tables
    descend_pairs(data.users[n], data.items[n], np.empty(0, np.float32), parameters.tables, steps, draw(data), 1)
    u, i = int(data.users[4]), int(data.items[4])
    moved = np.flatnonzero((parameters.tables.item_factors != before.item_factors).any(1))
    assert len(moved) == 2 and i in moved
    j = int(moved[moved != i][0])
    assert j not in data.items[data.users == u]
    rows = [
        torch.tensor(np.append(before[t][row, :FACTORS], before[t + 2][row, 0]), dtype=torch.float64, requires_grad=True)
        for t, row in ((0, u), (1, i), (1, j))
    ]
    p, qi, qj = rows
    loss = -torch.nn.functional.logsigmoid(p[:-1] @ (qi[:-1] - qj[:-1]) + qi[-1] - qj[-1])
    loss.backward()
    for row, tensor, table in zip((u, i, j), rows, (0, 1, 1), strict=True):
        gradient = tensor.grad.numpy()
        rate = 0.3 / (np.sqrt((gradient**2).mean()) + 1e-8) if adagrad else 0.3
        expected = -rate * (gradient + 0.03 * tensor.detach().numpy())
        found = np.append(parameters.tables[table][row, :FACTORS], parameters.tables[table + 2][row, 0]) - tensor.detach().numpy()
        expected[-1] *= table  # a user's bias does not tell two items apart
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_drawn_items_are_never_the_users_own_and_all_others_come():
    data = events()
    own = [set(data.items[data.users == u].tolist()) for u in range(N_USERS)]
    parameters = start(data)
    before = parameters.copy().tables
    u = min(range(N_USERS), key=lambda user: len(own[user]))
    one = np.flatnonzero(data.users == u)[:1]
    descend(data.users[one], data.items[one], data.ratings[one], np.empty(0, np.float32), parameters.tables, pace(), draw(data), 400)
    moved = set(np.flatnonzero((parameters.tables.item_factors != before.item_factors).any(1)).tolist())
    assert moved == (set(range(N_ITEMS)) - own[u]) | {int(data.items[one[0]])}


def test_scores_are_the_equation():
    data = events()
    p, q, a, c = start(data).tables
    found = scores_of(data.users, data.items, start(data).tables, np.float32(0.4))
    expected = 0.4 + a[data.users, 0] + c[data.items, 0] + np.einsum("nk,nk->n", p[data.users], q[data.items])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rows_seen_seldom_are_held_more():
    users, items = np.array([0, 0, 0, 0, 1], np.int32), np.array([0, 1, 2, 3, 0], np.int32)
    data = Interactions(users, items, 2, 4, np.ones(5, np.float32))
    solver = Gradient(penalty=Penalty(l2=0.1, power=0.5))
    lines = start_tables(Dot(factors=2), counts(data), solver, np.random.default_rng(0)).tables.user_lines
    np.testing.assert_allclose(lines[:, int(HOLD)], 0.1 * (np.array([4, 1]) / 2.5) ** -0.5, rtol=1e-6)
