"""What several test modules share: samples, and what makes them."""

import cv2
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


def texture(seed, height=200, width=300):
    noise = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
    return cv2.resize(noise, None, fx=12, fy=12, interpolation=cv2.INTER_CUBIC)[:height, :width]


class SquareClip(BoxClip):
    """A textured square that moves and grows over a ground that does not."""

    def __init__(self, length=6, start=(60, 50), velocity=(7, 3), growth=1.0, size=80):
        self.ground, self.square = texture(1), texture(2, 120, 120)
        corner, step = np.array(start), np.array(velocity)
        sides = [round(size * growth ** index) for index in range(length)]
        super().__init__('square', [
            (*(corner + index * step), *(corner + index * step + side))
            for index, side in enumerate(sides)])

    def read(self, index):
        image = self.ground.copy()
        left, top, right, bottom = self.boxes[index]
        square = cv2.resize(self.square, (right - left, bottom - top))
        height, width = image.shape[:2]
        image[max(0, top):bottom, max(0, left):right] = square[
            max(0, -top):height - top, max(0, -left):width - left]
        return image
