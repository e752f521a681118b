"""One arm of the experiment: a network, its optimizer and its random streams. The training loop is `train_steps`."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from regtui.arm import checkpoint, optimizer
from regtui.arm.checkpoint import Best, State
from regtui.arm.finite import FEW, Moment, StepNumbers, StepRead, are_finite, first_broken, read, sums
from regtui.arm.interface import ArmCalls
from regtui.arm.network import Network, as_images
from regtui.arm.reports import Built, Measured, Saved, ScoreReport, Trained
from regtui.arm.split import Data, Rows, normalize
from regtui.arm.streams import stream
from regtui.disk import Disk, HangsError
from regtui.errors import InputError
from regtui.models.base import input_shape
from regtui.models.fast import apply_layers, learn_layers
from regtui.preset.memory import EVALUATION_BATCH
from regtui.preset.model import Preset
from regtui.preset.schedule import Schedule
from regtui.protocol.events import LayerWeights, NotFinite
from regtui.runs.checkpoint import WEIGHT, ArmFiles, check_folder
from regtui.runs.unsaved import fault_at
from regtui.tasks import arithmetic
from regtui.tasks.classification import Classification

if TYPE_CHECKING:
    from regtui.techniques.base import Criterion

BEST, OPTIMIZER, STREAM, BATCHES = "best.", "optimizer.", "stream.", "batches"
"""Prefixes of the names of a state's other tensors."""


class Evaluation(NamedTuple):
    """A set of examples in evaluation mode: mean loss, the task's metric, and its score of each, [examples]."""

    loss: float
    metric: float
    scores: Tensor


