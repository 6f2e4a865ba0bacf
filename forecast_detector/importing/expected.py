"""What a YOLOX network of ours is made of."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn, Tensor

from ..model.yolox.backbone import Pafpn
from ..model.yolox.config import YoloxConfig
from ..model.yolox.head import YoloxHead
from .graph import Convolution, Graph, Node


class _Detector(nn.Module):
    """The network without what forecasts."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        self.backbone, self.head = Pafpn(config), YoloxHead(config)

    def forward(self, images: Tensor) -> list[Tensor]:
        outputs = []
        for level, x in enumerate(self.backbone(images)):
            classes, boxes, objects = self.head.towers(level, x)
            outputs += [self.head.cls_preds[level](classes), boxes, objects]
        return outputs


def expected_graph(config: YoloxConfig) -> Graph:
    """Describe a network of a shape; its convolutions have the names of their modules."""
    with torch.device('meta'):
        network = _Detector(config)
    traced = fx.symbolic_trace(network)
    numbers: dict[fx.Node, int] = {}
    nodes: list[Node] = []
    for node in traced.graph.nodes:
        if node.op == 'output':
            break
        inputs = tuple(numbers[one] for one in node.all_input_nodes)
        layer = traced.get_submodule(node.target) if node.op == 'call_module' else None
        found = None
        if isinstance(layer, nn.Conv2d):
            found = Convolution(
                str(node.target), tuple(layer.weight.shape),
                geometry(layer.stride, (*layer.padding, *layer.padding), layer.groups),
            )
        numbers[node] = len(nodes)
        nodes.append(Node(inputs, found, node.target is operator.add))
    return Graph(nodes)


def geometry(stride: object, padding: object, groups: int) -> str:
    """Write down what a convolution does but for its weights."""
    steps = ', '.join(str(list(one)) for one in (stride, padding))  # type: ignore[call-overload]
    return f'stride, padding {steps}, {groups} groups'
