"""Properties of the network's parts."""

from dataclasses import replace

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
import torch

from forecast_detector.config import dense_anchors, ModelConfig, paper_preset, ssd_anchors
from forecast_detector.engine.recurrence import advance, LearnedForecast
from forecast_detector.model.anchors import (
    cxcywh_to_xyxy,
    decode_boxes,
    encode_boxes,
    make_anchors,
    xyxy_to_cxcywh,
)
from forecast_detector.model.backbone import BackboneNetwork, load_imagenet_weights, PaddedConv
from forecast_detector.model.encoder import BottleneckLSTM, Encoder, LSTMState
from forecast_detector.model.fuse import fuse_norms
from forecast_detector.model.network import ForecastNetwork
from forecast_detector.model.scheduler import correlation, Scheduler


@pytest.mark.parametrize('name', ['efficientnet_lite0', 'mobilenet_v2'])
def test_a_backbone_gives_1280_channels_at_stride_32(name):
    backbone = BackboneNetwork(name).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 64, 96)).shape == (1, 1280, 2, 3)


@pytest.mark.parametrize(('name', 'tensors'), [('efficientnet_lite0', 245), ('mobilenet_v2', 260)])
def test_imagenet_weights_load_by_order_and_foreign_ones_are_refused(name, tensors):
    torch.manual_seed(1)
    source, target = BackboneNetwork(name), BackboneNetwork(name)
    published = {
        f'other.{i}': value
        for i, (key, value) in enumerate(source.state_dict().items())
        if not key.endswith('num_batches_tracked')
    }
    assert len(published) == tensors
    published['classifier.weight'] = torch.zeros(1000, 1280)
    load_imagenet_weights(target, published)
    loaded = target.state_dict()
    for key, value in source.state_dict().items():
        assert torch.equal(value, loaded[key])
    with pytest.raises(ValueError, match='tensors came'):
        load_imagenet_weights(target, dict(list(published.items())[:50]))
    other = 'mobilenet_v2' if name == 'efficientnet_lite0' else 'efficientnet_lite0'
    with pytest.raises(ValueError, match='came; name the file|tensors came'):
        load_imagenet_weights(BackboneNetwork(other), published)


