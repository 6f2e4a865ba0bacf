"""What steps cost on this machine: interleaved, warm, by stage; no accuracy is measured here."""
