"""ipvscope: who can reach which Service address in a Kubernetes cluster, from files alone."""

__version__ = "0.1.0"
