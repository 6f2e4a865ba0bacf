"""Nothing is reported to others: what libraries would send over the network is not sent."""

import os
import subprocess
import sys

import pytest

pytest.importorskip('openvino')

# Where one of these is set, OpenVINO reports nothing anyway.
BUILD_MACHINES = ('CI', 'TF_BUILD', 'JENKINS_URL')


def test_openvino_reports_nothing_and_keeps_no_count(tmp_path):
    program = (
        'import forecast_detector.backends, openvino, sys; '
        'from openvino.tools.ovc import telemetry_utils; print(telemetry_utils.tm.__name__)'
    )
    environment = {k: v for k, v in os.environ.items() if k not in BUILD_MACHINES}
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=100, check=True,
        env={**environment, 'HOME': str(tmp_path)})
    assert done.stdout.strip() == 'openvino.tools.ovc.telemetry_stub'
    assert [path for path in tmp_path.rglob('*') if 'openvino' in path.name] == []
