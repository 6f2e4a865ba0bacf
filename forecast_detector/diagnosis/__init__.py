"""Weights examined: is the scheduler right, are the forecasts, and what happens at a cut?"""

LABEL_IOU = 0.7  # overlap from which labels of the scheduler count an object as found: the paper's
