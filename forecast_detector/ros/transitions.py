"""A managed node that outlives transitions which fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ..legible import line
from .arguments import plain

SUCCESS = TransitionCallbackReturn.SUCCESS
Part = Callable[[LifecycleState], TransitionCallbackReturn]


class ManagedNode(LifecycleNode):
    """
    A node whose transitions are done by four methods.

    What they raise is logged, what was done of the transition is undone, and the node lives on.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        """Join the graph."""
        self._failure = ''
        super().__init__(name, **kwargs)

    def _configure(self) -> None:
        """Get ready."""
        raise NotImplementedError

    def _activate(self) -> None:
        """Begin to work."""
        raise NotImplementedError

    def _deactivate(self) -> None:
        """Rest."""
        raise NotImplementedError

    def _clean_up(self) -> None:
        """Let go of what was got; of nothing where there is nothing."""
        raise NotImplementedError

    def _failed(self, why: str) -> None:
        """Take notice of a transition that failed."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Get ready: load the weights, say, and create the publishers."""
        parts = (_part(self._configure), super().on_configure)
        return self._transition('configure', parts, state, undo=(_part(self._clean_up),))

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        undo = (_part(self._deactivate), super().on_deactivate)
        return self._transition(
            'activate', (super().on_activate, _part(self._activate)), state, undo)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Rest; what was got ready stays."""
        parts = (_part(self._deactivate), super().on_deactivate)
        return self._transition('deactivate', parts, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything."""
        parts = (_part(self._clean_up), super().on_cleanup)
        return self._transition('cleanup', parts, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything for good."""
        parts = (_part(self._clean_up), super().on_shutdown)
        return self._transition('shutdown', parts, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after an error of the middleware."""
        parts = (_part(self._clean_up), super().on_error)
        return self._transition('error handling', parts, state)

    def _LifecycleNodeMixin__change_state(self, transition_id: int) -> TransitionCallbackReturn:
        """Refuse a transition that the state does not have: up to Jazzy it would end the node."""
        try:
            change: Any = getattr(super(), '_LifecycleNodeMixin__change_state')  # noqa: B009
            result: TransitionCallbackReturn = change(transition_id)
            return result
        except RuntimeError as error:  # all errors of rcl are
            self.get_logger().error(f'transition {transition_id} refused: {error}')
            return TransitionCallbackReturn.ERROR

    def _transition(
        self, name: str, parts: Sequence[Part], state: LifecycleState, undo: Sequence[Part] = (),
    ) -> TransitionCallbackReturn:
        """
        Run the parts of a transition; an exception is logged, and the node lives on.

        :param undo: run if a part fails, so that the node is what its state says.
        """
        self._failure = ''
        result = self._run_parts(name, parts, state)
        failure = self._failure
        if result != SUCCESS and undo:
            self._run_parts(f'undoing {name}', undo, state)
        if failure:
            self._failed(failure)
        return result

    def _run_parts(
        self, name: str, parts: Sequence[Part], state: LifecycleState
    ) -> TransitionCallbackReturn:
        try:
            for part in parts:
                result = part(state)
                if result != SUCCESS:
                    return result
        except Exception as error:  # rclpy would swallow it without a word
            self._failure = f'{name} failed: {line(plain(str(error)))}'
            self.get_logger().error(self._failure)
            return TransitionCallbackReturn.FAILURE
        return SUCCESS


def _part(act: Callable[[], None]) -> Part:
    def run(_state: LifecycleState) -> TransitionCallbackReturn:
        act()
        return SUCCESS

    return run
