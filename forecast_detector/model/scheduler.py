"""The scheduler of section 3.2: read the next frame, or trust its forecast?"""

from __future__ import annotations

import torch
from torch import nn, Tensor
import torch.nn.functional as F

POOLED = 5


def correlation(first: Tensor, second: Tensor, displacement: int) -> Tensor:
    """
    Correlate each cell with its neighbours on the other map (kernel 1, zero padding).

    ``C(x, d) = <first(x), second(x + d)> / channels`` for every displacement d of at most
    ``displacement`` cells. Computed as one matrix product and a gather: on maps this small
    that is far cheaper than one product a displacement.

    :param first: (B, C, H, W).
    :param second: (B, C, H, W).
    :returns: (B, (2 displacement + 1)^2, H, W), displacements in row order.
    """
    batch, channels, height, width = first.shape
    reach = 2 * displacement + 1
    padded = F.pad(second, [displacement] * 4)
    products = torch.bmm(first.flatten(2).transpose(1, 2), padded.flatten(2)) / channels
    device = first.device
    rows = torch.arange(height, device=device)[:, None] + torch.arange(reach, device=device)
    columns = torch.arange(width, device=device)[:, None] + torch.arange(reach, device=device)
    index = rows[:, None, :, None] * padded.shape[3] + columns[None, :, None, :]
    index = index.reshape(1, height * width, reach * reach).expand(batch, -1, -1)
    return products.gather(2, index).transpose(1, 2).reshape(batch, -1, height, width)


class Scheduler(nn.Module):
    """
    Correlation, two convolutions, a fully connected layer with two outputs (Fig. 3).

    Correlation tells how the maps moved, not what is on them. With ``context`` channels the
    first convolution sees that too, and the correlation is that of unit vectors. Where the
    network peeks, it sees the surprise as well.
    """

    def __init__(
        self, features: int, displacement: int, channels: tuple[int, int], context: int = 0,
        surprise: int = 0,
    ) -> None:
        super().__init__()
        self.displacement = displacement
        taps = (2 * displacement + 1) ** 2
        self.context = nn.Conv2d(2 * features, context, 1) if context else None
        self.conv1 = nn.Conv2d(taps + context + surprise, channels[0], 3, padding=1)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 3, stride=2, padding=1)
        # The paper's layer ties the network to one input size; pooled to 5x5 (which a
        # 320x320 input has anyway), the same weights serve every size.
        self.pool = nn.AdaptiveAvgPool2d(POOLED)
        self.fc = nn.Linear(channels[1] * POOLED**2, 2)

    def forward(
        self, forecast: Tensor, converted: Tensor, surprise: Tensor | None = None
    ) -> Tensor:
        """
        Score READ (0) and FORECAST (1) for the next frame.

        :param forecast: Fc, (B, C, H, W).
        :param converted: Ft, (B, C, H, W).
        :param surprise: of a :class:`~forecast_detector.model.peek.Peek`, (B, 2, H, W).
        :returns: logits, (B, 2); the confidence is the softmax of entry 1.
        """
        if self.context is None:
            x = correlation(forecast, converted, self.displacement)
        else:
            scale = forecast.shape[1] ** 0.5
            first = F.normalize(forecast, dim=1) * scale
            second = F.normalize(converted, dim=1) * scale
            context = F.relu(self.context(torch.cat([forecast, converted], dim=1)))
            x = torch.cat([correlation(first, second, self.displacement), context], dim=1)
        if surprise is not None:
            x = torch.cat([x, surprise], dim=1)
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        logits: Tensor = self.fc(self.pool(x).flatten(1))
        return logits
