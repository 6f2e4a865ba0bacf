"""Recipes are checked before anything is loaded; weights to start from, and curves."""

from dataclasses import replace
from pathlib import Path

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.data.base import Truth
from forecast_detector.data.transforms import ClipTransform, CropAndTurn, Photometric
from forecast_detector.model.network import ForecastNetwork
from forecast_detector.model.yolox.config import YoloxConfig
from forecast_detector.preprocess import FILL
from forecast_detector.shipped import find
from forecast_detector.training.config import load_train_config
from forecast_detector.training.distillation.recipe import is_distillation, load_distill_config
from forecast_detector.training.optim import delayed_cycles, moving_average, one_cycle
from forecast_detector.training.pretrained import (
    imagenet_file,
    start_from_imagenet,
    start_from_weights,
    TRAINED_KEY,
)
from forecast_detector.training.recipes import DetectorRecipe
from forecast_detector.types import WeightsError


def test_missing_imagenet_weights_say_where_to_get_them(monkeypatch):
    with pytest.raises(WeightsError, match='--imagenet'):
        imagenet_file('mobilenet_v2')
    with pytest.raises(WeightsError, match='no file'):
        imagenet_file('efficientnet_lite0', '/nowhere.pth')


FILES = sorted((Path(__file__).parent.parent / 'config/train').glob('*.yaml'))
RECIPES = [path.stem for path in FILES if not is_distillation(path)]


@pytest.mark.parametrize('name', ['adapt', 'coco'])
def test_shipped_recipes_without_labels_can_be_read(name):
    config = load_distill_config(find('recipes', name), YoloxConfig(('cat', 'dog')))
    assert config.name == name and name not in RECIPES
    assert config.model.correction and config.model.scheduler


@pytest.mark.parametrize('name', RECIPES)
def test_shipped_recipes_can_be_read(name):
    config = load_train_config(find('recipes', name), ('cat', 'dog'))
    assert config.name == name
    assert ForecastNetwork(config.model).config.labels == ('cat', 'dog')


def test_a_recipe_takes_the_rest_from_its_base(tmp_path):
    (tmp_path / 'base.yaml').write_text('seed: 3\ntemporal: {steps: 7, frames: 5}\n')
    (tmp_path / 'mine.yaml').write_text('base: base\ntemporal: {steps: 9}\n')
    config = load_train_config(tmp_path / 'mine.yaml', ('cat',))
    assert (config.name, config.seed) == ('mine', 3)
    assert (config.temporal.steps, config.temporal.frames) == (9, 5)


@pytest.mark.parametrize('name', ['mine', 'synthetic'])
def test_a_base_may_be_a_recipe_that_comes_with_the_package(tmp_path, name):
    (tmp_path / f'{name}.yaml').write_text('base: synthetic\ntemporal: {steps: 9}\n')
    config = load_train_config(tmp_path / f'{name}.yaml', ('cat',))
    shipped = load_train_config(find('recipes', 'synthetic'), ('cat',))
    assert (config.name, config.temporal.steps) == (name, 9)
    assert config.detector == shipped.detector


@pytest.mark.parametrize('base', ['nothing', 'mine'])
def test_a_base_that_leads_nowhere_is_named(tmp_path, base):
    (tmp_path / 'mine.yaml').write_text(f'base: {base}\n')
    with pytest.raises(ValueError, match=f'{base}.yaml, or it comes back'):
        load_train_config(tmp_path / 'mine.yaml', ('cat',))


def test_training_starts_from_what_fits_of_other_weights(tiny_weights, caplog):
    network = ForecastNetwork(replace(TINY, labels=('a', 'b', 'c'), peek=4))
    source = start_from_weights(network, str(tiny_weights))
    theirs = load_checkpoint(tiny_weights)
    assert source.startswith(f'{theirs.path.name} (')
    own, other = network.state_dict(), theirs.network.state_dict()
    for key in ('neck.0.weight', 'head.regression.0.1.weight', 'encoder1.project.weight'):
        assert torch.equal(own[key], other[key])
    # Three classes do not fit two, and there is no peek.
    assert 'starting anew, in whole or in part, with head, peek, scheduler:' in caplog.text


