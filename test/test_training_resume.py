"""A run that is stopped goes on to the very same weights; signals, NaN and odd data are named."""

from dataclasses import replace
import json
import os
import signal
import subprocess
import sys
import time

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
import torch
from training_samples import CPU, LABELS, run_phase, SHORT, tiny_config

from forecast_detector.checkpoint import save_checkpoint
from forecast_detector.config import AnchorConfig
from forecast_detector.data.base import Clip, ClipDataset, Truth
from forecast_detector.data.convert import write_coco_vid
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.model.network import ForecastNetwork
from forecast_detector.training import bank_file, interrupt
from forecast_detector.training import logs as logs_module
from forecast_detector.training import phase as progress_module
from forecast_detector.training import trainer as trainer_module
from forecast_detector.training.check import checked
from forecast_detector.training.feature_bank import draw_sequences, fill_bank
from forecast_detector.training.frame_store import store_frames
from forecast_detector.training.interrupt import InterruptedTraining
from forecast_detector.training.logs import open_logs
from forecast_detector.training.precision import MixedPrecision
from forecast_detector.training.recipes import (
    DetectorRecipe,
    LossWeights,
)
from forecast_detector.training.trainer import Training

SHALLOW = replace(
    TINY, labels=LABELS, extra_channels=(16, 16),
    anchors=AnchorConfig(TINY.anchors.shapes[:3], TINY.anchors.subdivisions[:3]),
)


@pytest.fixture(scope='module')
def world():
    return load_synthetic('train', clips=2, length=12, size=(96, 64))


@pytest.fixture(autouse=True)
def no_signal_left():
    yield
    interrupt.defer(False)


@pytest.mark.parametrize('name', ['detector', 'baseline', 'joint', 'temporal', 'scheduler'])
def test_a_stopped_run_goes_on_to_the_same_weights(name, world, tmp_path, monkeypatch):
    config = tiny_config(world.labels)
    whole = run_phase(name, world, config, tmp_path / 'whole.pt')
    updates = []
    update = progress_module.Phase.update

    def stop_in_the_second(self, step, *rest, **options):
        updates.append(step)
        if len(updates) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        update(self, step, *rest, **options)

    monkeypatch.setattr(progress_module.Phase, 'update', stop_in_the_second)
    with interrupt.graceful(), pytest.raises(InterruptedTraining, match='SIGTERM after step 1'):
        run_phase(name, world, config, tmp_path / 'parts.pt')
    resumed = run_phase(name, world, config, tmp_path / 'parts.pt')
    assert updates == [0, 1, 2, 3]
    weights = resumed.state_dict()
    for key, value in whole.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_a_run_that_starts_between_phases_goes_on_to_the_same_weights(world, tmp_path):
    config = tiny_config(world.labels, phases=('detector', 'temporal', 'scheduler'))
    # Gradients so large that they are clipped: to the norm of this phase's alone.
    config = replace(config, loss=LossWeights(100.0, 100.0, 100.0, 100.0))
    start, last = start_weights(tmp_path, world), tmp_path / 'out' / 'scheduler.pt'

    def end():
        Training(config, world, tmp_path / 'out', CPU, start=start).run()
        return torch.load(last, weights_only=True)['network']

    whole = end()
    for state in ('scheduler.pt', 'temporal.pt'):
        (tmp_path / 'out' / state).unlink()
        last.unlink(missing_ok=True)
        again = end()
        for key, value in whole.items():
            assert torch.equal(value, again[key]), key


def test_a_damaged_state_is_named(world, tmp_path):
    state = tmp_path / 'detector.pt'
    state.write_bytes(b'PK, and no more')
    with pytest.raises(ValueError, match='detector.pt: damaged, or no state .* remove it'):
        run_phase('detector', world, tiny_config(world.labels), state)


def test_a_second_signal_does_not_wait(world, tmp_path):
    def log(values):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail('the second signal was kept')

    with interrupt.graceful(), pytest.raises(InterruptedTraining) as stopped:
        run_phase('detector', world, tiny_config(world.labels), tmp_path / 's.pt', log)
    assert stopped.value.signum == signal.SIGINT