class Arm(ArmCalls):
    """Trains one network. Everything follows from preset, name and data, so arms need not know each other."""

    def __init__(self, name: str, preset: Preset, data: Data, device: torch.device, disk: Disk | None = None) -> None:
        """Build it; `disk` is shared by all that save in one thread."""
        self.name = name
        self.preset = preset
        self.data = data
        self.device = device
        self.techniques = preset.arms()[name].model_copy(deep=True)
        self._active = self.techniques.active()
        self._own_streams: dict[str, torch.Generator] = {}
        self._example = input_shape(preset.dataset.shape, images=True)
        weights = stream(preset.train.seed, "initial weights")
        module = preset.model.build(preset.shape, preset.dataset.outputs, weights)
        self.model = Network(module, preset.sites, self._active, self._own_stream, device)
        self._parameters = self.model.parameters()
        self.optimizer = optimizer.build(preset.train, self._parameters)
        self._schedule = Schedule(preset.train, preset.steps_per_epoch)
        self._clip_norm = preset.train.clip_norm
        self.task = arithmetic(preset.task.name)
        self.criterion: Criterion = self.task.loss
        self._optimized = self._changed_criterion()
        self._changing = [
            (technique, self._own_stream(f"{name}/batch"))
            for name, technique in self._active.items()
            if technique.contributes("change_batch")
        ]
        # The gradient by hand, where network and loss allow it; the numbers are the same to the last bit.
        is_plain = isinstance(self.task, Classification) and self._optimized == self.criterion and not self._changing
        self._by_hand = self.model.layers_by_hand() if is_plain else None
        self._weights = list(self.model.weights().values())
        # Selected once, so that a step calls no technique without a contribution.
        self._penalizing = [t for t in self._active.values() if t.contributes("penalty") and t.penalty_in_loss]
        self._after_step = [t for t in self._active.values() if t.contributes("after_step")]
        # Every arm draws the order of the batches itself, from a stream of the same name. That the order is equal in
        # all arms is then proved by the hashes.
        self._order_stream = stream(preset.train.seed, "batch order")
        self._batches: tuple[Tensor, ...] = ()
        self._next_batch = 0
        self._steps, self._rate = 0, 0.0
        own = list(self.model.state_dict().values())  # these share the memory of the network's tensors
        floating = {name: tensor for name, tensor in self.model.state_dict().items() if tensor.is_floating_point()}
        self._must_be_finite = list(floating.values())
        # Of a GPU nothing is read in between, and a sum takes it no time.
        batch = min(preset.train.batch_size, preset.sizes.train)
        large = self.model.large_layers(batch) if device.type == "cpu" else {}
        self._large = [layer.weight.detach() for layer in large.values()]
        self._others = [tensor for name, tensor in floating.items() if name.removesuffix(".weight") not in large]
        self._put_out: list[Tensor] = []  # sums of what layers put out in this step
        for layer in large.values() if self._by_hand is None else ():
            layer.register_forward_hook(self._note_output)
        self._changed_by_steps = [*own, *self.optimizer.state().values()]
        self._broken: NotFinite | None = None
        self._seconds = 0.0
        self._best: Best | None = None
        self._at_best = False
        self._best_file: str | None = None
        self._checksums: Mapping[str, str] = {}
        self._disk = disk or Disk()

    def built(self) -> Built:
        """What is known before the first step."""
        tensors = {name: _hash(tensor) for name, tensor in self.model.state_dict().items()}
        parameters = sum(p.numel() for p in self.model.parameters())
        return Built(str(self.device), parameters, tensors, *self.data.fingerprint)

    def start_epoch(self) -> str:
        """Draw the order of this epoch's examples; returns its hash."""
        order = torch.randperm(len(self.data.train_targets), generator=self._order_stream)
        self._batches = torch.split(order.to(self.device), self.preset.train.batch_size)
        self._next_batch, self._seconds = 0, 0.0
        return _hash(order)

    def train_steps(self, count: int) -> Trained:
        """Train on the next `count` batches of this epoch, unless a number stops being finite, which ends the arm.

        Nothing is read from a GPU until all steps are done: that would make the host wait for it. Weights that are not
        finite stay so, even where a ReLU hides them from the loss, so that of many steps only the last is checked; if
        it is broken, they are made again from where they began, each with a check.
        """
        began = time.perf_counter()
        self._at_best = False
        if self._broken is not None:
            return Trained([], self._broken)
        self.model.train()
        batches = self._batches[self._next_batch : self._next_batch + count]
        if self._large and not 0 < len(batches) <= FEW and not are_finite(sums(self._large)):
            self._broken = "weights"  # by the last step before
            return Trained([], self._broken)
        steps = self._make_few(batches) if len(batches) <= FEW else self._make_many(batches)
        self._next_batch += len(batches)
        if (last := first_broken(steps)) is not None:
            self._broken, steps = steps[last].not_finite, steps[: last + 1]
        self._seconds += time.perf_counter() - began
        return Trained([step.loss for step in steps], self._broken)

    def _make_few(self, batches: Sequence[Tensor]) -> list[StepRead]:
        """Make a step on each batch, each with a check; that of large layers may come with the next step."""
        epoch_ends = self._next_batch + len(batches) == len(self._batches)
        steps = []
        for left, batch in enumerate(batches, start=1 - len(batches)):
            loss = self._find_gradient(batch)
            if self._large and not are_finite(self._put_out) and not are_finite(sums(self._large)):
                self._broken = "weights"  # by the step before
                break
            norm = self._follow_gradient()
            some = StepNumbers([loss], norm, sums(self._others), [])
            steps.append(self._checked(loss, norm) if epoch_ends and left == 0 else some)
        return read(steps)

    def _make_many(self, batches: Sequence[Tensor]) -> list[StepRead]:
        """Make a step on each batch; if the last is broken, make them again to find the first."""
        moment = Moment(self._changed_by_steps, self._own_streams.values())
        before = (self._steps, self._rate)
        *steps, last = [self._step(batch) for batch in batches]
        found = read([*(StepNumbers([loss], norm, [], []) for loss, norm in steps), self._checked(*last)])
        if first_broken(found) is None:
            return found
        moment.restore()
        self._steps, self._rate = before
        return self._made_again(batches) or found

    def _made_again(self, batches: Sequence[Tensor]) -> list[StepRead] | None:
        """Steps up to the one that breaks the arm; None if none does, which a GPU's order of adding can bring about."""
        steps: list[StepRead] = []
        for batch in batches:
            steps += read([self._checked(*self._step(batch))])
            if steps[-1].not_finite is not None:
                return steps
        return None

    def _checked(self, loss: Tensor, norm: list[Tensor]) -> StepNumbers:
        """The numbers of a step that was just made, with all that must be finite after it."""
        return StepNumbers([loss], norm, sums(self._must_be_finite), sums(self.optimizer.squares))

    def _step(self, batch: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Make a step on the examples of these numbers; returns the data loss, and the gradient's norm if clipped."""
        return self._find_gradient(batch), self._follow_gradient()

    def _find_gradient(self, batch: Tensor) -> Tensor:
        """Compute the gradient of what is optimized on these examples; returns the data loss."""
        x = normalize(self.data.train_examples.read(batch))
        y = self.data.train_targets.index_select(0, batch)
        for technique, generator in self._changing:
            x, y = technique.change_batch(as_images(x, self._example), y, generator)
        self.optimizer.zero_grad()
        loss = self._learn(x, y)
        for technique in self._penalizing:
            technique.penalty(self._weights).backward()  # type: ignore[no-untyped-call]  # adds to the gradients
        return loss

    def _follow_gradient(self) -> list[Tensor]:
        """Change the weights by the gradient; returns its norm if it is clipped."""
        norm = [] if self._clip_norm is None else [nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)]
        self._rate = self._schedule.rate(self._steps)
        self._steps += 1
        self.optimizer.step(self._rate)
        if self._after_step:
            with torch.no_grad():
                for technique in self._after_step:
                    technique.after_step(self._weights, self._rate)
        return norm

    def _learn(self, x: Tensor, y: Tensor) -> Tensor:
        """The data loss of a batch; the gradients of what is optimized become the parameters', which have none yet."""
        self._put_out.clear()
        if self._by_hand is not None:
            on_input, *factors = self.model.factors(len(x))
            x, seen = self.model.shaped(x), self._put_out if self._large else None
            return learn_layers(self._by_hand, x if on_input is None else x * on_input, factors, y, seen)
        outputs = self.model(x)
        loss = self._optimized(outputs, y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach() if self._optimized == self.criterion else self.criterion(outputs.detach(), y)

    def measure(self) -> Measured:
        """Evaluate on the validation examples and on a fixed sample of the training ones; read out the weights."""
        began = time.perf_counter()
        sample = self.preset.sizes.train_eval
        train = self._evaluate(self.data.train_examples.first(sample), self.data.train_targets[:sample])
        val = self._evaluate(self.data.val_examples, self.data.val_targets)
        self._seconds += time.perf_counter() - began
        with torch.no_grad():
            penalties = {
                name: float(technique.penalty(self._weights))
                for name, technique in self._active.items()
                if technique.contributes("penalty")
            }
        weights = {
            name: LayerWeights(norm=float(w.detach().norm()), zeros=w.numel() - int(w.count_nonzero()), size=w.numel())
            for name, w in self.model.weights().items()
        }
        return Measured(
            train.loss,
            val.loss,
            train.metric,
            val.metric,
            penalties,
            weights,
            self._rate,
            self._seconds,
            torch.cuda.memory_reserved(self.device) if self.device.type == "cuda" else None,  # the host keeps count
        )

    def remember(self, epoch: int) -> None:
        """Remember the current weights, those of this epoch, as the best; never such as are not finite."""
        if self._broken is not None:
            return
        self._best = None  # its memory is free for the copy
        self._best = Best(epoch, {name: tensor.clone() for name, tensor in self.model.state_dict().items()})
        self._at_best, self._best_file = True, None

    def test(self, keep_best: Mapping[str, bool]) -> ScoreReport:
        """Score the test set, once, when training is over; an arm in `keep_best` goes back to its best epoch first."""
        if keep_best[self.name] and self._best is not None:
            self.model.load_state_dict(self._best.weights)
        outputs: list[Tensor] = []
        test = self._evaluate(self.data.test_examples, self.data.test_targets, outputs.append)
        predictions = {name: of.cpu().numpy() for name, of in self.task.predictions(torch.cat(outputs)).items()}
        targets = self.data.test_targets.cpu()
        kept = targets if targets.is_floating_point() else targets.to(torch.uint8)
        return ScoreReport(test.loss, test.metric, test.scores.tolist(), predictions, kept.numpy())

    def retune(self, key: str, value: float) -> None:
        """Change a live knob, 'dropout.rate', from the next step on.

        Raises:
            InputError: The arm doesn't use that technique, or the knob or its value is not valid.
        """
        name, _, knob = key.partition(".")
        if name not in self._active:
            raise InputError(f"{name} does not run in the {self.name} arm")
        technique = self._active[name]
        if why := technique.inert(self.preset.sites).get(knob):
            raise InputError(f"{technique.explanation.title}: {knob} changes nothing here: {why}")
        technique.retune(knob, value)

    def set_learning_rate(self, rate: float) -> None:
        """Change the base learning rate from the next step on; the schedule's shape stays."""
        self._schedule.base = rate

    def state(self) -> State:
        """The complete state of this arm; the tensors are the arm's own, not copies."""
        tensors = {f"{WEIGHT}{name}": tensor for name, tensor in self.model.state_dict().items()}
        if self._best is not None and not self._at_best:
            tensors |= {f"{BEST}{name}": tensor for name, tensor in self._best.weights.items()}
        tensors |= {f"{OPTIMIZER}{name}": tensor for name, tensor in self.optimizer.state().items()}
        tensors |= {f"{STREAM}{name}": generator.get_state() for name, generator in self._generators().items()}
        to_come = self._batches[self._next_batch :]
        tensors[BATCHES] = torch.cat(to_come) if to_come else torch.empty(0, dtype=torch.int64)
        knobs = {name: {knob: getattr(t, knob) for knob in sorted(t.live)} for name, t in self._active.items()}
        best = None if self._best is None else self._best.epoch
        facts = {
            "best_epoch": best,
            "at_best": self._at_best,
            "seconds": self._seconds,
            "knobs": knobs,
            "steps": self._steps,
            "rate": self._rate,
            "base_rate": self._schedule.base,
            "device": self.device.type,
        }
        return State(tensors, facts)

    def load_state(self, state: State) -> None:
        """Restore a state, also in another process: the next step is the one that the saved arm would have made.

        A state saved after its arm had ended has only weights; then everything else stays as it is.

        Raises:
            KeyError, RuntimeError, TypeError: The state is of an arm with another network or other techniques.
        """
        self.model.load_state_dict(state.part(WEIGHT))
        self._at_best, self._best_file, self._best = state.facts["at_best"], None, None
        if (epoch := state.facts["best_epoch"]) is not None:
            own = self.model.state_dict()
            best = own if self._at_best else state.part(BEST)
            if _shapes(best) != _shapes(own):  # before they are copied: a file can claim any size
                raise KeyError("the best weights are of another network")
            self._best = Best(epoch, {name: tensor.to(self.device, copy=True) for name, tensor in best.items()})
        for name, knobs in state.facts["knobs"].items():
            for knob, value in knobs.items():
                if value != getattr(self._active[name], knob):
                    self._active[name].retune(knob, value)
        self._seconds, self._next_batch, self._broken = state.facts["seconds"], 0, None
        self._steps, self._rate = state.facts["steps"], state.facts["rate"]
        self._schedule.base = state.facts.get("base_rate", self._schedule.base)  # earlier versions could not change it
        if BATCHES not in state.tensors:
            return
        self.optimizer.load_state(state.part(OPTIMIZER))
        same_device = state.facts.get("device", self.device.type) == self.device.type
        for name, generator in self._generators().items():
            if same_device or name == "order":
                generator.set_state(state.tensors[f"{STREAM}{name}"])
            else:  # devices draw in ways of their own: a new stream, which has drawn nothing before
                anew = stream(self.preset.train.seed, f"{self.name}/{name}/{self._steps}", self.device)
                generator.set_state(anew.get_state())
        to_come = state.tensors[BATCHES].to(self.device)
        if to_come.numel() > len(self.data.train_targets):
            raise RuntimeError("these are more examples than an epoch has")
        self._batches = torch.split(to_come, self.preset.train.batch_size) if len(to_come) else ()

    def save(self, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        """Write this arm's part of a checkpoint; files of the previous one are not touched.

        Args:
            folder: The checkpoint's folder; created if its parent exists.
            step: Steps made in the run so far, which name the files.
            ended: Arms that will not be trained further, of which only weights are saved; the optimizer's state would
                take twice as much.
        """
        state = self.state()
        best = {f"{WEIGHT}{name}": tensor for name, tensor in state.part(BEST).items()}
        only_weights = self.name in ended
        rest = {
            name: tensor
            for name, tensor in state.tensors.items()
            if name.startswith(WEIGHT) or not (only_weights or name.startswith(BEST))
        }
        last = f"{self.name}-{step}.safetensors"
        own = f"{self.name}.best-{step}.safetensors"  # no arm has a dot in its name
        before = self._best_file

        def write() -> dict[str, str]:
            """Returns the checksum of each file that it writes; the best weights' own may be there."""
            folder.mkdir(exist_ok=True)
            check_folder(folder)
            written = {last: checkpoint.write(folder / last, State(rest, state.facts))}
            if best and not (before and (folder / before).exists()):
                written[own] = checkpoint.write(folder / own, State(best, {}))
            return written

        try:
            # If that takes too long, training changes the tensors while they are written; no commit names such a file.
            written = self._disk(write, sum(tensor.nbytes for tensor in (*rest.values(), *best.values())))
        except OSError as error:
            # Of the folder, because the files have other names at each step but the fault is the same.
            return Saved(None, fault_at(folder, error), hangs=isinstance(error, HangsError))
        if own in written:
            self._best_file = own
        best_file = last if self._at_best else self._best_file
        known = {**self._checksums, **written}
        self._checksums = {name: known[name] for name in (last, best_file) if name in known}
        best_epoch = state.facts["best_epoch"]
        return Saved(ArmFiles(last=last, best=best_file, best_epoch=best_epoch, checksums=self._checksums))

    def load(self, folder: Path, files: Mapping[str, ArmFiles], ended: Sequence[str]) -> None:
        """Restore what `save` has written.

        Args:
            folder: The checkpoint's folder.
            files: The files of each arm.
            ended: Arms that will not be trained further, of which weights are enough.

        Raises:
            InputError: A file is missing or damaged, of another preset's arm, or without what training on needs.
        """
        mine = files[self.name]
        state = checkpoint.read(folder / mine.last, mine.checksums.get(mine.last))
        if BATCHES not in state.tensors and self.name not in ended:
            raise InputError(f"{folder / mine.last} has the {self.name} arm's weights alone, which can't be trained on")
        if mine.best is not None and mine.best != mine.last:
            best = checkpoint.read(folder / mine.best, mine.checksums.get(mine.best)).part(WEIGHT)
            state.tensors.update({f"{BEST}{name}": tensor for name, tensor in best.items()})
        try:
            self.load_state(state)
        except (KeyError, RuntimeError, TypeError, AttributeError):
            raise InputError(f"{folder / mine.last} is not of this preset's {self.name} arm") from None
        self._best_file, self._checksums = None if mine.best == mine.last else mine.best, mine.checksums

    def _note_output(self, _layer: nn.Module, _inputs: object, output: Tensor) -> None:
        if torch.is_grad_enabled():  # in a step
            self._put_out.append(output.detach().sum())

    def _generators(self) -> dict[str, torch.Generator]:
        return self._own_streams | {"order": self._order_stream}

    def _changed_criterion(self) -> Criterion:
        """The loss to optimize: the task's criterion, changed by each technique in turn."""
        criterion = self.criterion
        for name, technique in self._active.items():
            if technique.contributes("change_criterion"):
                criterion = technique.change_criterion(criterion, self._own_stream(f"{name}/criterion"))
        return criterion

    def _own_stream(self, purpose: str) -> torch.Generator:
        """A random stream of this arm alone, on its device."""
        self._own_streams[purpose] = stream(self.preset.train.seed, f"{self.name}/{purpose}", self.device)
        return self._own_streams[purpose]

    @torch.no_grad()
    def _evaluate(
        self, examples: Rows, targets: Tensor, tell: Callable[[Tensor], object] = lambda _outputs: None
    ) -> Evaluation:
        """Loss, metric and scores in evaluation mode; `tell` receives the outputs of each batch."""
        self.model.eval()
        losses, scores = [], []
        for x, y in zip(examples.batches(EVALUATION_BATCH), torch.split(targets, EVALUATION_BATCH), strict=True):
            outputs = self._outputs(x)
            tell(outputs)
            losses.append(self.task.total(outputs, y))
            scores.append(self.task.scores(outputs, y))
        total: list[float] = torch.stack(losses).tolist()
        mean = math.fsum(total) / len(targets) if all(map(math.isfinite, total)) else math.nan
        of_all = torch.cat(scores)
        return Evaluation(mean, self.task.metric(of_all, targets), of_all)

    def _outputs(self, examples: Tensor) -> Tensor:
        """The outputs for a batch, in evaluation mode."""
        x = normalize(examples)
        return self.model(x) if self._by_hand is None else apply_layers(self._by_hand, self.model.shaped(x))


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _hash(tensor: Tensor) -> str:
    return hashlib.blake2b(tensor.cpu().numpy().tobytes(), digest_size=8).hexdigest()
