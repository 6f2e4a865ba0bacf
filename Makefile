# `make setup` is safe to repeat and to interrupt; every other target runs it first.
# Variables:  PYTHON, TORCH_INDEX_URL (setup); ROS_DISTRO=jazzy (all, beside Kilted);  SOURCE, VIDEO, BAG, TOPIC, P, WEIGHTS, FRAMES, OUT (demo).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?=
ROS_DISTRO ?=
TORCH_INDEX_URL ?=
SOURCE ?=
VIDEO ?=
BAG ?=
TOPIC ?=
P ?=
WEIGHTS ?=
FRAMES ?=
OUT ?=
PYTEST_ARGS ?=

export PYTHON TORCH_INDEX_URL ROS_DISTRO

# As scripts/distro says.
suffix := $(if $(AMENT_PREFIX_PATH),,$(if $(filter-out kilted,$(ROS_DISTRO)),-$(ROS_DISTRO)))
python := .venv$(suffix)/bin/python
sources := forecast_detector test benchmarks scripts setup.py $(wildcard launch)
option = $(if $(strip $($(1))),--$(2) '$(strip $($(1)))')

.PHONY: help setup demo test lint types format clean

help:  ## Show this list
	@echo 'make TARGET [VARIABLE=value]'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12

setup:  ## Make .venv (Python, ROS 2) and .ros (interfaces); [PYTHON=] [TORCH_INDEX_URL=] [ROS_DISTRO=jazzy]
	@scripts/setup

demo: setup  ## Run the demo; [VIDEO=] [BAG= [TOPIC=]] [SOURCE=synthetic] [P=] [WEIGHTS=] [FRAMES=] [OUT=]
	@scripts/ros_env $(python) -m forecast_detector demo $(call option,SOURCE,source) \
		$(call option,VIDEO,video) $(call option,BAG,bag) $(call option,TOPIC,topic) \
		$(call option,P,p) $(call option,WEIGHTS,weights) $(call option,FRAMES,frames) \
		$(call option,OUT,out)

test: lint types  ## Lint, check types, run all tests; [PYTEST_ARGS=] runs some; [ROS_DISTRO=jazzy]
	@scripts/ros_env scripts/test $(PYTEST_ARGS)

lint: setup  ## Check style with ruff
	@$(python) -m ruff check $(sources)

types: setup  ## Check types with mypy
	@$(python) -m mypy

format: setup  ## Let ruff correct what it can (import order and the like)
	@$(python) -m ruff check --fix $(sources)

clean:  ## Remove everything that setup and the demo made
	rm -rf .venv .venv-jazzy .ros .ros-jazzy out build install log *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
