"""YOLOX (Ge et al. 2021) behind the engine's seam; F is made of its maps at three strides."""