def test_parts_that_a_detector_never_trained_are_no_start(tmp_path):
    path = tmp_path / 'detector.safetensors'
    save_checkpoint(path, make_tiny_network(), {TRAINED_KEY: 'backbone neck fine_neck head'})
    torch.manual_seed(5)
    network = ForecastNetwork(TINY)
    drawn = network.encoder1.lstm.gates[1].weight.clone()
    start_from_weights(network, str(path))
    assert torch.equal(network.encoder1.lstm.gates[1].weight, drawn)
    assert torch.equal(network.neck[0].weight, make_tiny_network().neck[0].weight.half().float())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'no weights', 'not a file of PyTorch weights'),
        ([1.0], 'holds a list; expected a state dict'),
        ({'state_dict': {'a': torch.zeros(1)}}, '1 tensors came'),
        ({f'k{i}': i for i in range(400)}, 'imagenet.pth: '),
    ],
)
def test_files_that_are_no_imagenet_weights_are_named(tmp_path, content, message):
    path = tmp_path / 'imagenet.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        start_from_imagenet(ForecastNetwork(TINY), str(path))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('seed: -1', 'seed: -1 is below 0'),
        ('seed: 1.5', 'seed: 1.5 is not of type int'),
        ('detector: {steps: 0}', 'detector: steps: 0 is below 1'),
        ('detector: {lr: null}', 'detector: lr: None is not of type float'),
        ('detector: {turns: "no"}', "detector: turns: 'no' is not of type bool"),
        ('detector: {steps: true}', 'detector: steps: True is not of type int'),
        ('detector: {match_iou: 2}', r'match_iou: 2 is outside \[0, 1\]'),
        ('temporal: {frames: 0}', 'temporal: frames: 0 is below 1'),
        ('temporal: {seen: [1, 0]}', r'temporal: seen: \[1, 0\]; expected 3 values'),
        ('temporal: {seen: 1}', 'temporal: seen: 1 is no list'),
        ('temporal: {seen: [0, 0, 0]}', r'seen: \(0, 0, 0\); expected three shares'),
        ('temporal: {lr: .nan}', 'temporal: lr: nan is not finite'),
        ('detector: {lr: -1.0}', r'detector: lr: -1\.0 is below 0'),
        ('joint: {decay_epochs: 18}', 'joint: decay_epochs: 18 is no list'),
        ('joint: {decay_epochs: [a]}', "joint: decay_epochs: 'a' is text"),
        ('joint: {momentum: 7}', r'momentum: 7 is outside \[0, 1\]'),
        ('scheduler: {p: 0.5}', r'scheduler: p: 0\.5 is no list'),
        ('model: {residual: "no"}', "residual: 'no' is not of type bool"),
        ('model: {displacement: a}', "displacement: 'a' is text"),
        ('model: {scheduler_channels: [1]}', r'scheduler_channels: \[1\]; expected 2 values'),
        ('model: {anchors: {shapes: [[1.0]], subdivisions: [1]}}', r'shapes: 1\.0 is no list'),
        ('model: {anchors: 3}', 'anchors: 3 is no set of settings'),
        ('info: 3', 'info: 3 is no set of settings'),
        ('model: 3', 'model: 3 is no set of settings'),
        ('[1, 2]', r'recipe: \[1, 2\] is no set of settings'),
        ('phases:', 'phases: None is no list'),
        ('model: {resize: stretch}\ndetector: {turns: true}', 'cannot be turned'),
        ('scheduler: {steps: -1}', 'scheduler: steps: -1 is below 0'),
        ('scheduler: {cut: 2}', r'scheduler: cut: 2 is outside \[0, 1\]'),
        ('phases: [detector, joint]', 'train no peek'),
        ('temporal: 3', 'temporal: 3 is no set of settings'),
        ('loss: {forecast: -1}', 'loss: forecast: -1 is below 0'),
        ('name: ../mine', "name: '../mine' is to name a file"),
    ],
)
def test_settings_that_cannot_be_are_named_before_anything_is_loaded(tmp_path, text, message):
    path = tmp_path / 'recipe.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_train_config(path, ('a',))


def test_provenance_is_not_inherited_by_recipes_of_others(tmp_path):
    (tmp_path / 'mine.yaml').write_text('base: foda\n')
    (tmp_path / 'other.yaml').write_text('base: mine\ninfo: {data: my own}\n')
    (tmp_path / 'third.yaml').write_text('base: other\n')
    infos = [load_train_config(tmp_path / f'{name}.yaml', ('a',)).info
             for name in ('mine', 'other', 'third')]
    assert infos == [{}, {'data': 'my own'}, {'data': 'my own'}]
    assert 'FOD-A' in load_train_config(find('recipes', 'foda_blind'), ('a',)).info['data']


def test_an_empty_section_is_the_defaults(tmp_path):
    path = tmp_path / 'recipe.yaml'
    path.write_text('detector:\ntemporal:\n')
    assert load_train_config(path, ('a',)).detector == DetectorRecipe()


@pytest.mark.parametrize('steps', [1, 2, 20, 21, 100])
def test_learning_rates_rise_and_fall_for_any_number_of_steps(steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    curve = one_cycle(optimizer, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        curve.step()
    assert max(rates) <= 1.0
    assert rates[-1] < max(rates) or steps == 1
    assert all(b <= a for a, b in zip(rates[rates.index(max(rates)):], rates[len(rates):]))


def test_a_part_that_never_starts_does_not_move():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1)) for _ in range(2)], lr=1.0)
    optimizer.add_param_group({'params': [torch.nn.Parameter(torch.zeros(1))], 'lr': 1.0})
    curve = delayed_cycles(optimizer, [0.0, 1.0], 4)
    for _ in range(4):
        assert optimizer.param_groups[1]['lr'] == 0
        optimizer.step()
        curve.step()


def test_colours_leave_the_padding_as_inference_pads():
    image = np.full((40, 40, 3), 90, np.uint8)
    transform = ClipTransform(
        CropAndTurn((-20, -20, 80, 80)), Photometric(brightness=20, contrast=1.3, hue=9), (64, 64)
    )
    laid, _ = transform(image, Truth())
    assert (laid[:8] == FILL).all()
    assert (laid[32, 32] != 90).any()


def test_weights_of_another_backbone_are_no_start(tiny_weights):
    network = ForecastNetwork(replace(TINY, backbone='mobilenet_v2'))
    with pytest.raises(WeightsError, match="the recipe has 'mobilenet_v2'"):
        start_from_weights(network, str(tiny_weights))


def test_a_moving_average_soon_forgets_where_training_began():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 100.0)
    average = moving_average(model, 0.998)
    average.update_parameters(model)
    torch.nn.init.constant_(model.weight, 1.0)
    for _ in range(400):
        average.update_parameters(model)
    # With a decay of 0.998 from the first step on it would be 45.
    assert average.module.weight.item() == pytest.approx(1.0, abs=0.01)
    # In the end it is as slow as asked for.
    average = moving_average(model, 0.5)
    for value in (0.0, 0.0, 0.0, 1.0):
        torch.nn.init.constant_(model.weight, value)
        average.update_parameters(model)
    assert 0.5 <= average.module.weight.item() < 0.8
