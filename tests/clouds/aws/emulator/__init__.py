"""An EC2 and KMS endpoint that is stricter than moto, with faults on demand.

It owns instances, volumes, their tags, keys and aliases; moto, underneath, owns the rest (networks, SSM, IAM, STS).
It must never talk to anything but loopback, and never be kinder than the cloud's documents say the cloud is.
"""
