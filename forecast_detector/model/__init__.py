"""The network: backbone, encoders, scheduler, head. No loss, no post-processing."""
