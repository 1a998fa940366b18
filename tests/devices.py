"""A device that is not the CPU, on machines without one: `mock`, which computes on the CPU.

A tensor of it is a `MockTensor`: its device is mock:0, its numbers lie in a tensor of the CPU that
nobody else sees.  An operation among them computes with those, so that whole trainings run with
true numbers; backward passes and `vmap` work too.  Refused is what CUDA refuses, and more:

- an operation of tensors on both devices, indices included, which CUDA lets pass.  Excepted are
  copies, and numbers, of shape (), in operations element by element, as of CUDA: `vmap` itself
  makes such tensors of the CPU out of Python's numbers;
- a generator of the CPU that fills a tensor of the device;
- `numpy()`, as PyTorch itself refuses it.

It cannot see what depends on CUDA's own kernels (precision, determinism, memory, operations that
they lack), on streams, or on `device.type == "cuda"`.
"""

import contextlib
from unittest import mock

import torch
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from rvae_lite import engine, fitted, train

DEVICE, CPU = "mock:0", torch.device("cpu")
COPIES = {"aten::copy_", "aten::_to_copy"}
TO_HOST = {"aten::_local_scalar_dense", "aten::equal", "aten::nonzero"}  # CUDA waits for these
_aten, _every = (torch.library.Library(name, "IMPL") for name in ("aten", "_"))
_transfers = []  # what crossed between the devices


class Misplaced(RuntimeError):
    """An operation of tensors that lie on different devices."""


class MockTensor(torch.Tensor):
    """A tensor of the device; `inner` holds its numbers."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor):
        """Wrap a tensor of the CPU; both have the same memory."""
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        made.inner = inner
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})

    def __repr__(self, **_):
        return f"MockTensor({self.inner})"

    def tolist(self):
        """PyTorch refuses it to every class of its own."""
        _transfers.append("tolist")
        return self.inner.tolist()

    def numpy(self, **_):
        """Refused, as by CUDA."""
        raise Misplaced(f"numpy() of a tensor on {DEVICE}: copy it to the CPU first")


def compute(operation, args: tuple, kwargs: dict):
    """The result of an operation of which a tensor is, or will be, on the device."""
    name = operation._schema.name
    given = tree_flatten((args, kwargs))[0]
    tensors = [value for value in given if isinstance(value, torch.Tensor)]
    if name not in COPIES:
        _check(operation, tensors, given)
    own = {id(inner_of(tensor)): tensor for tensor in tensors}
    on_device = any(isinstance(tensor, MockTensor) for tensor in tensors)
    kwargs = dict(kwargs)
    if kwargs.get("device") is not None:
        on_device = torch.device(kwargs["device"]).type == "mock"
        kwargs["device"] = CPU
    kwargs.pop("pin_memory", None)
    if name in TO_HOST or (name == "aten::_to_copy" and not on_device):
        _transfers.append(name)
    result = operation(*tree_map(inner_of, args), **tree_map(inner_of, kwargs))

    def outer_of(value):
        if id(value) in own:  # changed in place
            return own[id(value)]
        return MockTensor(value) if isinstance(value, torch.Tensor) and on_device else value

    if name == "aten::copy_":
        _transfers.extend(_direction(*args[:2]))
    result = tree_map(outer_of, result)
    if torch.Tag.inplace_view in operation.tags:  # the shape outside changes too
        return return_and_correct_aliasing(operation, args, kwargs, result)
    return result


def inner_of(value):
    """The tensor of the CPU inside a `MockTensor`; anything else as it is."""
    return value.inner if isinstance(value, MockTensor) else value


def _check(operation, tensors: list, given: list) -> None:
    name = operation._schema.name
    written = tensors[0] if tensors and operation._schema.is_mutable else None
    on_cpu = [tensor for tensor in tensors if not isinstance(tensor, MockTensor)]
    if torch.Tag.pointwise in operation.tags:
        on_cpu = [tensor for tensor in on_cpu if tensor.ndim or tensor is written]
    if on_cpu and len(on_cpu) < len(tensors):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in on_cpu)
        raise Misplaced(f"{name} of tensors on {DEVICE} met one on the CPU, of shape {shapes}")
    for value in given:
        if isinstance(value, torch.Generator):
            raise Misplaced(f"{name} on {DEVICE} was given a generator of the CPU")


def _direction(target, source) -> list[str]:
    """How a copy crosses the devices, if it does."""
    if isinstance(target, MockTensor) == isinstance(source, MockTensor):
        return []
    return ["to device"] if isinstance(target, MockTensor) else ["aten::copy_"]


def _copy_from(source, target, non_blocking=False):
    """What `torch.tensor` and `torch.as_tensor` call, which leave the class of a tensor out."""
    _transfers.extend(_direction(target, source))
    inner_of(target).copy_(inner_of(source))
    return target


def _computed(operation, *args, **kwargs):
    """An operation without a tensor of the device, which makes one."""
    return compute(operation, args, kwargs)


def _register() -> None:
    _setup_privateuseone_for_python_backend("mock")
    _every.fallback(_computed, "PrivateUse1")
    _aten.impl("_copy_from", _copy_from, "PrivateUse1")


@contextlib.contextmanager
def everything_elsewhere():
    """Inside the block `fit` trains on the device, and a Fit encodes and evaluates there."""
    if torch._C._get_privateuse1_backend_name() != "mock":
        _register()
    mapped = fitted.Fit._map

    def on_device(*args, **options):
        with mock.patch("torch.cuda.is_available", lambda: True):
            return mapped(*args, **options)

    _transfers.clear()
    with (
        mock.patch.object(train, "_device", lambda device: torch.device(DEVICE)),
        mock.patch.object(fitted.Fit, "_map", on_device),
        # The threads of a backward pass are those of devices known at the first one.
        torch.autograd.set_multithreading_enabled(False),
    ):
        yield _transfers


@contextlib.contextmanager
def one_step():
    """Inside the block a training is one step on a few examples, however long it is meant to be.

    Replicas of convolutions take it one after the other, as on a CPU, which is faster here.
    """
    run_epoch, one_by_one = engine.Trainer.run_epoch, engine.one_by_one

    def once(trainer, state, epoch):
        return state.history[-1] if state.history else run_epoch(trainer, state, epoch)

    def few(cls, num_data, batch_size):
        return cls(num_data, 1, min(num_data, batch_size, 8))

    with (
        mock.patch.object(engine.Trainer, "run_epoch", once),
        mock.patch.object(engine.Batches, "of", classmethod(few)),
        mock.patch.object(engine, "one_by_one", lambda model, _: one_by_one(model, CPU)),
    ):
        yield