def test_outside_of_a_phase_a_signal_does_not_wait():
    before = signal.getsignal(signal.SIGTERM)
    with interrupt.graceful(), pytest.raises(InterruptedTraining, match='stopped by SIGTERM'):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_figures_have_every_modules_learning_rate_and_speed(world, tmp_path):
    logged = []
    run_phase('joint', world, tiny_config(world.labels), tmp_path / 's.pt', logged.append)
    assert logged[0]['phase'] == 'joint'
    assert logged[0]['lr'] == {
        'backbone': 1e-2, 'neck': 1e-2, 'head': 1e-2, 'encoder1': 1e-3, 'encoder2': 1e-3,
        'scheduler': 0.0,
    }
    assert logged[0]['images_per_s'] > 0
    assert {'loss', 'localisation', 'classification', 'forecast'} <= set(logged[0])


def test_logs_are_json_lines_and_tensorboard_scalars(tmp_path, monkeypatch, caplog):
    values = {'phase': 'joint', 'step': 20, 'loss': 1.5, 'lr': {'head': 0.01}}
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    open_logs(tmp_path)(values)
    assert json.loads((tmp_path / 'log.jsonl').read_text())['lr'] == {'head': 0.01}
    events = EventAccumulator(str(tmp_path / 'tensorboard')).Reload()
    assert events.Tags()['scalars'] == ['joint/loss', 'joint/lr/head']
    (scalar,) = events.Scalars('joint/lr/head')
    assert (scalar.step, scalar.value) == (20, pytest.approx(0.01))


def test_without_tensorboard_the_log_is_there_and_a_note_says_what_is_not(
    tmp_path, monkeypatch, caplog
):
    def missing(folder):
        raise ImportError("No module named 'tensorboard'")

    monkeypatch.setattr(logs_module, 'TensorBoardLog', missing)
    open_logs(tmp_path)({'phase': 'joint', 'step': 0, 'loss': 1.0})
    assert json.loads((tmp_path / 'log.jsonl').read_text())['loss'] == 1.0
    assert 'pip install tensorboard' in caplog.text


def test_processes_that_do_not_lead_write_no_log(tmp_path):
    open_logs(tmp_path, lead=False)({'phase': 'joint', 'step': 0, 'loss': 1.0})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['detector', 'joint'])
def test_in_16_bits_the_losses_are_nearly_the_same(name, world, tmp_path):
    first, weights = {}, []
    for precision in ('fp32', 'bf16'):
        logged = []
        config = tiny_config(world.labels)
        config = replace(
            config, model=SHALLOW, **{name: replace(getattr(config, name), precision=precision)}
        )
        network = make_tiny_network(
            labels=LABELS, extra_channels=SHALLOW.extra_channels, anchors=SHALLOW.anchors
        )
        run_phase(name, world, config, tmp_path / f'{precision}.pt', logged.append, network)
        assert all(p.dtype == torch.float32 for p in network.parameters())
        weights.append(network.neck[0].weight)
        first[precision] = [v for k, v in logged[0].items() if k in ('loc', 'cls', 'loss')]
    assert first['bf16'] == pytest.approx(first['fp32'], rel=0.03)
    # And yet it is another way there.
    assert not torch.equal(*weights)


def test_in_bf16_on_a_cpu_a_head_that_halves_one_cell_is_refused():
    # 64x96 is 2x3 cells; the fourth extra layer would halve 1x1.
    with pytest.raises(ValueError, match='halves a map of one cell'):
        MixedPrecision('bf16', CPU, TINY)
    MixedPrecision('bf16', CPU, replace(TINY, input_size=(320, 320)))
    MixedPrecision('bf16', CPU, SHALLOW)


def test_fp16_needs_a_gpu():
    with pytest.raises(ValueError, match='fp16 needs a GPU'):
        MixedPrecision('fp16', CPU)
    with pytest.raises(ValueError, match="'fp8' is none of"):
        DetectorRecipe(precision='fp8')


def test_a_bank_comes_back_from_its_file_as_it_was(world, tmp_path, caplog):
    config = tiny_config(world.labels)
    network = ForecastNetwork(config.model)
    filled = []

    def fill():
        filled.append(fill_bank(network, world, config.temporal, False, 0, CPU))
        return filled[-1]

    path = tmp_path / 'bank.pt'
    made = bank_file.cached_bank(path, 'a', fill)
    stored = bank_file.cached_bank(path, 'a', fill)
    assert len(filled) == 1
    one, two = (draw_sequences(bank, 3, 4, 2, (0,)) for bank in (made, stored))
    assert torch.equal(one.features, two.features)
    assert one.clips == two.clips
    assert one.clips[0].startswith('synthetic_')
    for mine, theirs in zip(one.targets[1], two.targets[1]):
        assert torch.equal(mine.boxes, theirs.boxes)
        assert torch.equal(mine.labels, theirs.labels)
    # Other weights, another bank; and a damaged file is made again.
    bank_file.cached_bank(path, 'b', fill)
    assert len(filled) == 2
    path.write_bytes(b'not a bank')
    bank_file.cached_bank(path, 'b', fill)
    assert len(filled) == 3
    assert 'bank.pt: cannot be read' in caplog.text


