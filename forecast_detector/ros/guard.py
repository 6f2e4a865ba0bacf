"""Services that answer whatever they are asked: a request must not end a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.node import Node

from ..legible import legible, line
from .throttle import Throttle


def guard_services(node: Node) -> None:
    """
    Let every service of a node answer, with what it has by then where its callback fails.

    rclpy's own fail for a parameter of an unknown type, say, and a node that spins ends with that.
    """
    for service in node.services:
        guard = {
            ChangeState: _named, SetParameters: _one_by_one, SetParametersAtomically: _together,
        }.get(service.srv_type, _any)
        service.callback = guard(node, service.callback)


def _any(node: Node, callback: Callable[..., Any]) -> Callable[..., Any]:
    throttle = Throttle()

    def answer(request: Any, response: Any) -> Any:
        try:
            return callback(request, response)
        except Exception as error:
            more = throttle.due()
            if more is not None:
                node.get_logger().error(f'a request cannot be answered: {_why(error)}{more}')
            return response

    return answer


def _named(node: Node, callback: Callable[..., Any]) -> Callable[..., Any]:
    """Change the state; rcl logs the name of a transition that there is not, as it is."""
    answer = _any(node, callback)

    def change(request: Any, response: Any) -> Any:
        request.transition.label = legible(request.transition.label)
        return answer(request, response)

    return change


def _one_by_one(_node: Node, callback: Callable[..., Any]) -> Callable[..., Any]:
    """Set each parameter by itself, so that one that fails costs no other."""
    def answer(request: Any, response: Any) -> Any:
        for parameter in request.parameters:
            one = SetParameters.Request(parameters=[parameter])
            try:
                response.results += callback(one, SetParameters.Response()).results
            except Exception as error:
                response.results.append(_refusal(error))
        return response

    return answer


def _together(_node: Node, callback: Callable[..., Any]) -> Callable[..., Any]:
    def answer(request: Any, response: Any) -> Any:
        try:
            return callback(request, response)
        except Exception as error:
            response.result = _refusal(error)
            return response

    return answer


def _why(error: Exception) -> str:
    return line(error) or type(error).__name__


def _refusal(error: Exception) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=f'cannot be set: {_why(error)}')
