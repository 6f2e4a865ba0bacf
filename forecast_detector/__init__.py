"""Real-time video object detection by feature map forecast, as a ROS 2 package."""

from pkgutil import extend_path

__version__ = '0.1.0'

# The generated messages (forecast_detector.msg) live in the install space. When the
# package runs from its source tree, this joins the two halves.
__path__ = extend_path(__path__, __name__)