def start_weights(folder, world):
    path = folder / 'start.safetensors'
    save_checkpoint(path, make_tiny_network(labels=world.labels))
    return str(path)


def test_runs_with_the_same_backbone_share_cached_features(world, tmp_path, monkeypatch):
    filled = []

    def counting(*args):
        filled.append(fill_bank(*args))
        return filled[-1]

    monkeypatch.setattr(trainer_module, 'fill_bank', counting)
    start, shared = start_weights(tmp_path, world), tmp_path / 'features'
    one = tiny_config(world.labels, phases=('temporal',))
    no_forecast = replace(one, name='other', loss=replace(one.loss, forecast=0.0))
    for number, config in enumerate((one, no_forecast)):
        out = tmp_path / str(number)
        Training(config, world, out, CPU, start=start, features=shared).run()
        assert not (out / 'bank.pt').exists()
    assert len(filled) == 1
    assert len(list(shared.iterdir())) == 1
    # Another seed draws other stretches.
    Training(replace(one, seed=1), world, tmp_path / '2', CPU, start=start, features=shared).run()
    assert len(filled) == 2
    assert len(list(shared.iterdir())) == 2


def test_a_bank_is_not_shared_when_the_annotations_were_corrected(world, tmp_path):
    class Moved:
        def __init__(self, clip):
            self.clip, self.name = clip, clip.name

        def __len__(self):
            return len(self.clip)

        def truth(self, index):
            truth = self.clip.truth(index)
            return replace(truth, boxes=truth.boxes + 1)

    config, network = tiny_config(world.labels), make_tiny_network(labels=world.labels)
    moved = ClipDataset(world.labels, [Moved(clip) for clip in world.clips])
    key = bank_file.bank_key(network, world, config)
    assert key == bank_file.bank_key(network, world, replace(config, name='other'))
    assert key != bank_file.bank_key(network, moved, config)
    # Counters of the norms are not weights; a moving average of them rounds.
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.num_batches_tracked += 1
    assert key == bank_file.bank_key(network, world, config)
    # Nor is the sign of a zero a difference, which the average takes away.
    weight = network.neck[0].weight.data
    keys = []
    for zero in (0.0, -0.0, 0.1):
        weight[0] = zero
        keys.append(bank_file.bank_key(network, world, config))
    assert keys[0] == keys[1] != keys[2]


def test_what_would_stop_a_later_phase_is_named_at_the_start(world, tmp_path):
    config = tiny_config(world.labels)

    def refused(message, stills=None, **changes):
        with pytest.raises(ValueError, match=message):
            Training(replace(config, **changes), world, tmp_path / 'out', CPU, stills=stills).run()
        assert not (tmp_path / 'out').exists()

    refused('begin with a finished detector; name one with --start', phases=('temporal',))
    refused('no phase of the recipe has a share', stills=world)
    refused('name them with --stills', phases=('baseline',), baseline=replace(SHORT, stills=1))
    refused('phase temporal: precision: fp16 needs a GPU',
            temporal=replace(config.temporal, precision='fp16'))


def test_frames_in_memory_leave_no_video_open(world):
    released = []

    class Open(Clip):
        name, fps = 'open', 30.0

        def __len__(self):
            return 2

        def read(self, index):
            return np.zeros((4, 4, 3), np.uint8)

        def truth(self, index):
            box = np.array([[0, 0, 3, 3]], np.float32)
            return Truth(box, np.zeros(1, np.int64), np.zeros(1, np.int64))

        def release(self):
            released.append(self.name)

    store_frames(checked(ClipDataset(('a',), [Open()])))
    assert released == ['open']


