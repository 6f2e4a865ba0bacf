"""
The most that pictures, weights, recordings and parameters may claim, compared before memory is.

Whoever sends them is not trusted: a header of a few bytes may name any size.
"""

from __future__ import annotations

# Pixels of one picture. Eight bits of three colours are then 192 MB.
MAX_PIXELS = 64_000_000
# The same of a robot's cameras, which have 20 million at most; 8K video has 33.
MAX_CAMERA_PIXELS = 36_000_000
# A compressed image of more is decoded beside the steps. OpenCV takes 10 to 50 ms for each million
# (JPEG, PNG), so what is below keeps the other cameras waiting for 150 ms at most.
LARGE_PIXELS = 3_000_000
# Letters of a message's frame_id: every detection of an answer carries it.
MAX_FRAME_ID_LETTERS = 1000
# Scans of a progressive JPEG, each of which goes over all of its pixels; encoders write ten.
MAX_SCANS = 32

# Of the network's input, pixels a side.
MAX_INPUT_SIDE = 2048
# Of a network's layers, and how many layers, anchors or classes a configuration may list.
MAX_CHANNELS = 4096
MAX_LISTED = 64
MAX_CLASSES = 10_000
MAX_LABEL_LETTERS = 200

# Threads or processes that somebody may ask for.
MAX_THREADS = 1024

# One message of a recording, unpacked: what a raw image of MAX_PIXELS has in four channels.
MAX_MESSAGE_BYTES = 4 * MAX_PIXELS
# One chunk of a recording, unpacked. Its messages are read at once.
MAX_CHUNK_BYTES = 2 * MAX_MESSAGE_BYTES
# A compressed recording may unpack to so many times its size, or to MAX_CHUNK_BYTES.
MAX_PACKING = 200
# A definition of a type, or another record of a recording that is not a message.
MAX_RECORD_BYTES = 16_000_000