def test_same_padding_adds_its_extra_pixel_at_the_end():
    convolution = PaddedConv(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    with torch.no_grad():
        out = convolution(torch.ones(1, 1, 4, 4))
    # Windows start at 0 and 2; only the last row and column reach the padding.
    assert out[0, 0].tolist() == [[9, 6], [6, 4]]


def test_fusing_the_norms_changes_nothing():
    network = make_tiny_network()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
    image = torch.randint(0, 256, (1, 3, 64, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain, fused = network.read(image), fuse_norms(network).read(image)
    assert plain.abs().max() > 0.01
    assert torch.allclose(plain, fused, atol=1e-4)


def test_lstm_gates_do_what_equation_4_says():
    cell = BottleneckLSTM(1, 1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.gates[1].bias.copy_(torch.tensor([0.0, 100.0, 0.0, 4.0]))
    state = cell(torch.zeros(1, 1, 1, 1), LSTMState(*[torch.full((1, 1, 1, 1), 1.5)] * 2))
    # Forget gate open, input gate a half, candidate 4: 1.5 + 0.5 * 4; output gate a half.
    assert state.cell.item() == pytest.approx(3.5)
    assert state.hidden.item() == pytest.approx(1.75)


def test_the_forget_gate_starts_open():
    bias = BottleneckLSTM(8, 4).gates[1].bias
    assert bias.tolist() == [0] * 4 + [1] * 4 + [0] * 8


def test_features_and_state_of_different_size_are_refused():
    cell = BottleneckLSTM(2, 2)
    with pytest.raises(ValueError, match='reset the stream'):
        cell(torch.zeros(1, 2, 3, 3), cell.zero_state(torch.zeros(1, 2, 4, 4)))


def test_a_residual_encoder_starts_as_feature_copy():
    x = torch.randn(2, 8, 4, 4)
    encoder = Encoder(8, 4, residual=True).eval()
    output, state = encoder(x, encoder.lstm.zero_state(x))
    assert torch.equal(output, x)
    assert state.hidden.abs().max() > 0


def test_correlation_equals_its_definition():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2, 3, 4, 5, generator=generator)
    reach = 2
    out = correlation(first, second, reach)
    assert out.shape == (2, 25, 4, 5)
    for tap, (dy, dx) in enumerate(np.ndindex(5, 5)):
        for y, x in np.ndindex(4, 5):
            v, u = y + dy - reach, x + dx - reach
            inside = 0 <= v < 4 and 0 <= u < 5
            expected = (first[:, :, y, x] * second[:, :, v, u]).sum(1) / 3 if inside else 0
            assert torch.allclose(out[:, tap, y, x], torch.as_tensor(expected).float(), atol=1e-6)


@pytest.mark.parametrize('context', [0, 3])
def test_the_scheduler_takes_maps_of_any_size(context):
    scheduler = Scheduler(5, 4, (8, 4), context)
    for size in ((10, 10), (6, 8), (2, 3)):
        maps = torch.randn(3, 5, *size)
        assert scheduler(maps, maps).shape == (3, 2)


def test_anchors_lie_in_the_order_of_the_heads_outputs():
    # A head whose bias says which output it is shows which anchor it means.
    network = make_tiny_network()
    anchors = network.anchors((64, 96))
    head = network.head
    features = torch.zeros(1, 16, 2, 3)
    assert head([features]).cls_logits.shape == (1, len(anchors), 3)
    first = TINY.anchors.per_cell(0)
    # The first cell's anchors are in the first cell, 32 pixels wide and high.
    centres = anchors[:first, :2]
    assert centres.min() >= 0
    assert centres.max() <= 32
    # Two places an axis: a quarter and three quarters of the cell.
    assert sorted(set(centres[:, 0].tolist())) == [8, 24]
    # The next cell lies to the right.
    assert anchors[first:2 * first, 0].min() > 32
    assert anchors[first:2 * first, 1].max() < 32


def test_anchor_sizes_follow_scale_and_ratio():
    config = replace(ssd_anchors(), shapes=(((0.5, 4.0),),), subdivisions=(1,))
    assert make_anchors(config, [(1, 1)], (100, 100)).tolist() == [[50, 50, 100, 25]]


def test_box_coding_round_trip():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(50, 4, generator=generator) * 100
    boxes = torch.cat([corners[:, :2], corners[:, :2] + 1 + corners[:, 2:]], dim=1)
    anchors = xyxy_to_cxcywh(boxes.flip(0))
    assert torch.allclose(decode_boxes(encode_boxes(boxes, anchors), anchors), boxes, atol=1e-3)


def test_a_box_equal_to_its_anchor_is_coded_as_zero():
    anchors = torch.tensor([[10.0, 20, 4, 6]])
    assert torch.equal(encode_boxes(cxcywh_to_xyxy(anchors), anchors), torch.zeros(1, 4))


def test_combination_is_the_mean_or_an_ablation():
    a, b = torch.zeros(1, 16, 1, 1), torch.ones(1, 16, 1, 1)
    means = {c: make_tiny_network(combination=c).combine(a, b).mean().item()
             for c in ('mean', 'converted', 'features')}
    assert means == {'mean': 0.5, 'converted': 1.0, 'features': 0.0}


def test_stepping_equals_itself_batched():
    network = make_tiny_network()
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(4, 2, 16, 2, 3, generator=generator)
    with torch.no_grad():
        forecaster = LearnedForecast(network)
        state = network.zero_state(clip[0])
        singles = [network.zero_state(clip[0, :1]) for _ in range(2)]
        for features in clip:
            both = advance(network, features, state)
            state = both.state
            for stream in range(2):
                one = advance(network, features[stream:stream + 1], singles[stream])
                singles[stream] = one.state
                assert torch.allclose(one.forecast[0], both.forecast[stream], atol=1e-5)
                alone, together = (
                    forecaster.confidence(forecaster.expect(one)) for one in (one, both)
                )
                assert torch.allclose(alone[0], together[stream], atol=1e-5)


def test_the_paper_preset_keeps_1280_channels_and_no_shortcut():
    network = ForecastNetwork(paper_preset(('thing',)))
    assert isinstance(network.neck, torch.nn.Identity)
    assert not network.encoder1.residual
    x = torch.randn(1, 1280, 2, 2)
    forecast, converted, _ = network.encode(x, network.zero_state(x))
    assert forecast.shape == converted.shape == x.shape


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'labels': ()}, 'at least one class'),
        ({'labels': ('a', 'a')}, 'distinct'),
        ({'input_size': (320, 300)}, 'multiples of 32'),
        ({'backbone': 'resnet'}, 'not one of'),
        ({'extra_channels': (8,)}, 'levels'),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(changes, message):
    values = {'labels': ('a',), 'anchors': dense_anchors(), **changes}
    with pytest.raises(ValueError, match=message):
        ModelConfig(**values)
