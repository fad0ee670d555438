"""The runtime agent: owns devices, and the engines that run on them."""
