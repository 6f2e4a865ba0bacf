"""What can be asked for by name, for options; imports nothing."""

# Ways to carry boxes from READ to READ: module and class of each, imported when it is asked for.
# A new one needs a line here and a class (see boxes.Carrier); every command then knows it.
CARRIERS = {
    'hold': ('boxes', 'HoldBoxes'),
    'kalman': ('kalman', 'KalmanBoxes'),
    'moved': ('boxes', 'MovedBoxes'),
}
SCHEDULED_KALMAN = 'scheduled_kalman'
# What is measured beside the scheduler.
BASELINES = ('alternate', 'copy', *CARRIERS, SCHEDULED_KALMAN, 'oracle')
POLICIES = ('scheduler', 'read', *BASELINES)
