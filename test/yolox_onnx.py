"""Writes YOLOX as an ONNX file, operation by operation, as exports do."""

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto


class Export:
    """
    Write a network of official weights.

    :ivar folded: norms are folded into convolutions; ``anonymous``: names say nothing.
    :ivar scattered: constants are nodes, not initializers; ``decoded``: boxes are decoded.
    """

    def __init__(self, state, size, *, folded=True, anonymous=True, half=False, decoded=False,
                 scattered=False, activation='SiLU', prepared=False):
        self.state = {name: value.float().numpy() for name, value in state.items()}
        self.size, self.folded, self.anonymous, self.half = size, folded, anonymous, half
        self.decoded, self.scattered, self.activation = decoded, scattered, activation
        self.nodes, self.initializers, self.count = [], [], 0
        self.prepared = prepared

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        output = f'out{self.count}'
        self.nodes.append(helper.make_node(
            kind, list(inputs), [output], f'{kind}_{self.count}', **attributes))
        return output

    def value(self, array, name=None):
        if self.half and array.dtype == np.float32:
            array = array.astype(np.float16)
        if name is None or self.anonymous:
            self.count += 1
            name = f'const{self.count}'
        proto = numpy_helper.from_array(np.ascontiguousarray(array), name)
        if self.scattered:
            return self.op('Identity', self.op('Constant', value=proto))
        self.initializers.append(proto)
        return name

    def convolution(self, x, name, stride=1):
        weight = self.state[f'{name}.conv.weight']
        norm = [self.state[f'{name}.bn.{key}']
                for key in ('weight', 'bias', 'running_mean', 'running_var')]
        groups = len(weight) if weight.shape[1] == 1 else 1
        pad = (weight.shape[2] - 1) // 2
        set_ = {'strides': [stride] * 2, 'pads': [pad] * 4, 'group': groups,
                'kernel_shape': weight.shape[2:]}
        if self.folded:
            scale = norm[0] / np.sqrt(norm[3] + 1e-3)
            bias = norm[1] - norm[2] * scale
            x = self.op('Conv', x, self.value(weight * scale[:, None, None, None]),
                        self.value(bias), **set_)
        else:
            x = self.op('Conv', x, self.value(weight, f'{name}.conv.weight'), **set_)
            keys = ('weight', 'bias', 'running_mean', 'running_var')
            x = self.op('BatchNormalization', x, *(
                self.value(one, f'{name}.bn.{key}') for key, one in zip(keys, norm)
            ), epsilon=1e-3)
        if self.activation != 'SiLU':
            return self.op(self.activation, x)
        return self.op('Mul', x, self.op('Sigmoid', x))

    def convolution3(self, x, name, stride=1):
        """3x3, depthwise separable if the weights are."""
        if f'{name}.dconv.conv.weight' not in self.state:
            return self.convolution(x, name, stride)
        return self.convolution(self.convolution(x, f'{name}.dconv', stride), f'{name}.pconv')

    def csp(self, x, name, shortcut):
        first, second = (self.convolution(x, f'{name}.{k}') for k in ('conv1', 'conv2'))
        k = 0
        while f'{name}.m.{k}.conv1.conv.weight' in self.state:
            y = self.convolution3(
                self.convolution(first, f'{name}.m.{k}.conv1'), f'{name}.m.{k}.conv2')
            first, k = self.op('Add', y, first) if shortcut else y, k + 1
        return self.convolution(self.op('Concat', first, second, axis=1), f'{name}.conv3')

    def focus(self, x):
        parts = []
        for column in (0, 1):
            for row in (0, 1):
                part = x
                for axis, start in ((2, row), (3, column)):
                    part = self.op('Slice', part, *(
                        self.value(np.array([k], np.int64)) for k in (start, 2**62, axis, 2)))
                parts.append(part)
        return self.convolution(self.op('Concat', *parts, axis=1), 'backbone.backbone.stem.conv')

    def spp(self, x, name):
        x = self.convolution(x, f'{name}.conv1')
        pooled = [self.op('MaxPool', x, kernel_shape=[k, k], pads=[k // 2] * 4, strides=[1, 1])
                  for k in (5, 9, 13)]
        return self.convolution(self.op('Concat', x, *pooled, axis=1), f'{name}.conv2')

    def double(self, x):
        scales = self.initializers_value(np.array([1, 1, 2, 2], np.float32))
        return self.op('Resize', x, '', scales, mode='nearest', nearest_mode='floor',
                       coordinate_transformation_mode='asymmetric')

    def initializers_value(self, array):
        """Scales are never in half precision."""
        half, self.half = self.half, False
        name = self.value(array)
        self.half = half
        return name

    def maps(self, x):
        name, found = 'backbone.backbone', []
        x = self.focus(x)
        for stage in ('dark2', 'dark3', 'dark4'):
            x = self.convolution3(x, f'{name}.{stage}.0', 2)
            x = self.csp(x, f'{name}.{stage}.1', True)
            found.append(x)
        x = self.spp(self.convolution3(x, f'{name}.dark5.0', 2), f'{name}.dark5.1')
        coarse = self.convolution(self.csp(x, f'{name}.dark5.2', False), 'backbone.lateral_conv0')
        middle = self.csp(self.op('Concat', self.double(coarse), found[2], axis=1),
                          'backbone.C3_p4', False)
        middle = self.convolution(middle, 'backbone.reduce_conv1')
        fine = self.csp(self.op('Concat', self.double(middle), found[1], axis=1),
                        'backbone.C3_p3', False)
        down = self.convolution3(fine, 'backbone.bu_conv2', 2)
        middle = self.csp(self.op('Concat', down, middle, axis=1), 'backbone.C3_n3', False)
        down = self.convolution3(middle, 'backbone.bu_conv1', 2)
        coarse = self.csp(self.op('Concat', down, coarse, axis=1), 'backbone.C3_n4', False)
        return fine, middle, coarse

    def prediction(self, x, name):
        return self.op('Conv', x, *(
            self.value(self.state[f'{name}.{key}'], f'{name}.{key}') for key in ('weight', 'bias')
        ), kernel_shape=[1, 1])

    def head(self, maps):
        levels = []
        for k, x in enumerate(maps):
            stem = self.convolution(x, f'head.stems.{k}')
            classes = boxes = stem
            for layer in (0, 1):
                classes = self.convolution3(classes, f'head.cls_convs.{k}.{layer}')
            classes = self.prediction(classes, f'head.cls_preds.{k}')
            for layer in (0, 1):
                boxes = self.convolution3(boxes, f'head.reg_convs.{k}.{layer}')
            objects = self.prediction(boxes, f'head.obj_preds.{k}')
            boxes = self.prediction(boxes, f'head.reg_preds.{k}')
            level = self.op('Concat', boxes, self.op('Sigmoid', objects),
                            self.op('Sigmoid', classes), axis=1)
            shape = self.value(np.array([1, self.channels, -1], np.int64))
            levels.append(self.op('Reshape', level, shape))
        x = self.op('Transpose', self.op('Concat', *levels, axis=2), perm=[0, 2, 1])
        return self.decode(x) if self.decoded else x

    @property
    def channels(self):
        return 5 + len(self.state['head.cls_preds.0.weight'])

    def decode(self, x):
        ends = (0, 2, 4, self.channels)
        centre, size, rest = (
            self.op('Slice', x, *(self.value(np.array([k], np.int64)) for k in (start, end, 2)))
            for start, end in zip(ends, ends[1:])
        )
        stride = self.value(np.full((1, 1, 1), 8, np.float32))
        centre = self.op('Mul', self.op('Add', centre, stride), stride)
        size = self.op('Mul', self.op('Exp', size), stride)
        return self.op('Concat', centre, size, rest, axis=2)

    def model(self):
        image = 'images'
        if self.prepared:
            image = self.op('Div', image, self.value(np.array(255, np.float32)))
        output = self.head(self.maps(image))
        kind = TensorProto.FLOAT16 if self.half else TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes, 'yolox',
            [helper.make_tensor_value_info('images', kind, [1, 3, *self.size])],
            [helper.make_tensor_value_info(output, kind, None)], self.initializers,
        )
        return helper.make_model(graph, producer_name='a test', ir_version=8, opset_imports=[
            helper.make_opsetid('', 13)])


def export(path, state, size=(64, 96), **how):
    """Write a file; returns its path."""
    onnx.save(Export(state, size, **how).model(), str(path))
    return path