def test_a_folder_is_not_shared_by_runs_that_began_elsewhere(world, tmp_path):
    config = tiny_config(world.labels, phases=('temporal',))
    start, out = start_weights(tmp_path, world), tmp_path / 'out'
    Training(config, world, out, CPU, start=start).run()
    Training(config, world, out, CPU, start=start).run()
    other = tmp_path / 'other.safetensors'
    save_checkpoint(other, make_tiny_network(labels=world.labels), {'data': 'other'})
    with pytest.raises(ValueError, match=r'out: the states of a run with another start'):
        Training(config, world, out, CPU, start=str(other)).run()
    mixed = replace(SHORT, stills=1.0, epochs=1)
    both = tiny_config(world.labels, phases=('baseline',), baseline=mixed)
    Training(both, world, tmp_path / 'mixed', CPU, start=start, stills=world).run()
    fewer = ClipDataset(world.labels, world.clips[:1])
    with pytest.raises(ValueError, match='the states of a run with another still images'):
        Training(both, world, tmp_path / 'mixed', CPU, start=start, stills=fewer).run()
    with pytest.raises(ValueError, match='the states of a run with another data set'):
        Training(config, fewer, out, CPU, start=start).run()
    (out / 'run.json').write_text('{"start": ')
    with pytest.raises(ValueError, match=r'run\.json: cannot be read'):
        Training(config, world, out, CPU, start=start).run()


def test_a_signal_after_the_last_step_is_not_kept_for_the_next_phase(
    world, tmp_path, monkeypatch
):
    save = progress_module.Phase.save

    def signalled(self, next_step):
        save(self, next_step)
        if next_step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(progress_module.Phase, 'save', signalled)
    config = tiny_config(world.labels)
    with interrupt.graceful(), pytest.raises(InterruptedTraining, match='after the last step'):
        run_phase('detector', world, config, tmp_path / 's.pt')
    assert torch.load(tmp_path / 's.pt', weights_only=True)['step'] == 4


class OddClip:
    """One frame with whatever truth."""

    name, fps = 'odd', 30.0

    def __init__(self, boxes, labels=(0,), annotated=True, frames=1):
        self.frames = frames
        self.value = Truth(
            np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64),
            np.zeros(len(labels), np.int64), annotated,
        )

    def __len__(self):
        return self.frames

    def read(self, index):
        return np.zeros((4, 4, 3), np.uint8)

    def truth(self, index):
        return self.value


@pytest.mark.parametrize(
    ('clip', 'message'),
    [
        (OddClip([[0, 0, float('nan'), 4]]), r'odd, frame 0: box .*nan.* is not finite'),
        (OddClip([[3, 0, 3, 4]]), 'odd, frame 0: box .* has no area'),
        (OddClip([[0, 0, 3, 4]], [2]), 'odd, frame 0: label 2 is none of the 2 classes'),
    ],
)
def test_truth_that_cannot_be_trained_on_is_named_with_clip_and_frame(clip, message):
    with pytest.raises(ValueError, match=message):
        checked(ClipDataset(('a', 'b'), [clip])).clips[0].truth(0)


def test_clips_without_frames_are_named_by_name():
    with pytest.raises(ValueError, match=r"clips without frames: \['odd'\]"):
        checked(ClipDataset(('a',), [OddClip([], [], frames=0)]))
    for annotated in (True, False):
        with pytest.raises(ValueError, match='no frame of the data set has an annotated object'):
            checked(ClipDataset(('a',), [OddClip([], [], annotated)]))
    with pytest.raises(ValueError, match='no clips'):
        checked(ClipDataset(('a',), []))


def test_a_killed_command_ends_with_the_signals_status(world, tmp_path):
    recipe = tmp_path / 'short.yaml'
    recipe.write_text(
        'model: {feature_channels: 16, lstm_channels: 16, extra_channels: [16, 16, 16, 16], '
        'input_size: [64, 96]}\ndetector: {steps: 100000, batch_size: 2}\n'
    )
    write_coco_vid(world, tmp_path / 'data', 'train')
    weights = tmp_path / 'imagenet.pth'
    torch.save(make_tiny_network().backbone.state_dict(), weights)
    out = tmp_path / 'out'
    command = [
        sys.executable, '-m', 'forecast_detector', 'train', '--config', str(recipe),
        '--root', str(tmp_path / 'data'), '--out', str(out), '--imagenet', str(weights),
        '--device', 'cpu',
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        # The first figures come after the first step.
        log = out / 'log.jsonl'
        while process.poll() is None and not (log.exists() and log.read_text()):
            time.sleep(0.05)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert 'the same command goes on from there' in errors
    assert torch.load(out / 'detector.pt', weights_only=True)['step'] >= 1
