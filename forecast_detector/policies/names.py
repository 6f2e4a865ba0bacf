"""What can be asked for by name, for options; imports nothing."""

SCHEDULED_KALMAN = 'scheduled_kalman'
# What is measured beside the scheduler.
BASELINES = ('alternate', 'copy', 'hold', 'kalman', 'moved', SCHEDULED_KALMAN, 'oracle')
POLICIES = ('scheduler', 'read', *BASELINES)
