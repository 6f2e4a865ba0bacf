"""What a YOLOX network of ours is made of, in the order in which published ones run."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn, Tensor

from ..model.yolox.backbone import Pafpn
from ..model.yolox.config import YoloxConfig
from ..model.yolox.head import YoloxHead
from .graph import Convolution, Graph, Node


class _InOrder(nn.Module):
    """The network, its head run level by level."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        self.backbone, self.head = Pafpn(config), YoloxHead(config)

    def forward(self, images: Tensor) -> list[Tensor]:
        head, outputs = self.head, []
        for level, x in enumerate(self.backbone(images)):
            stem = head.stems[level](x)
            classes = head.cls_preds[level](head.cls_convs[level](stem))
            tower = head.reg_convs[level](stem)
            boxes, objects = head.reg_preds[level](tower), head.obj_preds[level](tower)
            outputs += [boxes, objects, classes]
        return outputs


def expected_graph(config: YoloxConfig) -> Graph:
    """Describe a network of a shape; its convolutions have the names of their modules."""
    with torch.device('meta'):
        network = _InOrder(config)
    traced = fx.symbolic_trace(network)
    numbers: dict[fx.Node, int] = {}
    nodes: list[Node] = []
    outputs: list[int] = []
    for node in traced.graph.nodes:
        inputs = tuple(numbers[one] for one in node.all_input_nodes)
        if node.op == 'output':
            outputs = list(inputs)
            continue
        layer = traced.get_submodule(node.target) if node.op == 'call_module' else None
        found = None
        if isinstance(layer, nn.Conv2d):
            found = Convolution(
                str(node.target), tuple(layer.weight.shape),
                geometry(layer.stride, (*layer.padding, *layer.padding), layer.groups),
            )
        numbers[node] = len(nodes)
        nodes.append(Node(inputs, found, node.target is operator.add))
    return Graph(nodes, outputs)


def geometry(stride: object, padding: object, groups: int) -> str:
    """Write down what a convolution does but for its weights."""
    steps = ', '.join(str(list(one)) for one in (stride, padding))  # type: ignore[call-overload]
    return f'stride, padding {steps}, {groups} groups'
