"""What several test modules share: samples, and what makes them."""

from evaluation_samples import there
import numpy as np

from forecast_detector.data.base import Clip


class BoxClip(Clip):
    """A clip of known boxes (one or none a frame) on black images of 300 by 200."""

    def __init__(self, name, boxes):
        self.name, self.boxes, self.decoded = name, boxes, []

    def __len__(self):
        return len(self.boxes)

    def read(self, index):
        self.decoded.append(index)
        return np.zeros((200, 300, 3), np.uint8)

    def truth(self, index):
        box = self.boxes[index]
        return there() if box is None else there((*box, 0, 0))


def linear(length, start=(10, 20), velocity=(3, 2), size=(30, 20)):
    """Boxes that move evenly."""
    x, y = np.array(start), np.array(start) + np.array(size)
    step = np.array(velocity)
    return [(*(x + t * step), *(y + t * step)) for t in range(length)]
