"""collect.sh against the real tools: kubectl, sshd, and the networking commands in namespaces."""
