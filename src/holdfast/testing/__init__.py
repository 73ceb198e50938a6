"""Shipped test material: the attack cases, the contract cases, and an engine without isolation to prove them on."""
