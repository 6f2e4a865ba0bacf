"""What can be asked for by name, for options; imports nothing."""

DATASETS = ('coco_vid', 'imagenet_vid', 'rosbag', 'synthetic')
SCHEDULED_KALMAN = 'scheduled_kalman'
# What is measured beside the scheduler.
BASELINES = ('alternate', 'copy', 'hold', 'kalman', 'moved', SCHEDULED_KALMAN, 'oracle')
POLICIES = ('scheduler', 'read', *BASELINES)
