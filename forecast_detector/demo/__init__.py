"""The demo: ROS processes in a graph of their own, watched and summed up without importing ROS."""
