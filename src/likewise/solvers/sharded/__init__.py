"""Gradient descent over several processes: tables sharded by TorchRec, everything else the loop's."""
