"""Functions captured as CUDA graphs, on pretended ones."""

import fake_graphs
import pytest
import torch

from forecast_detector.backends.graphs import Graphs

CPU = torch.device('cpu')


@pytest.fixture
def captured(monkeypatch):
    """The graphs that are captured."""
    return fake_graphs.install(monkeypatch)


@pytest.fixture
def graphs(captured):
    return Graphs(CPU)


def double(x, state):
    """Give what holds views, an input itself and nothing, too."""
    y = x * 2
    y.add_(state[0])
    return (y, state[0]), x.reshape(len(x), -1)[:, :2], None


def inputs(value, rows=1, width=3):
    return torch.full((rows, 1, width), float(value)), (torch.full((rows, 1, width), 10.0),)


def assert_same(one, other):
    (a, b), c, nothing = one
    (x, y), z, none = other
    assert nothing is None and none is None
    for first, second in ((a, x), (b, y), (c, z)):
        assert torch.equal(first, second)


def test_a_replay_gives_what_the_function_does(graphs, captured):
    assert_same(graphs.capture('double', double, inputs(1)), double(*inputs(1)))
    assert_same(graphs.run('double', double, inputs(2)), double(*inputs(2)))
    assert len(captured) == len(graphs) == 1 and captured[0].replays == 2


def test_what_was_given_stays(graphs):
    graphs.capture('double', double, inputs(1))
    given = inputs(2)
    first = graphs.run('double', double, given)
    graphs.run('double', double, inputs(3))
    assert_same(first, double(*inputs(2)))
    assert torch.equal(given[0], inputs(2)[0])


def test_rows_are_taken_together_as_far_as_captured(graphs, captured):
    for rows in (1, 2):
        graphs.capture('double', double, inputs(0, rows))
    given = inputs(0, 3)
    given[0][:] = torch.arange(3.0)[:, None, None]
    for graph in captured:
        graph.replays = 0
    assert_same(graphs.run('double', double, given), double(*given))
    assert [graph.replays for graph in captured] == [1, 1]


@pytest.mark.parametrize('other', [
    inputs(1, rows=3), inputs(1, width=4), (inputs(1)[0].double(), inputs(1)[1]),
])
def test_what_was_not_captured_runs_as_it_is(graphs, captured, other):
    graphs.capture('double', double, inputs(1))
    assert_same(graphs.run('double', double, other), double(*other))
    assert captured[0].replays == 1


def test_graphs_are_captured_once(graphs, captured):
    for _ in range(2):
        graphs.capture('double', double, inputs(1))
    assert len(captured) == 1


@pytest.mark.parametrize('function', [
    lambda x: x * x.sum().item(), lambda x: x[x > 0], lambda x: x + torch.tensor([1.0, 2.0, 3.0]),
])
def test_what_a_graph_cannot_hold_is_refused(graphs, function):
    with pytest.raises(RuntimeError, match='not permitted when stream is capturing'):
        graphs.capture('wrong', function, inputs(1)[:1])
    assert not len(graphs)
    assert torch.equal(graphs.run('wrong', function, inputs(1)[:1]), function(inputs(1)[0]))


def test_a_graph_captured_in_inference_mode_runs_outside_of_it(graphs):
    with torch.inference_mode():
        graphs.capture('double', double, inputs(1))
    found = graphs.run('double', double, inputs(2))
    assert_same(found, double(*inputs(2)))
    assert not found[0][0].requires_grad


def test_no_gradients_are_kept(graphs):
    weight = torch.ones(3, requires_grad=True)
    for width in (3, 1):  # captured, and not
        given = inputs(1, width=width)[:1]
        if width == 3:
            graphs.capture('times', lambda x: x * weight, given)
        assert not graphs.run('times', lambda x: x * weight, given).requires_grad
